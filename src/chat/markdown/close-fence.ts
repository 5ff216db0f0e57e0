import { type Blocks, noBlocks, scanLine } from "./block-scanner.ts";

/** A line that closes what an unfinished answer has left open, and the 0-based row that it belongs to. */
export type MissingLine = { readonly row: number; readonly line: string };

/**
 * The closing line of a fence that the answer above the prompt has left open; undefined where none is.
 * An answer that is still coming has one, and so has one that was cut off by a crash: without that
 * line the prompt's heading, and all that follows, would be code to whoever reads the file.
 *
 * Costs as much as the last answer is long.
 */
export function missingLine(lines: readonly string[]): MissingLine | undefined {
  const prompt = lines.findLastIndex((line) => /^## You[ \t]*$/.test(line));
  if (prompt === -1) return undefined;
  // No line of an answer, and none of its code, looks like this.
  const heading = lines.findLastIndex((line, row) => row < prompt && /^## Codex[ \t]*$/.test(line));
  if (heading === -1) return undefined;
  let blocks: Blocks = noBlocks;
  let closer = "";
  let row = heading + 1;
  let last = row;
  for (; row < prompt; row += 1) {
    const line = lines[row] ?? "";
    const scanned = scanLine(blocks, line);
    // A query that is sent stands below the answer; a fence in it is the user's own.
    if (scanned.kind === "heading" && /^## You[ \t]*$/.test(line)) return undefined;
    blocks = scanned.after;
    if (line.trim() !== "") last = row + 1;
    if (scanned.kind !== "opens" || blocks.leaf.kind !== "fence") continue;
    const { mark, length } = blocks.leaf;
    closer = line.slice(0, scanned.content).replace(/[^>\t]/g, " ") + mark.repeat(length);
  }
  return blocks.leaf.kind === "fence" ? { row: last, line: closer } : undefined;
}

/** The text of a conversation as its file holds it, whatever is being written. */
export function wholeText(lines: readonly string[]): string {
  const missing = missingLine(lines);
  if (missing === undefined) return `${lines.join("\n")}\n`;
  const { row, line } = missing;
  return `${[...lines.slice(0, row), line, ...lines.slice(row)].join("\n")}\n`;
}
