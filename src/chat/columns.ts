import { numbered } from "./control-characters.ts";
import { maxOddColumns, maxProseLine } from "./limits.ts";

/** A line's length and width so far; `hasOddChar` if it has a character that is not narrow. */
export type LineExtent = {
  readonly units: number;
  readonly columns: number;
  readonly hasOddChar: boolean;
};

/** The extent of an empty line. */
export const emptyLine: LineExtent = { units: 0, columns: 0, hasOddChar: false };

/** The most combining marks on one letter; no script needs more than three or four. */
const MAX_MARKS = 8;
/** Text of one column per character, which costs an editor no more than ASCII. */
const NARROW = /^[ -\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]*$/;
const MARK = /[\p{M}\u200c\u200d]/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{10000}-\u{10ffff}]/u;
const TAB = 8;

/**
 * How much of `text` fits into a line of this extent, in UTF-16 units, and the new extent. How a
 * text is split into pieces makes no difference.
 *
 * An editor's cost for a line grows with its columns, and much faster if a character may have more
 * or less than one column.
 */
export function fittingLine(
  text: string,
  before: LineExtent,
): { readonly used: number; readonly extent: LineExtent } {
  let { units, columns, hasOddChar } = before;
  const all = units + text.length;
  if (!hasOddChar && all <= maxProseLine && NARROW.test(text))
    return {
      used: text.length,
      extent: { units: all, columns: columns + text.length, hasOddChar },
    };
  let used = 0;
  for (const char of text) {
    const isNarrow = NARROW.test(char);
    const width = isNarrow ? 1 : widthOf(char);
    const hasOdd = hasOddChar || !isNarrow;
    if (columns + width > maxOddColumns && hasOdd) break;
    if (units + char.length > maxProseLine) break;
    units += char.length;
    columns += width;
    hasOddChar = hasOdd;
    used += char.length;
  }
  return { used, extent: { units, columns, hasOddChar } };
}

/** Whether a line must be broken into several. */
export function isTooLong(line: string, maxUnits = maxProseLine): boolean {
  return line.length > maxUnits || fittingLine(line, emptyLine).used < line.length;
}

/** The longest beginning of a line that has at most `maxUnits` UTF-16 units and is not too wide. */
export function cutLine(line: string, maxUnits: number): string {
  const { used } = fittingLine(line.slice(0, maxUnits + 1), emptyLine);
  const head = line.slice(0, Math.min(used, maxUnits));
  return /[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head;
}

/**
 * A line, broken into marked parts if it is too long for the editor: for text that the user decides
 * about, of which nothing may be left out.
 */
export function brokenLine(line: string): string[] {
  const parts: string[] = [];
  let rest = withFewMarks(line).text;
  for (;;) {
    const { used } = fittingLine(rest, emptyLine);
    if (used === rest.length) return [...parts, rest];
    parts.push(`${rest.slice(0, used)} … (the line goes on)`);
    rest = rest.slice(used);
  }
}

/**
 * `text` with combining marks replaced by their code if a letter has more than any script needs.
 */
export function withFewMarks(
  text: string,
  before = 0,
): { readonly text: string; readonly marks: number } {
  if (NARROW.test(text)) return { text, marks: text === "" ? before : 0 };
  let marks = before;
  let done = "";
  for (const char of text) {
    marks = MARK.test(char) ? marks + 1 : 0;
    done += marks > MAX_MARKS ? numbered(char) : char;
  }
  return { text: done, marks };
}

function widthOf(char: string): number {
  if (char === "\t") return TAB;
  return WIDE.test(char) ? 2 : 1;
}
