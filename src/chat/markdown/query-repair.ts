import { noBlocks, scanLine } from "./block-scanner.ts";
import { htmlBlock } from "./html-block.ts";
import { looksLikeRole } from "./lookalike.ts";
import { withoutRole } from "./stream-sanitizer.ts";

/** The line below a query that says what went along with it; the editor writes it. */
const CONTEXT = /\n\n(> \*\*Context:\*\* [^\n]*)$/;

/** A query as the file has it, without the line that says what went along with it. */
export function withoutContext(text: string): string {
  return text.replace(/\n+> \*\*Context:\*\* [^\n]*$/, "");
}

/**
 * The lines of a sent query's block where its own text would break what stands below it: a fence or
 * HTML left open, or a line that would begin a section. `undefined` where the text is fine as typed.
 *
 * Nothing else of what the user wrote is touched. The line about the context stays below what is
 * mended.
 */
export function repairQuery(text: string): string[] | undefined {
  const [whole = "", context] = CONTEXT.exec(text) ?? [];
  const lines = mended(text.slice(0, text.length - whole.length));
  if (lines === undefined) return undefined;
  return ["## You", "", ...lines, ...(context === undefined ? [] : ["", context])];
}

function mended(text: string): string[] | undefined {
  const typed = text.trimEnd().split("\n");
  let blocks = noBlocks;
  let closer = "";
  /** The open paragraph from each of its latest lines on. */
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
    } else if (scanned.kind === "underline" && paragraph.some((it) => looksLikeRole(it))) {
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
    // A heading's text may begin in any line: what stands above it may define links.
    if (scanned.kind === "text")
      paragraph = [...paragraph, ""].slice(-8).map((it) => `${it}${content}`.slice(0, 200));
    blocks = scanned.after;
    lines.push(kept);
  }
  if (blocks.leaf.kind === "fence") {
    changed = true;
    lines.push(closer);
  }
  return changed ? lines : undefined;
}
