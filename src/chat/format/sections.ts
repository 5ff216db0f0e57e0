import { type Blocks, noBlocks, scanLine } from "../markdown/index.ts";
import { frontMatterEnd, type Role, roleOf } from "./marks/index.ts";

/** A section as it stands in the file: everything from its heading to the next one. */
export type PlacedSection = {
  readonly role: Role;
  /** 0-based row of the heading. */
  readonly row: number;
  /** 0-based row after the last line. */
  readonly end: number;
  /** Without the heading and the blank lines around. */
  readonly text: string;
};

/** The lines of a text, as an editor counts them. */
export function linesOf(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .replaceAll("\r\n", "\n")
    .replace(/\n$/, "")
    .split("\n");
}

/** All sections in order, the prompt included. Text above the first heading belongs to no section. */
export function findSections(lines: readonly string[]): PlacedSection[] {
  const heads: { role: Role; row: number }[] = [];
  let blocks: Blocks = noBlocks;
  for (let row = frontMatterEnd(lines); row < lines.length; row += 1) {
    const line = lines[row] ?? "";
    const role = roleOf(line);
    const scanned = scanLine(blocks, line);
    if (role !== undefined && scanned.kind === "heading") {
      heads.push({ role, row });
      blocks = noBlocks;
    } else blocks = scanned.after;
  }
  return heads.map(({ role, row }, index) => {
    const end = heads[index + 1]?.row ?? lines.length;
    return { role, row, end, text: trimLines(lines.slice(row + 1, end)) };
  });
}

/** Joins lines without the blank ones at either end; indentation is kept. */
export function trimLines(lines: readonly string[]): string {
  let first = 0;
  let last = lines.length;
  while (first < last && lines[first]?.trim() === "") first += 1;
  while (last > first && lines[last - 1]?.trim() === "") last -= 1;
  return lines.slice(first, last).join("\n");
}
