import { type Edit, historyBlock } from "../../src/chat/edits/edits.ts";
import { noBlocks, scanLine } from "../../src/chat/markdown/block-scanner.ts";

/** A block's lines: 0-based, `count` of them, with `gap` blank lines of its own above. */
type BlockRange = { readonly start: number; readonly count: number; readonly gap: 0 | 1 };

/** The chat buffer as a value: what Lua does with extmarks, for tests and for replays. */
export type ChatDocument = {
  readonly lines: readonly string[];
  readonly blocks: ReadonlyMap<string, BlockRange>;
  readonly folds: readonly { readonly from: string; readonly to: string; readonly label: string }[];
  readonly marks: ReadonlyMap<string, { readonly mark: string; readonly text: string }>;
};

/** The block that holds the prompt: the last `## You` heading and what follows. */
export const promptBlock = "prompt";

/** The document of a file's text. Text without a prompt gets an empty one. */
export function documentOf(text: string): ChatDocument {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  let start = lastPrompt(lines);
  if (start === undefined) {
    if (lines.length > 0) lines.push("");
    start = lines.length;
    lines.push("## You", "");
  }
  const prompt: BlockRange = { start, count: lines.length - start, gap: 0 };
  return { lines, blocks: new Map([[promptBlock, prompt]]), folds: [], marks: new Map() };
}

/** The text of the document, as its file holds it. */
export function documentText(document: ChatDocument): string {
  return `${document.lines.join("\n")}\n`;
}

/** Row of the last `## You` heading that stands outside of fences; `undefined` where there is none. */
export function lastPrompt(lines: readonly string[]): number | undefined {
  let blocks = noBlocks;
  let found: number | undefined;
  for (const [row, line] of lines.entries()) {
    const scanned = scanLine(blocks, line);
    blocks = scanned.after;
    if (scanned.kind === "heading" && /^## You[ \t]*$/.test(line)) found = row;
  }
  return found;
}

/**
 * Applies edits in order and gives the new document.
 *
 * @throws Error where an edit names a block that is not there: the host has lost its place, which
 * is a bug.
 */
export function applyEdits(document: ChatDocument, edits: readonly Edit[]): ChatDocument {
  const lines = [...document.lines];
  const blocks = new Map(document.blocks);
  const folds = [...document.folds];
  const marks = new Map(document.marks);
  const rangeOf = (id: string): BlockRange => {
    const range = blocks.get(id);
    if (range === undefined) throw new Error(`no block ${JSON.stringify(id)} in the document`);
    return range;
  };
  /** Puts `fresh` in place of `count` lines and moves what lies below. */
  const splice = (start: number, count: number, fresh: readonly string[]): void => {
    lines.splice(start, count, ...fresh);
    const delta = fresh.length - count;
    for (const [id, range] of blocks) {
      if (range.start >= start + count) blocks.set(id, { ...range, start: range.start + delta });
    }
  };
  for (const edit of edits) {
    switch (edit.op) {
      case "insert": {
        const gap = edit.gap === 1 ? [""] : [];
        if (edit.after === historyBlock) {
          const prompt = rangeOf(promptBlock).start;
          let row = prompt;
          while (row > 0 && lines[row - 1] === "") row -= 1;
          const above = row === 0 ? [] : gap;
          const below = row === prompt ? [""] : [];
          splice(row, 0, [...above, ...edit.lines, ...below]);
          const start = row + above.length;
          blocks.set(edit.id, { start, count: edit.lines.length, gap: above.length === 0 ? 0 : 1 });
        } else {
          const after = rangeOf(edit.after);
          const row = after.start + after.count;
          splice(row, 0, [...gap, ...edit.lines]);
          const start = row + gap.length;
          blocks.set(edit.id, { start, count: edit.lines.length, gap: edit.gap });
        }
        break;
      }
      case "append": {
        const range = rangeOf(edit.id);
        const last = range.start + range.count - 1;
        const fresh = `${range.count === 0 ? "" : (lines[last] ?? "")}${edit.text}`.split("\n");
        splice(last, Math.min(1, range.count), fresh);
        const count = range.count - Math.min(1, range.count) + fresh.length;
        blocks.set(edit.id, { ...range, count });
        break;
      }
      case "replace": {
        const range = rangeOf(edit.id);
        splice(range.start, range.count, edit.lines);
        blocks.set(edit.id, { ...range, count: edit.lines.length });
        break;
      }
      case "remove": {
        const range = rangeOf(edit.id);
        blocks.delete(edit.id);
        marks.delete(edit.id);
        const gap = range.gap === 1 && lines[range.start - 1] === "" ? 1 : 0;
        splice(range.start - gap, range.count + gap, []);
        break;
      }
      case "fold": {
        rangeOf(edit.from);
        rangeOf(edit.to);
        folds.push({ from: edit.from, to: edit.to, label: edit.label ?? "" });
        break;
      }
      case "mark":
        rangeOf(edit.id);
        if (edit.mark === "none") marks.delete(edit.id);
        else marks.set(edit.id, { mark: edit.mark, text: edit.text ?? "" });
        break;
      default:
        edit satisfies never;
    }
  }
  return { lines, blocks, folds, marks };
}

/**
 * Sends the prompt as Lua does: its section becomes block `id`, trailing blank lines go, and a new
 * empty section follows. Gives the text that was sent too.
 */
export function sendPrompt(
  document: ChatDocument,
  id: string,
): { document: ChatDocument; text: string } {
  const prompt = document.blocks.get(promptBlock);
  if (prompt === undefined) throw new Error("the document has no prompt");
  const section = document.lines.slice(prompt.start, prompt.start + prompt.count);
  while (section.length > 1 && section.at(-1)?.trim() === "") section.pop();
  if (section.length > 1 && section[1]?.trim() !== "") section.splice(1, 0, "");
  const lines = [...document.lines.slice(0, prompt.start), ...section, "", "## You", ""];
  const blocks = new Map(document.blocks)
    .set(id, { start: prompt.start, count: section.length, gap: 0 })
    .set(promptBlock, { start: prompt.start + section.length + 1, count: 2, gap: 0 });
  return {
    document: { ...document, lines, blocks },
    text: section.slice(1).join("\n").replace(/^\n+/, ""),
  };
}

/**
 * Puts `fresh` in place of the lines from `first` to before `last` (0-based), as the user's typing
 * does: blocks below move, a block around it grows or shrinks.
 */
export function typeLines(
  document: ChatDocument,
  first: number,
  last: number,
  fresh: readonly string[],
): ChatDocument {
  const lines = [...document.lines];
  lines.splice(first, last - first, ...fresh);
  const delta = fresh.length - (last - first);
  const blocks = new Map<string, BlockRange>();
  for (const [id, range] of document.blocks) {
    const end = range.start + range.count;
    if (first >= end && id !== promptBlock) {
      blocks.set(id, range);
    } else if (last <= range.start && !(first === range.start && id === promptBlock)) {
      blocks.set(id, { ...range, start: range.start + delta });
    } else {
      const start = Math.min(range.start, first);
      blocks.set(id, { ...range, start, count: Math.max(0, Math.max(end, last) + delta - start) });
    }
  }
  return { ...document, lines, blocks };
}
