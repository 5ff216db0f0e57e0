import { type ChatMeta, readFrontMatter } from "../front-matter.ts";
import {
  bodyStart,
  CODEX_HEADING,
  fenceAfter,
  type OpenFence,
  USER_HEADING,
} from "../marks/index.ts";
import { title } from "../title.ts";

/** What a list shows of a conversation's text. */
export type ChatHead = Pick<ChatMeta, "name" | "thread" | "project"> & {
  /** A title for the first query; empty where there is none. */
  readonly query: string;
  /** Answers so far. */
  readonly turns: number;
};

/** How many lines of a query are looked at for its title. */
const MAX_QUERY_LINES = 40;

/**
 * Lines that can be a heading or a fence, with the line end before them. Not `^` and `$`: those take
 * a carriage return and U+2028 for line ends, too.
 */
const MARKS = new RegExp(
  `(?:^|\\n)( {0,3}(?:\`{3,}|~{3,})[^\\n]*|(?:${USER_HEADING}|${CODEX_HEADING})[ \\t]*\\r?(?=\\n|$))`,
  "g",
);

/**
 * Reads what a list shows of a conversation, in one pass over its text. It is cheaper than reading the
 * transcript: it looks only at lines that begin like a heading or a fence.
 */
export function readHead(text: string): ChatHead {
  const start = bodyStart(text);
  const body = text.slice(start);
  let fence: OpenFence | undefined;
  let query = "";
  let turns = 0;
  let queryFrom: number | undefined;
  const endQuery = (at: number) => {
    if (queryFrom !== undefined && query === "") query = titleOf(body, queryFrom, at);
  };
  for (const match of body.matchAll(MARKS)) {
    const line = match[1] ?? "";
    if (!line.startsWith("#")) {
      fence = fenceAfter(fence, line);
      continue;
    }
    if (fence !== undefined) continue;
    endQuery(match.index);
    const isQuery = line.startsWith(USER_HEADING);
    queryFrom = isQuery ? match.index + match[0].length + 1 : undefined;
    if (!isQuery) turns += 1;
  }
  endQuery(body.length);
  return { ...metaOf(text.slice(0, start)), query, turns };
}

function titleOf(body: string, from: number, to: number): string {
  let end = from - 1;
  for (let line = 0; line < MAX_QUERY_LINES && end < to; line += 1) {
    const next = body.indexOf("\n", end + 1);
    end = next === -1 ? to : next;
  }
  return title(body.slice(from, Math.min(end, to)).replaceAll("\r\n", "\n"));
}

/** A line `key: value` whose value YAML reads as the very text that stands there. */
const PLAIN = /^([a-z][a-z-]*): ([A-Za-z/][\w/.-]*(?: [\w/.?!()-]+)*)$/;
/** Words that YAML does not read as text. */
const NOT_TEXT = /^(?:true|false|null|yes|no|on|off)$/i;

/** Front matter that the plugin wrote is read without the library, which takes 300 µs a file. */
function metaOf(front: string): Pick<ChatMeta, "name" | "thread" | "project"> {
  if (front === "") return {};
  const lines = front
    .replace(/^\ufeff/, "")
    .replaceAll("\r\n", "\n")
    .trimEnd()
    .split("\n");
  const quick: Record<string, string> = {};
  for (const line of lines.slice(1, -1)) {
    const [, key = "", value = ""] = PLAIN.exec(line) ?? [];
    if (key === "" && /^(?:codex-chat: 1|created: [\dTZ:.-]+)$/.test(line)) continue;
    if (key === "" || NOT_TEXT.test(value) || quick[key] !== undefined)
      return pick(readFrontMatter(lines).meta);
    quick[key] = value;
  }
  return pick(quick);
}

function pick({ name, thread, project }: ChatMeta): Pick<ChatMeta, "name" | "thread" | "project"> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(thread === undefined ? {} : { thread }),
    ...(project === undefined ? {} : { project }),
  };
}
