/** The head of a hunk: where its lines are in the old file and in the new one, counted from 1. */
const HEAD = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/** Stands below a line that ends without a line break. */
const NO_END = "\\ No newline at end of file";

/** A line's break belongs to it: a carriage return in front of it is text like any other. */
const BREAK = "\n";

type Hunk = {
  /** The first line that it replaces, counted from 0. */
  readonly at: number;
  readonly old: readonly string[];
  readonly fresh: readonly string[];
};

/**
 * A file's text with the hunks of a unified diff applied, which may have the headers of one file above
 * them. Undefined if the diff is not one, or not of this text: each line that it removes or keeps must
 * stand where it says. It never searches: what is shown to the user must be what the diff says.
 */
export function patched(text: string, diff: string): string | undefined {
  const hunks = parse(diff);
  if (hunks === undefined) return undefined;
  const lines = linesOf(text);
  const parts: string[] = [];
  let at = 0;
  for (const hunk of hunks) {
    if (hunk.at < at || hunk.at + hunk.old.length > lines.length) return undefined;
    if (hunk.old.some((line, offset) => lines[hunk.at + offset] !== line)) return undefined;
    for (; at < hunk.at; at += 1) parts.push(lines[at] ?? "");
    for (const line of hunk.fresh) parts.push(line);
    at += hunk.old.length;
  }
  for (; at < lines.length; at += 1) parts.push(lines[at] ?? "");
  // Only the last line of a file can be without a break.
  if (parts.slice(0, -1).some((line) => !line.endsWith(BREAK))) return undefined;
  return parts.join("");
}

function parse(diff: string): readonly Hunk[] | undefined {
  const lines = linesOf(diff);
  const first = lines.findIndex((line) => HEAD.test(line));
  const isHeader = (line: string) => /^(?:diff |index |--- |\+\+\+ )/.test(line);
  if (first === -1) return diff === "" ? [] : undefined;
  if (!lines.slice(0, first).every(isHeader)) return undefined;
  const hunks: Hunk[] = [];
  for (let at = first; at < lines.length; ) {
    const head = HEAD.exec(lines[at] ?? "");
    if (head === null) return undefined;
    const [, from, olds = "1", , news = "1"] = head;
    const body = bodyOf(lines, at + 1, Number(olds), Number(news));
    if (body === undefined) return undefined;
    // Of no lines, the first is the line above them.
    hunks.push({ at: Number(from) - (body.old.length === 0 ? 0 : 1), ...body });
    at = body.end;
  }
  return hunks;
}

/** The lines of a hunk: it ends once it has as many as its head says. */
function bodyOf(
  lines: readonly string[],
  start: number,
  olds: number,
  news: number,
): (Omit<Hunk, "at"> & { readonly end: number }) | undefined {
  const [old, fresh]: [string[], string[]] = [[], []];
  let at = start;
  while (old.length < olds || fresh.length < news || lines[at]?.startsWith("\\") === true) {
    const line = lines[at] ?? "";
    const [sign, text] = [line.slice(0, 1), line.slice(1)];
    if (line.trimEnd() === NO_END) {
      if (!endBare(lines[at - 1]?.slice(0, 1), old, fresh)) return undefined;
    } else if (sign === " ") {
      old.push(text);
      fresh.push(text);
    } else if (sign === "-") old.push(text);
    else if (sign === "+") fresh.push(text);
    else return undefined;
    at += 1;
  }
  return old.length === olds && fresh.length === news ? { old, fresh, end: at } : undefined;
}

/** Takes the break from the last line of a side; of both for a line that stays. */
function endBare(sign: string | undefined, old: string[], fresh: string[]): boolean {
  const sides = sign === " " ? [old, fresh] : sign === "-" ? [old] : sign === "+" ? [fresh] : [];
  for (const side of sides) side.push((side.pop() ?? "").replace(/\n$/, ""));
  return sides.length > 0;
}

/** A text's lines, each with its break. */
function linesOf(text: string): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(BREAK, at);
    const next = end === -1 ? text.length : end + 1;
    lines.push(text.slice(at, next));
    at = next;
  }
  return lines;
}
