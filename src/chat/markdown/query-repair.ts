import { USER_HEADING } from "../format/marks/index.ts";
import { noBlocks, scanLine } from "./block-scanner.ts";
import { htmlBlock } from "./html-block.ts";
import { looksLikeRole, withoutRole } from "./lookalike.ts";

/**
 * The repaired lines of a sent query's block, if its text would break the text below: by an open
 * fence, by open HTML, or by a line that would start a section. `undefined` if nothing needs
 * repair.
 *
 * Nothing else that the user wrote is changed. The line about the context stays last.
 */
export function repairQuery(text: string, contextLine?: string): string[] | undefined {
  const lines = repaired(text);
  if (lines === undefined) return undefined;
  return [USER_HEADING, "", ...lines, ...(contextLine === undefined ? [] : ["", contextLine])];
}

function repaired(text: string): string[] | undefined {
  const typed = text.trimEnd().split("\n");
  let blocks = noBlocks;
  let closer = "";
  /** The open paragraph, starting at each of its latest lines. */
  let paragraph: string[] = [];
  let htmlEnd = 0;
  let changed = false;
  const lines: string[] = [];
  for (const [index, line] of typed.entries()) {
    let scanned = scanLine(blocks, line);
    let kept = line;
    const content = line.slice(scanned.content);
    if (scanned.kind === "heading" && /^##[ \t]/.test(content) && looksLikeRole(content)) {
      kept = `${line.slice(0, scanned.content)}\\${content}`;
    } else if (scanned.kind === "underline" && paragraph.some((start) => looksLikeRole(start))) {
      kept = `${line.slice(0, scanned.content)}\\${content}`;
    } else if (scanned.kind === "code") {
      kept = withoutRole(line);
    } else if (content.startsWith("<") && index >= htmlEnd) {
      const inside = scanned.after.containers.length > 0;
      const taken = htmlBlock(inside ? [content] : typed.slice(index), scanned.continues);
      if (taken === undefined) kept = line.replace("<", "\\<");
      else htmlEnd = index + taken;
    }
    if (index < htmlEnd) kept = withoutRole(line);
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
    if (!scanned.continues) paragraph = [];
    // An underlined heading may start at any of these lines, since lines above may define links.
    if (scanned.kind === "text")
      paragraph = [...paragraph, ""].slice(-8).map((start) => `${start}${content}`.slice(0, 200));
    blocks = scanned.after;
    lines.push(kept);
  }
  if (blocks.leaf.kind === "fence") {
    changed = true;
    lines.push(closer);
  }
  return changed ? lines : undefined;
}
