import { bodyStart } from "../chat/format/marks/index.ts";
import type { ListedFile } from "./listing.ts";
import { Pace } from "./pace.ts";
import { Reader } from "./reading.ts";

/** A line that has the text. */
export type Hit = {
  readonly path: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in bytes. */
  readonly column: number;
  readonly text: string;
};

/** How many lines are found at most, and how much of one is shown, in bytes. */
export const MAX_HITS = 1000;
const MAX_SHOWN = 300;

/** The lines in these files that have the text, in their order; no more than the first place in a line. */
export async function searchFiles(
  files: readonly ListedFile[],
  text: string,
  options: { readonly stateDir: string; readonly signal: AbortSignal },
): Promise<readonly Hit[]> {
  const pattern = patternOf(text);
  const pace = new Pace();
  const hits: Hit[] = [];
  using reader = new Reader(options.stateDir);
  for (const file of files) {
    if (pace.isDue) await pace.rest();
    if (options.signal.aborted || hits.length >= MAX_HITS) break;
    // One character per byte: columns are counted in bytes.
    const words = read(reader, file);
    for (const hit of hitsIn(words, pattern, MAX_HITS - hits.length))
      hits.push({ path: file.path, ...hit });
  }
  return hits;
}

function read(reader: Reader, file: ListedFile): string {
  try {
    return reader.read(file).bytes.toString("latin1");
  } catch {
    // It is gone, or cannot be read: the list says so, and a search finds nothing in it.
    return "";
  }
}

/** As with 'smartcase': a capital asks for itself. For text whose characters are bytes. */
function patternOf(text: string): RegExp {
  const lower = text.toLowerCase();
  const isExact = lower !== text;
  const chars = [...text].map((char) => {
    const upper = char.toUpperCase();
    const isOne = [...upper].length === 1;
    if (isExact || !isOne || upper === char) return bytesOf(char);
    return `(?:${bytesOf(char)}|${bytesOf(upper)})`;
  });
  return new RegExp(chars.join(""), "g");
}

function bytesOf(char: string): string {
  return [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function hitsIn(words: string, pattern: RegExp, max: number): Omit<Hit, "path">[] {
  const hits: Omit<Hit, "path">[] = [];
  pattern.lastIndex = 0;
  let match = pattern.exec(words);
  if (match === null) return hits;
  const start = bodyStart(words);
  let line = 1;
  let lineStart = 0;
  while (match !== null && hits.length < max) {
    const at = match.index;
    if (at < start) {
      pattern.lastIndex = start;
      match = pattern.exec(words);
      continue;
    }
    for (let end = words.indexOf("\n", lineStart); end !== -1 && end < at; ) {
      lineStart = end + 1;
      line += 1;
      end = words.indexOf("\n", lineStart);
    }
    const end = words.indexOf("\n", at);
    const stop = end === -1 ? words.length : end;
    hits.push({ line, column: at - lineStart + 1, text: excerpt(words, lineStart, stop, at) });
    pattern.lastIndex = stop + 1;
    match = stop >= words.length ? null : pattern.exec(words);
  }
  return hits;
}

/** The part of a line that is shown, on whole characters. */
function excerpt(words: string, first: number, stop: number, hit: number): string {
  let from = first;
  let to = stop;
  if (stop - first > MAX_SHOWN) {
    from = Math.max(first, hit - Math.floor(MAX_SHOWN / 3));
    to = Math.min(stop, from + MAX_SHOWN);
    while (from > first && isInside(words, from)) from -= 1;
    while (to < stop && isInside(words, to)) to += 1;
  }
  const part = Buffer.from(words.slice(from, to), "latin1").toString("utf8");
  // SECURITY: conversations hold what commands printed; a quickfix list shows it as it is.
  const shown = part.replace(/\p{Cc}/gu, " ");
  return `${from > first ? "…" : ""}${shown}${to < stop ? "…" : ""}`;
}

/** Whether a byte is inside of a character. */
function isInside(words: string, at: number): boolean {
  const code = words.charCodeAt(at);
  return code >= 0x80 && code < 0xc0;
}
