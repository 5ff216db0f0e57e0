/**
 * The block structure of CommonMark 0.31, one line at a time: which containers are open, and
 * whether a line is text, code, or a fence. Raw HTML is not handled: the sanitized text has none
 * outside of code.
 */

/** A quotation, or a list item whose content begins `offset` columns to the right. */
type Container =
  | { readonly kind: "quote" }
  | { readonly kind: "item"; readonly offset: number; readonly empty: boolean };

/** The leaf block that the next line may continue. */
type Leaf =
  | { readonly kind: "none" }
  | { readonly kind: "paragraph" }
  | { readonly kind: "fence"; readonly mark: string; readonly length: number };

/** What is open after a line. */
export type Blocks = { readonly containers: readonly Container[]; readonly leaf: Leaf };

/** The kind of a line, where its content begins (UTF-16 index), and what is open after it. */
export type ScannedLine = {
  readonly kind: "blank" | "text" | "heading" | "underline" | "rule" | "code" | "opens" | "closes";
  readonly content: number;
  /** Whether the line continues the paragraph above it. */
  readonly continues: boolean;
  /** Whether a fence above ends because its container ends. */
  readonly cut: boolean;
  /** Whether `content` begins with another container beyond `maxDepth`. */
  readonly deep: boolean;
  readonly after: Blocks;
};

/** The state at the start of a text: nothing is open. */
export const noBlocks: Blocks = { containers: [], leaf: { kind: "none" } };

/** More containers than any real text has; each costs a look at the rest of the line. */
export const maxDepth = 40;

const FENCE = /^(?:(`{3,})[^`]*|(~{3,}).*)$/;
const RULE = /^(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const HEADING = /^#{1,6}(?:[ \t]|$)/;
const UNDERLINE = /^(?:=+|-+)[ \t]*$/;
const MARKER = /^(?:[-+*]|(\d{1,9})[.)])(?=[ \t]|$)/;

type Cursor = { readonly index: number; readonly column: number };
type Indent = { readonly width: number; readonly index: number; readonly column: number };

/** Reads one line (without its line end) below the blocks that are open. */
export function scanLine(open: Blocks, line: string): ScannedLine {
  let at: Cursor = { index: 0, column: 0 };
  let matched = 0;
  for (const container of open.containers) {
    const next = enter(container, line, at);
    if (next === undefined) break;
    at = next;
    matched += 1;
  }
  const whole = matched === open.containers.length;
  const cut = !whole && open.leaf.kind === "fence";
  if (whole && open.leaf.kind === "fence") return inFence(open, open.leaf, line, at);

  const containers = open.containers.slice(0, matched);
  let paragraph = whole && open.leaf.kind === "paragraph";
  let opened = false;
  for (;;) {
    const indent = indentAt(line, at);
    const rest = line.slice(indent.index);
    const found = (kind: ScannedLine["kind"], leaf: Leaf, continues = false): ScannedLine => ({
      kind,
      content: indent.index,
      continues,
      cut,
      deep: false,
      after: { containers: kind === "blank" ? containers : containers.map(filled), leaf },
    });
    if (rest === "") return found("blank", { kind: "none" });
    if (indent.width < 4) {
      if (containers.length >= maxDepth && (rest.startsWith(">") || MARKER.test(rest))) {
        return { ...found("text", { kind: "paragraph" }), deep: true };
      }
      if (rest.startsWith(">")) {
        containers.push({ kind: "quote" });
        at = afterQuoteMark(line, indent);
        paragraph = false;
        opened = true;
        continue;
      }
      if (HEADING.test(rest)) return found("heading", { kind: "none" });
      const fence = FENCE.exec(rest);
      if (fence !== null) {
        const mark = fence[1] ?? fence[2] ?? "";
        return found("opens", { kind: "fence", mark: mark.charAt(0), length: mark.length });
      }
      if (paragraph && UNDERLINE.test(rest)) return found("underline", { kind: "none" });
      if (RULE.test(rest)) return found("rule", { kind: "none" });
      const item = itemAt(line, indent, rest, paragraph);
      if (item !== undefined) {
        containers.push(item.container);
        at = item.at;
        paragraph = false;
        opened = true;
        continue;
      }
    } else if (!paragraph && !lazyBelow(open, whole, opened)) {
      return found("code", { kind: "none" });
    }
    if (paragraph) return found("text", { kind: "paragraph" }, true);
    if (lazyBelow(open, whole, opened)) {
      return {
        kind: "text",
        content: indent.index,
        continues: true,
        cut: false,
        deep: false,
        after: open,
      };
    }
    return found("text", { kind: "paragraph" });
  }
}

/** Whether text outside of its containers still continues their paragraph (a lazy continuation). */
function lazyBelow(open: Blocks, whole: boolean, opened: boolean): boolean {
  return !whole && !opened && open.leaf.kind === "paragraph";
}

/** Marks an empty item as filled: only an empty one is ended by a blank line. */
function filled(container: Container): Container {
  return container.kind === "item" && container.empty ? { ...container, empty: false } : container;
}

function inFence(
  open: Blocks,
  leaf: Extract<Leaf, { kind: "fence" }>,
  line: string,
  at: Cursor,
): ScannedLine {
  const indent = indentAt(line, at);
  const rest = line.slice(indent.index).trimEnd();
  const closes =
    indent.width < 4 && rest.length >= leaf.length && rest === leaf.mark.repeat(rest.length);
  return {
    kind: closes ? "closes" : "code",
    content: at.index,
    continues: false,
    cut: false,
    deep: false,
    after: closes ? { containers: open.containers, leaf: { kind: "none" } } : open,
  };
}

function enter(container: Container, line: string, at: Cursor): Cursor | undefined {
  const indent = indentAt(line, at);
  if (container.kind === "quote") {
    if (indent.width > 3 || line.charAt(indent.index) !== ">") return undefined;
    return afterQuoteMark(line, indent);
  }
  if (indent.index === line.length) return container.empty ? undefined : indent;
  return indent.width >= container.offset ? forward(line, at, container.offset) : undefined;
}

function itemAt(
  line: string,
  indent: Indent,
  rest: string,
  interrupts: boolean,
): { container: Container; at: Cursor } | undefined {
  const marker = MARKER.exec(rest);
  if (marker === null) return undefined;
  const width = marker[0].length;
  const empty = rest.slice(width).trim() === "";
  // Only a list that begins with 1, and with text, may interrupt a paragraph.
  if (interrupts && (empty || (marker[1] !== undefined && Number(marker[1]) !== 1))) {
    return undefined;
  }
  const end: Cursor = { index: indent.index + width, column: indent.column + width };
  const inside = indentAt(line, end);
  const gap = empty || inside.width > 4 ? 1 : inside.width;
  return {
    container: { kind: "item", offset: indent.width + width + gap, empty },
    at: empty ? inside : forward(line, end, gap),
  };
}

function afterQuoteMark(line: string, indent: Indent): Cursor {
  const at: Cursor = { index: indent.index + 1, column: indent.column + 1 };
  return indentAt(line, at).width > 0 ? forward(line, at, 1) : at;
}

function indentAt(line: string, at: Cursor): Indent {
  let { index, column } = at;
  for (; index < line.length; index += 1) {
    const char = line.charAt(index);
    if (char === " ") column += 1;
    else if (char === "\t") column += 4 - (column % 4);
    else break;
  }
  return { width: column - at.column, index, column };
}

/** Skips `columns` of white space; a tab that reaches further is only partly used. */
function forward(line: string, at: Cursor, columns: number): Cursor {
  let { index, column } = at;
  const target = at.column + columns;
  while (column < target && index < line.length) {
    if (line.charAt(index) === "\t") {
      const next = column + 4 - (column % 4);
      if (next > target) return { index, column: target };
      column = next;
    } else {
      column += 1;
    }
    index += 1;
  }
  return { index, column };
}
