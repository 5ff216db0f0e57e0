import { emptyLine, fittingLine, type LineExtent, withFewMarks } from "../columns.ts";
import { endsInHalfPair, visible } from "../control-characters.ts";
import { fitting, noExtent, omittedLine } from "../fit.ts";
import { type Blocks, noBlocks, type ScannedLine, scanLine } from "./block-scanner.ts";
import { withoutHtml } from "./inline-escape.ts";
import { definitionAt } from "./link-definition.ts";
import {
  looksLikeRole,
  looksLikeSummary,
  mayBecomeSummary,
  skeleton,
  withoutEmphasis,
  withoutRole,
} from "./lookalike.ts";
import { mayNest } from "./nesting.ts";

/**
 * The current line: its kind is not known yet ("start"), it is text whose `rest` is not written
 * yet, or it is code, which is written as it comes.
 */
type Line =
  | {
      readonly at: "start";
      readonly text: string;
      /**
       * What is needed to know its kind: a character other than marks, any character, or its end.
       */
      readonly until: "words" | "more" | "end";
      /** Its length when it was last examined. */
      readonly checkedLength: number;
    }
  | {
      readonly at: "text";
      readonly rest: string;
      readonly unpaired: boolean;
      /** The length of `rest` when it was last examined. */
      readonly checkedLength: number;
    }
  | { readonly at: "code" };

/**
 * The state of a sanitizer for streaming markdown; an immutable value that `feed` and `finish`
 * advance.
 */
export type SanitizerState = {
  /** Added before every line but the first: `> ` in a quotation. */
  readonly prefix: "" | "> ";
  readonly blocks: Blocks;
  readonly line: Line;
  /** The beginning of the line, long enough for its skeleton. */
  readonly lead: string;
  /** The skeleton of the open paragraph. */
  readonly paragraphLetters: string;
  /**
   * Whether the open paragraph has an unpaired run of backticks, so that code spans are uncertain.
   */
  readonly uncertain: boolean;
  /** The line that closes the open fence. */
  readonly closer: string;
  /** Line ends that are written only once something follows them. */
  readonly owedBreaks: number;
  readonly begun: boolean;
  /** The extent of the line so far. */
  readonly extent: LineExtent;
  /** How many combining marks are on the last letter. */
  readonly marks: number;
  /** Whether a long line was broken into several. */
  readonly hasBrokenLine: boolean;
  /** Half a surrogate pair or half a line end, held until the other half comes. */
  readonly carry: string;
};

type MutableState = { -readonly [Key in keyof SanitizerState]: SanitizerState[Key] } & {
  out: string;
};

const lineStart: Line = { at: "start", text: "", until: "words", checkedLength: 0 };
const quotation: Blocks = { containers: [{ kind: "quote" }], leaf: { kind: "none" } };

/** A sanitizer that has received nothing; `prefix` is empty, or `> ` in a quotation. */
export function newSanitizer(prefix: "" | "> " = ""): SanitizerState {
  return {
    prefix,
    blocks: prefix === "" ? noBlocks : quotation,
    line: lineStart,
    lead: "",
    paragraphLetters: "",
    uncertain: false,
    closer: "",
    owedBreaks: 0,
    begun: false,
    extent: emptyLine,
    marks: 0,
    hasBrokenLine: false,
    carry: "",
  };
}

/**
 * Takes the next piece of the model's text; returns the text that can be written now.
 *
 * SECURITY: the written text cannot start a section, look like one of the host's summaries, contain
 * raw HTML, define links, or make a viewer fetch anything, and after `finish` no fence is open.
 * Otherwise it is the model's text unchanged. How the text is split into pieces makes no difference
 * to the whole.
 */
export function feed(
  state: SanitizerState,
  piece: string,
): { state: SanitizerState; text: string } {
  let text = state.carry + piece;
  const held = endsInHalfPair(text) || text.endsWith("\r") ? text.slice(-1) : "";
  if (held !== "") text = text.slice(0, -1);
  const draft: MutableState = { ...state, carry: held, out: "" };
  write(draft, text);
  return resultOf(draft);
}

/** Ends the text: writes what was held back and closes an open fence. */
export function finish(state: SanitizerState): { state: SanitizerState; text: string } {
  const draft: MutableState = { ...state, carry: "", out: "" };
  write(draft, state.carry.replace("\r", ""));
  endLine(draft);
  if (draft.blocks.leaf.kind === "fence") {
    draft.owedBreaks = 1;
    emit(draft, draft.closer);
    draft.blocks = { containers: draft.blocks.containers, leaf: { kind: "none" } };
  }
  return resultOf(draft);
}

/** The sanitized lines of a complete text, cut if it is too long; no lines if it is empty. */
export function sanitizedLines(text: string, prefix: "" | "> " = ""): string[] {
  const fitted = fitting(text, noExtent).text;
  const fed = feed(newSanitizer(prefix), fitted);
  const whole = fed.text + finish(fed.state).text;
  const left = text.length - fitted.length;
  const more = left === 0 ? [] : [prefix.trimEnd(), `${prefix}${omittedLine(left)}`];
  return whole === "" ? more : [...`${prefix}${whole}`.split("\n"), ...more];
}

/** Scans a line with its prefix, since a tab after a prefix is narrower than at the margin. */
function scan(draft: MutableState, text: string): ScannedLine {
  const scanned = scanLine(draft.blocks, draft.prefix + text);
  const content = Math.max(0, scanned.content - draft.prefix.length);
  const deep = scanned.deep || mayNest(draft.blocks, scanned, text.slice(content));
  return { ...scanned, content, deep };
}

function resultOf(draft: MutableState): { state: SanitizerState; text: string } {
  const { out, ...state } = draft;
  return { state, text: out };
}

function write(draft: MutableState, raw: string): void {
  const pieces = visible(raw.replaceAll("\r\n", "\n")).split("\n");
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) nextLine(draft);
    appendToLine(draft, piece);
  }
}

function nextLine(draft: MutableState): void {
  endLine(draft);
  draft.extent = emptyLine;
  draft.marks = 0;
  if (draft.begun) draft.owedBreaks += 1;
}

/** Adds to the line; breaks it if it gets too long. */
function appendToLine(draft: MutableState, piece: string): void {
  const few = withFewMarks(piece, draft.marks);
  draft.marks = few.marks;
  let rest = few.text;
  for (;;) {
    const { used, extent } = fittingLine(rest, draft.extent);
    draft.extent = extent;
    extendLine(draft, rest.slice(0, used));
    if (used === rest.length) return;
    rest = rest.slice(used);
    const { marks } = draft;
    nextLine(draft);
    draft.marks = marks;
    draft.hasBrokenLine = true;
  }
}

function emit(draft: MutableState, text: string): void {
  if (text === "") return;
  if (draft.owedBreaks > 0) {
    const blank = `\n${draft.prefix.trimEnd()}`;
    draft.out += `${blank.repeat(draft.owedBreaks - 1)}\n${draft.prefix}`;
  }
  draft.owedBreaks = 0;
  draft.begun = true;
  draft.out += text;
}

function extendLine(draft: MutableState, piece: string): void {
  if (piece === "") return;
  if (draft.lead.length < 200) draft.lead = (draft.lead + piece).slice(0, 200);
  switch (draft.line.at) {
    case "code":
      emit(draft, piece);
      return;
    case "text": {
      const { rest, unpaired, checkedLength } = draft.line;
      const text = rest + piece;
      // An undecided line is examined again only when its length has doubled; otherwise a code span
      // that comes letter by letter would cost its length each time.
      if (text.length > LONG_START && text.length < 2 * checkedLength && !ENDS_SPAN.test(piece))
        draft.line = { at: "text", rest: text, unpaired, checkedLength };
      else flow(draft, text, unpaired);
      return;
    }
    case "start": {
      // The text above is not known here: below a list, an indented line would continue the list.
      const isFirst = !draft.begun && draft.line.text === "";
      const text = draft.line.text + (isFirst ? piece.replace(/^[ \t]+/, "") : piece);
      const { until } = draft.line;
      draft.line = { ...draft.line, text };
      // Examining all of a line again with each piece would cost more and more.
      if (until === "end" || (until === "words" && MARKS_ONLY.test(piece))) return;
      if (text.length > LONG_START && text.length < 2 * draft.line.checkedLength) return;
      const waits = startLine(draft, text);
      if (waits !== undefined)
        draft.line = { at: "start", text, until: waits, checkedLength: text.length };
      return;
    }
    default:
      draft.line satisfies never;
  }
}

/** A longer beginning of a line is not examined again with each piece. */
const LONG_START = 256;
/** Characters that can end a code span or an autolink. */
const ENDS_SPAN = /[`<>\s]/;
const MARKS_ONLY = /^[\s>#*+\-=_`~\d.)\\|:<]*$/;
const MAYBE_ROLE = /^ {0,3}##[ \t]+[A-Za-z]{0,5}[ \t#]*$/;

/**
 * Starts writing a line once no further character can change its kind; otherwise returns what is
 * needed first.
 */
function startLine(draft: MutableState, text: string): "more" | "end" | undefined {
  const scanned = scan(draft, text);
  const content = text.slice(scanned.content);
  if (scanned.kind === "code") {
    if (scanned.deep || maybeQuote(draft, content)) return "end";
    if (MAYBE_ROLE.test(text)) return text.length > 200 ? "end" : "more";
    enterLine(draft, scanned);
    draft.line = { at: "code" };
    emit(draft, text);
    return undefined;
  }
  if (/^(?:#|```|~~~)/.test(content)) return "end";
  if (scanned.kind !== "text" || mayBecomeSummary(content)) return "more";
  const defines = scanned.continues ? "no" : definitionAt(content);
  if (defines === "perhaps") return "more";
  enterLine(draft, scanned);
  emit(draft, text.slice(0, scanned.content));
  draft.lead = content.slice(0, 200);
  if (defines === "yes" || scanned.deep) emit(draft, "\\");
  if (looksLikeSummary(content)) {
    const [head, rest] = withoutEmphasis(content);
    emit(draft, head);
    flow(draft, rest, false);
  } else {
    flow(draft, content, false);
  }
  return undefined;
}

function flow(draft: MutableState, text: string, unpaired: boolean): void {
  const done = withoutHtml(text, draft.uncertain, true);
  emit(draft, done.text);
  draft.uncertain = done.uncertain;
  const rest = text.slice(done.used);
  draft.line = {
    at: "text",
    rest,
    unpaired: unpaired || done.unpaired,
    checkedLength: rest.length,
  };
}

function endLine(draft: MutableState): void {
  const { line } = draft;
  if (line.at === "start") {
    writeHeldLine(draft, line.text);
  } else if (line.at === "text") {
    const done = withoutHtml(line.rest, draft.uncertain);
    emit(draft, done.text);
    draft.uncertain = done.uncertain || line.unpaired || done.unpaired;
    draft.paragraphLetters = (draft.paragraphLetters + skeleton(draft.lead)).slice(0, 16);
  }
  draft.line = lineStart;
  draft.lead = "";
}

/** Writes a line that was held back until its end. */
function writeHeldLine(draft: MutableState, text: string): void {
  const scanned = scan(draft, text);
  if (text.trim() === "") {
    // A blank line may end a quotation, whose fence is closed before anything else is written.
    if (scanned.cut) closeFence(draft);
    draft.blocks = scanned.after;
    if (scanned.kind === "blank") forgetParagraph(draft);
    return;
  }
  const lead = text.slice(0, scanned.content);
  const content = text.slice(scanned.content);
  enterLine(draft, scanned);
  switch (scanned.kind) {
    case "rule":
      if (scanned.deep) asText(draft, lead, `\\${content}`);
      else emit(draft, text);
      return;
    case "blank":
    case "closes":
      emit(draft, text);
      return;
    case "code":
      emit(
        draft,
        scanned.deep || maybeQuote(draft, content) ? `${lead}\\${content}` : withoutRole(text),
      );
      return;
    case "opens":
      draft.closer = lead.replace(/[^>\t]/g, " ") + fenceIn(scanned.after);
      // Some viewers parse a table here before they see the fence.
      emit(draft, lead + withoutHtml(content, true).text);
      return;
    case "underline":
      if (looksLikeRole(draft.paragraphLetters)) {
        asText(draft, lead, `\\${content}`);
      } else {
        emit(draft, text);
        forgetParagraph(draft);
      }
      return;
    case "heading":
    case "text": {
      const marked = content.startsWith("#") && looksLikeRole(content);
      const [head, rest] = marked
        ? ["\\#", content.slice(1)]
        : looksLikeSummary(content)
          ? withoutEmphasis(content)
          : scanned.deep || (!scanned.continues && definitionAt(content, true) === "yes")
            ? ["\\", content]
            : ["", content];
      const done = withoutHtml(rest, draft.uncertain);
      if (marked) asText(draft, lead, head + done.text);
      else emit(draft, lead + head + done.text);
      draft.uncertain = done.uncertain || done.unpaired;
      if (marked || scanned.kind === "text") {
        draft.paragraphLetters = (draft.paragraphLetters + skeleton(content)).slice(0, 16);
      } else {
        forgetParagraph(draft);
      }
      return;
    }
    default:
      scanned.kind satisfies never;
  }
}

/** Writes a line that a backslash turned into text, so that a paragraph is open after it. */
function asText(draft: MutableState, lead: string, content: string): void {
  emit(draft, lead + content);
  const { containers } = draft.blocks;
  draft.blocks = { containers, leaf: { kind: "paragraph" } };
}

function enterLine(draft: MutableState, scanned: ScannedLine): void {
  if (scanned.cut) closeFence(draft);
  if (!scanned.continues && scanned.kind !== "underline") forgetParagraph(draft);
  draft.blocks = scanned.after;
}

/** Closes a fence that ends with its container, for readers that do not know containers. */
function closeFence(draft: MutableState): void {
  emit(draft, draft.closer);
  draft.owedBreaks = 1;
}

/** Whether some viewers would take a line of indented code for a quotation. */
function maybeQuote(draft: MutableState, content: string): boolean {
  return draft.blocks.leaf.kind !== "fence" && content.startsWith(">");
}

function forgetParagraph(draft: MutableState): void {
  draft.uncertain = false;
  draft.paragraphLetters = "";
}

function fenceIn(blocks: Blocks): string {
  return blocks.leaf.kind === "fence" ? blocks.leaf.mark.repeat(blocks.leaf.length) : "";
}
