import { isMap, isScalar, parseDocument } from "yaml";
import { FRONT_MATTER_LINE, frontMatterEnd, MAX_FRONT_MATTER_LINES } from "./marks/index.ts";

/** The format's version, which the first key of the front matter holds. */
const formatVersion = 1;

/** What the front matter of a conversation says. */
export type ChatMeta = {
  /** The user's name for it, or a title made from the first query. */
  readonly name?: string;
  /** Codex's thread, once there is one. */
  readonly thread?: string;
  /** The project's absolute path. */
  readonly project?: string;
  readonly model?: string;
  /** When the conversation began, ISO 8601. */
  readonly created?: string;
};

/** Front matter as it stands in a file, and what could not be read of it. */
export type FrontMatter = {
  readonly meta: ChatMeta;
  /** The lines between the dashes; `undefined` where there is no front matter. */
  readonly source: string | undefined;
  /** The row after it (0-based). */
  readonly end: number;
  readonly problems: readonly string[];
};

const KEYS = ["name", "thread", "project", "model", "created"] as const;

/** Reads the front matter at the top of `lines`. Never throws; anything odd is listed in `problems`. */
export function readFrontMatter(lines: readonly string[]): FrontMatter {
  const end = frontMatterEnd(lines);
  if (end === 0) {
    const isOpen = lines[0]?.trimEnd() === FRONT_MATTER_LINE;
    const problems = isOpen ? ["the front matter has no closing `---`; it is taken for text"] : [];
    return { meta: {}, source: undefined, end, problems };
  }
  const source = lines.slice(1, end - 1).join("\n");
  const problems: string[] = [];
  return { meta: readMeta(source, problems), source, end, problems };
}

function readMeta(source: string, problems: string[]): ChatMeta {
  // Bounded: the file may have been written by others, and yaml expands aliases.
  if (source.length > 64 * 1024) {
    problems.push("the front matter is longer than 64 KiB; it is not read");
    return {};
  }
  const document = parseDocument(source, { strict: false, uniqueKeys: false, logLevel: "silent" });
  for (const error of document.errors) {
    problems.push(`the front matter is not YAML: ${error.message.split("\n")[0]}`);
  }
  if (document.contents === null) return {};
  if (!isMap(document.contents) || document.errors.length > 0) {
    if (document.errors.length === 0)
      problems.push("the front matter is not a list of keys and values");
    return readLines(source);
  }
  const version: unknown = document.get("codex-chat");
  if (version !== undefined && version !== formatVersion) {
    problems.push(`the file's format is ${String(version)}; this version writes ${formatVersion}`);
  }
  const meta: Record<string, string> = {};
  for (const key of KEYS) {
    const value: unknown = document.get(key);
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "string" || typeof value === "number") meta[key] = String(value);
    else problems.push(`\`${key}\` in the front matter is not text`);
  }
  return meta;
}

/** Reads the keys line by line where the whole is not YAML, so that one slip does not hide the thread. */
function readLines(source: string): ChatMeta {
  const meta: Record<string, string> = {};
  for (const line of source.split("\n")) {
    const [, key = "", rest = ""] = /^([a-z]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (!KEYS.some((known) => known === key) || meta[key] !== undefined) continue;
    // Not `toJS`, which throws at an alias that nothing defines.
    const { contents } = parseDocument(rest, { strict: false, logLevel: "silent" });
    const value: unknown = isScalar(contents) ? contents.value : undefined;
    if (typeof value === "string" || typeof value === "number") meta[key] = String(value);
  }
  return meta;
}

/** The keys that are written back when a text has lost them. */
const KEPT = ["thread", "project"] as const;

/**
 * The keys of `known` that a text has lost from its front matter: thread and project, or all of them
 * where it has no front matter. Undefined where it has lost none.
 */
export function lostMeta(text: string, known: ChatMeta): ChatMeta | undefined {
  // Only the first lines: this runs at every write, and the text may be long.
  const found = readFrontMatter(text.split("\n", MAX_FRONT_MATTER_LINES));
  const lost: Record<string, string> = {};
  for (const key of KEPT) {
    const value = known[key];
    if (value !== undefined && found.meta[key] !== value) lost[key] = value;
  }
  if (Object.keys(lost).length === 0) return undefined;
  return found.source === undefined ? known : lost;
}

/**
 * `text` with the thread and the project of `known` in its front matter. Where the whole of it was
 * deleted, `source`, the lines of before, comes back.
 */
export function withKeptKeys(text: string, known: ChatMeta, source: string | undefined): string {
  const lost = lostMeta(text, known);
  if (lost === undefined) return text;
  if (readFrontMatter(text.split("\n", MAX_FRONT_MATTER_LINES)).source !== undefined)
    return withMeta(text, lost);
  const mark = FRONT_MATTER_LINE;
  const whole = source === undefined ? text : [mark, source, mark, "", text].join("\n");
  return withMeta(whole, source === undefined ? known : (lostMeta(whole, known) ?? {}));
}

/** The front matter of a new file, its dashes included. */
export function newFrontMatter(meta: ChatMeta): string[] {
  const lines = [FRONT_MATTER_LINE, `codex-chat: ${formatVersion}`];
  for (const key of KEYS) {
    const value = meta[key];
    if (value !== undefined) lines.push(keyLine(key, value));
  }
  return [...lines, FRONT_MATTER_LINE];
}

/**
 * `text` with the given keys set in its front matter, which is made where there is none; all its
 * other lines stay as they are.
 */
export function withMeta(text: string, meta: ChatMeta): string {
  const bom = text.startsWith("\ufeff") ? "\ufeff" : "";
  const lines = text.slice(bom.length).split("\n");
  const ending = lines[0]?.endsWith("\r") ? "\r" : "";
  const { source } = readFrontMatter(lines);
  if (source === undefined)
    return (
      bom + [...[...newFrontMatter(meta), ""].map((text) => text + ending), ...lines].join("\n")
    );
  const kept = source === "" ? [] : source.split("\n");
  for (const key of KEYS) {
    const value = meta[key];
    if (value === undefined) continue;
    const line = keyLine(key, value) + ending;
    const at = kept.findIndex((field) => field.startsWith(`${key}:`));
    if (at === -1) kept.push(line);
    else kept.splice(at, 1 + continued(kept, at), line);
  }
  const rest = lines.slice(1 + (source === "" ? 0 : source.split("\n").length));
  return bom + [lines[0], ...kept, ...rest].join("\n");
}

/** How many lines below `at` belong to its value: those that are indented. */
function continued(lines: readonly string[], at: number): number {
  let count = 0;
  while (/^[ \t]+\S/.test(lines[at + 1 + count] ?? "")) count += 1;
  return count;
}

function keyLine(key: string, value: string): string {
  return `${key}: ${scalar(value)}`;
}

/**
 * A YAML scalar on one line, since the editor changes single lines: plain where that is safe, else in
 * double quotes. `scalar` in lua/codex-chat/format.lua writes the same.
 */
function scalar(value: string): string {
  const isPlain =
    /^[A-Za-z0-9/_][^\p{Cc}]*$/u.test(value) &&
    !/: | #|[\s:]$/.test(value) &&
    // What YAML would read as something other than text.
    Number.isNaN(Number(value)) &&
    !/^(?:true|false|null|yes|no)$/i.test(value);
  if (isPlain) return value;
  const escaped = value
    .replace(/["\\]/g, "\\$&")
    .replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${escaped}"`;
}
