/** Who a section belongs to. */
export type Role = "user" | "codex";

/** The heading above a query, and above the prompt. */
export const USER_HEADING = "## You";
/** The heading above an answer. */
export const CODEX_HEADING = "## Codex";

/** Whose section this line begins; undefined for any other line. */
export function roleOf(line: string): Role | undefined {
  const name = /^## (You|Codex)[ \t]*$/.exec(line)?.[1];
  return name === "You" ? "user" : name === "Codex" ? "codex" : undefined;
}

/** Whether Codex has answered in a text. Costs little, however long the text is. */
export function hasAnswer(text: string): boolean {
  return /(?:^|\n)## Codex[ \t]*\r?\n/.test(text);
}

/** A query and the line below it that says what was sent along with it. */
export type SplitQuery = { readonly query: string; readonly context: string | undefined };

/** Splits the context line, which the editor writes, from a query. */
export function splitContext(text: string): SplitQuery {
  const [whole, context] = /\n+(> \*\*Context:\*\* [^\n]*)$/.exec(text) ?? [];
  if (whole === undefined) return { query: text, context: undefined };
  return { query: text.slice(0, -whole.length), context };
}

/** A query without its context line. */
export function withoutContext(text: string): string {
  return splitContext(text).query;
}

/** The line above and below the front matter. */
export const FRONT_MATTER_LINE = "---";

/** Front matter is short. A rule at the top of a long text does not begin one. */
export const MAX_FRONT_MATTER_LINES = 200;

/** The row after the front matter (0-based); 0 where there is none. */
export function frontMatterEnd(lines: readonly string[]): number {
  if (!/^---\s*$/.test(lines[0] ?? "")) return 0;
  const last = Math.min(lines.length, MAX_FRONT_MATTER_LINES);
  for (let row = 1; row < last; row += 1)
    if (/^(?:---|\.\.\.)\s*$/.test(lines[row] ?? "")) return row + 1;
  return 0;
}

/** An open code fence. */
export type OpenFence = { readonly mark: string; readonly length: number };

/**
 * The fence that is open after `line`, given the one before it. Fences are CommonMark's: at least three
 * backticks or tildes after at most three spaces, closed by at least as many of the same.
 */
export function fenceAfter(fence: OpenFence | undefined, line: string): OpenFence | undefined {
  const [, run, info = ""] = /^ {0,3}(`{3,}|~{3,})(.*)$/s.exec(line) ?? [];
  if (run === undefined) return fence;
  const mark = run.charAt(0);
  if (fence === undefined)
    return mark === "`" && info.includes("`") ? undefined : { mark, length: run.length };
  const closes = mark === fence.mark && run.length >= fence.length && /^[ \t\r]*$/.test(info);
  return closes ? undefined : fence;
}

/** Front matter is short: this is enough to find its end. */
const MAX_FRONT_CHARS = 64 * 1024;

/**
 * The offset of what stands below the front matter; 0 where there is none. Works on text whose
 * characters are bytes, too.
 */
export function bodyStart(text: string): number {
  const bom = /^(?:\ufeff|\u00ef\u00bb\u00bf)?(?=---)/.exec(text)?.[0];
  if (bom === undefined) return 0;
  const lines = text.slice(bom.length, MAX_FRONT_CHARS).split("\n", MAX_FRONT_MATTER_LINES);
  const rows = lines.slice(0, frontMatterEnd(lines));
  return rows.reduce(
    (offset, line) => offset + line.length + 1,
    rows.length === 0 ? 0 : bom.length,
  );
}
