import { maxNested } from "../limits.ts";
import { type Blocks, maxDepth, type ScannedLine } from "./block-scanner.ts";

const MARKS = /^(?:[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)))+/;

/**
 * Whether a line begins with more container marks than allowed. Marks that are not containers here
 * count as well, since another parser may read them as containers.
 *
 * SECURITY: Neovim's Markdown parser crashes the editor if containers are nested too deeply.
 */
export function mayNest(blocks: Blocks, { kind, after }: ScannedLine, content: string): boolean {
  if (!["text", "rule", "code"].includes(kind) || blocks.leaf.kind === "fence") return false;
  const marks = MARKS.exec(content)?.[0] ?? "";
  const count = marks.length <= maxNested - maxDepth ? 0 : marks.match(/>|[-+*]|\d+/g)?.length;
  return after.containers.length + (count ?? 0) > maxNested;
}
