import { fenceAfter, type OpenFence } from "./marks/index.ts";

/** Code points of a title that is made from a query, and of a name that the user gives. */
const TITLE_CHARS = 60;
const NAME_CHARS = 100;

/**
 * A title of one line for a query: its first line with words in it, without markdown. Lines in fences
 * count only where there is no other. Empty where there are no words.
 */
export function title(query: string): string {
  let fence: OpenFence | undefined;
  let fenced = "";
  for (const line of query.slice(0, 10_000).split("\n")) {
    const before = fence;
    fence = fenceAfter(before, line);
    if (fence !== before) continue;
    if (fence !== undefined) {
      if (fenced === "") fenced = cut(plain(line), TITLE_CHARS);
      continue;
    }
    const text = stripped(line);
    if (text !== "") return cut(text, TITLE_CHARS);
  }
  return fenced;
}

/**
 * A name that the user gives, on one line; empty where nothing is left of it. The winbar cleans names
 * in the same way (`clean_name` in lua/codex-chat/format.lua).
 */
export function cleanName(name: string): string {
  return cut(plain(name.slice(0, 10_000)), NAME_CHARS);
}

function cut(text: string, maxChars: number): string {
  const chars = [...text];
  if (chars.length <= maxChars) return text;
  const short = chars.slice(0, maxChars - 1).join("");
  // A word is cut only where it is most of the title.
  const whole = /^(.*\S) +\S*$/.exec(short)?.[1];
  const isEnough =
    whole !== undefined && Buffer.byteLength(whole) >= (Buffer.byteLength(short) * 2) / 3;
  return `${isEnough ? whole : short}…`;
}

/** SECURITY: no control characters, and none that turn the direction of the text around. */
function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\u00a0]/gu, " ")
    .replace(/[\u200b-\u200f\u2028-\u202e\u2060-\u206f\u061c\ufeff]/g, "")
    .replace(/ +/g, " ")
    .replace(/^ | $/g, "");
}

function stripped(line: string): string {
  let text = plain(line);
  for (let before = ""; before !== text; ) {
    before = text;
    text = text
      .replace(/^#+ /, "")
      .replace(/^> ?/, "")
      .replace(/^[-*+] /, "")
      .replace(/^\d+[.)] /, "")
      .replace(/^\[[ xX]\] /, "");
  }
  text = text
    .replace(/^[-*_= ]+$/, "")
    .replace(/ #+$/, "")
    .replace(/^#+$/, "");
  const parts: string[] = [];
  let pos = 0;
  while (pos < text.length) {
    const rest = text.slice(pos);
    const open = /`+/.exec(rest);
    const inside = open === null ? 0 : open.index + open[0].length;
    const stop = open === null ? -1 : rest.indexOf(open[0], inside);
    if (open === null || stop === -1) {
      parts.push(unmarked(rest));
      break;
    }
    parts.push(unmarked(rest.slice(0, open.index)), rest.slice(inside, stop));
    pos += stop + open[0].length;
  }
  return parts.join("").replace(/ +/g, " ").replace(/^ | $/g, "");
}

/** Text outside of code, without the marks of links and emphasis. */
function unmarked(text: string): string {
  return text
    .replace(/!?\[([^[\]]*)\]\([^()]*\)/g, "$1")
    .replace(/<(https?:\/\/[^<>]*)>/g, "$1")
    .replace(/~~([^~]+)~~/g, "$1")
    .replace(/(\*+)([^ *][^*]*)(\*+)/g, (whole, open: string, inner: string, close: string) =>
      open === close && !inner.endsWith(" ") ? inner : whole,
    )
    .replace(
      /(_+)([^ _][^_]*)(_+)/g,
      (whole, open: string, inner: string, close: string, at: number, all: string) => {
        const around = all.charAt(at - 1) + all.charAt(at + whole.length);
        return open === close && !inner.endsWith(" ") && !/[A-Za-z0-9]/.test(around)
          ? inner
          : whole;
      },
    );
}
