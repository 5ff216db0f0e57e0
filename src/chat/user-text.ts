import { looksLikeRole } from "./lookalike.ts";
import { withoutRole } from "./prose.ts";
import { noBlocks, scanLine } from "./scan.ts";

/** Raw HTML that swallows what follows until its own end, also across blank lines (CommonMark 4.6). */
const SWALLOWS =
  /^ {0,3}<(?:(?:script|pre|style|textarea)(?:[\s>]|$)|!--|\?|![A-Za-z]|!\[CDATA\[|details(?:[\s>]|$))/i;
const ENDS = /<\/(?:script|pre|style|textarea|details)>|-->|\?>|\]\]>|^ {0,3}<![A-Za-z][^>]*>/i;

/**
 * The lines of a sent query's block where its own text would break what stands below it: a fence or
 * HTML left open, or a line that would begin a section. `undefined` where the text is fine as typed.
 *
 * Nothing else of what the user wrote is touched.
 */
export function sentText(text: string): string[] | undefined {
  const typed = text.replace(/\s+$/, "").split("\n");
  let blocks = noBlocks;
  let closer = "";
  let changed = false;
  const lines: string[] = [];
  for (const [index, line] of typed.entries()) {
    let scanned = scanLine(blocks, line);
    let kept = line;
    const content = line.slice(scanned.content);
    if (scanned.kind === "heading" && /^##[ \t]/.test(content) && looksLikeRole(content)) {
      kept = `${line.slice(0, scanned.content)}\\${content}`;
    } else if (scanned.kind === "code") {
      kept = withoutRole(line);
    } else if (SWALLOWS.test(line) && !typed.slice(index).some((below) => ENDS.test(below))) {
      kept = line.replace("<", "\\<");
    }
    if (kept !== line) {
      changed = true;
      scanned = scanLine(blocks, kept);
    }
    if (scanned.cut) {
      changed = true;
      lines.push(closer);
    }
    if (scanned.kind === "opens" && scanned.after.leaf.kind === "fence") {
      const { mark, length } = scanned.after.leaf;
      closer = line.slice(0, scanned.content).replace(/[^>\t]/g, " ") + mark.repeat(length);
    }
    blocks = scanned.after;
    lines.push(kept);
  }
  if (blocks.leaf.kind === "fence") {
    changed = true;
    lines.push(closer);
  }
  return changed ? ["## You", "", ...lines] : undefined;
}
