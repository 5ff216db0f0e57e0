import { maxNested } from "../limits.ts";
import { type Blocks, maxDepth, type ScannedLine } from "./block-scanner.ts";

const MARKS = /^(?:[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)))+/;

/**
 * Whether a line begins with more marks of containers than are let through, also where they are none
 * here: another reader may take them for such.
 *
 * SECURITY: Neovim's parser of Markdown ends the editor where too many are in each other.
 */
export function mayNest(blocks: Blocks, { kind, after }: ScannedLine, content: string): boolean {
  if (!["text", "rule", "code"].includes(kind) || blocks.leaf.kind === "fence") return false;
  const marks = MARKS.exec(content)?.[0] ?? "";
  const count = marks.length <= maxNested - maxDepth ? 0 : marks.match(/>|[-+*]|\d+/g)?.length;
  return after.containers.length + (count ?? 0) > maxNested;
}
