import { roleOf } from "../format/marks/index.ts";
import { type Blocks, noBlocks, scanLine } from "./block-scanner.ts";

/** A line that closes a fence of an unfinished answer, and the 0-based row where it belongs. */
export type MissingLine = { readonly row: number; readonly line: string };

/**
 * The closing line for a fence that the answer above the prompt has left open; undefined if there
 * is none. An answer may have one while it streams, or after a crash. Without the closing line,
 * readers of the file would take the prompt's heading, and everything below, for code.
 *
 * The cost is proportional to the length of the last answer.
 */
export function missingLine(lines: readonly string[]): MissingLine | undefined {
  const prompt = lines.findLastIndex((line) => roleOf(line) === "user");
  if (prompt === -1) return undefined;
  // The sanitizer escapes such a line in an answer, even in code.
  const heading = lines.findLastIndex((line, row) => row < prompt && roleOf(line) === "codex");
  if (heading === -1) return undefined;
  let blocks: Blocks = noBlocks;
  let closer = "";
  let row = heading + 1;
  let last = row;
  for (; row < prompt; row += 1) {
    const line = lines[row] ?? "";
    const scanned = scanLine(blocks, line);
    // A sent query is below the answer; a fence in it is the user's own.
    if (scanned.kind === "heading" && roleOf(line) === "user") return undefined;
    blocks = scanned.after;
    if (line.trim() !== "") last = row + 1;
    if (scanned.kind !== "opens" || blocks.leaf.kind !== "fence") continue;
    const { mark, length } = blocks.leaf;
    closer = line.slice(0, scanned.content).replace(/[^>\t]/g, " ") + mark.repeat(length);
  }
  return blocks.leaf.kind === "fence" ? { row: last, line: closer } : undefined;
}

/** The text of a conversation for its file, with an open fence closed. */
export function wholeText(lines: readonly string[]): string {
  const missing = missingLine(lines);
  if (missing === undefined) return `${lines.join("\n")}\n`;
  const { row, line } = missing;
  return `${[...lines.slice(0, row), line, ...lines.slice(row)].join("\n")}\n`;
}
