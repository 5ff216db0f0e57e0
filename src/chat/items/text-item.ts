import { isTooLong } from "../columns.ts";
import { codeSpan, countOf, duration } from "../fences.ts";
import { rememberGone } from "../finished-items.ts";
import { fitting, noExtent, omittedLine } from "../fit.ts";
import { maxOddColumns, maxProseLine } from "../limits.ts";
import { feed, finish, newSanitizer, sanitizedLines } from "../markdown/index.ts";
import {
  addNoticeOnce,
  append,
  type Draft,
  insertBelow,
  keepItem,
  noteOmitted,
  oneLine,
  patchState,
} from "../reducer-context.ts";
import { hasRoom, omittedBlock } from "../spent.ts";
import type { OpenItem, OpenText } from "../state.ts";

/** A bold first line: the title that Codex gives its reasoning summaries. */
const TITLE = /^\*\*([^*\n]+)\*\*[ \t]*(?:\n|$)/;

/** The longest first line that is held back because it may be a title. */
const maxTitle = 2000;

/** What is known about a text when it starts or ends. */
export type TextFacts = {
  readonly phase?: string | undefined;
  /** Unix milliseconds. */
  readonly atMs?: number | undefined;
};

/** Opens a text of the model under `id`; nothing is shown until its first character. */
export function startText(
  draft: Draft,
  id: string,
  kind: OpenText["kind"],
  facts: TextFacts = {},
): OpenText {
  const item: OpenText = {
    kind,
    head: undefined,
    block: undefined,
    above: draft.state.tail,
    isFirstInSection: false,
    phase: facts.phase,
    startedAtMs: facts.atMs,
    cutOff: false,
    sanitizer: newSanitizer(kind === "reasoning" ? "> " : ""),
    begun: kind !== "reasoning",
    raw: "",
    extent: noExtent,
    omittedChars: undefined,
    source: undefined,
    part: undefined,
  };
  keepItem(draft, id, item);
  return item;
}

/** Adds a piece. SECURITY: `piece` comes from the model; `feed` makes it harmless. */
export function growText(draft: Draft, id: string, item: OpenText, piece: string): OpenText {
  const grown = add(draft, item, piece);
  keepItem(draft, id, grown);
  return grown;
}

function add(draft: Draft, item: OpenText, piece: string): OpenText {
  if (item.omittedChars !== undefined)
    return { ...item, omittedChars: item.omittedChars + piece.length };
  const { text, extent } = hasRoom(draft.state.spent, rankOf(item))
    ? fitting(piece, item.extent)
    : { text: "", extent: item.extent };
  const open = { ...item, raw: item.raw + text, extent };
  const grown = open.begun ? write(draft, open, text) : begin(draft, open);
  const omittedChars = piece.length - text.length;
  // Closes an open fence: nothing more will be written into the block.
  return omittedChars === 0 ? grown : { ...close(draft, grown), omittedChars };
}

/** Finishes the written text. */
function close(draft: Draft, item: OpenText): OpenText {
  const open = item.begun ? item : begin(draft, item, true);
  const { state: sanitizer, text } = finish(open.sanitizer);
  return writeBlock(draft, { ...open, sanitizer }, text);
}

/** Reasoning is left out before messages are. */
function rankOf({ kind }: OpenText): "steps" | "words" {
  return kind === "reasoning" ? "steps" : "words";
}

/**
 * Completes a text of the model and returns its final state. `text` is the complete text, which
 * replaces what was streamed; it is absent if the text ends unfinished.
 */
export function endText(
  draft: Draft,
  id: string,
  item: OpenText,
  text: string | undefined,
  facts: TextFacts = {},
): OpenText {
  const whole = text === undefined || /^(?:[ \t\n]|\r\n)*$/.test(text) ? item.raw : text;
  let open = item;
  if (!whole.startsWith(item.raw)) {
    open = rewrite(draft, open, whole);
  } else if (open.omittedChars === undefined) {
    open = add(draft, open, whole.slice(item.raw.length));
    if (open.omittedChars === undefined) open = close(draft, open);
  } else if (text !== undefined) {
    open = { ...open, omittedChars: whole.length - item.raw.length };
  }
  open = noteCut(draft, open);
  if (open.kind === "reasoning") endReasoning(draft, open, whole, facts.atMs, true);
  else if (
    open.head === undefined &&
    open.block !== undefined &&
    open.block !== omittedBlock &&
    !open.isFirstInSection
  ) {
    // Only now is the message's phase known.
    const head = answerHead(facts.phase);
    if (head !== undefined) insertBelow(draft, open.above, [head], 1);
  }
  keepItem(draft, id, undefined);
  return { ...open, raw: open.omittedChars === undefined ? whole : open.raw };
}

/** Adds notes at the end of a text: how much is missing, and that long lines were broken. */
function noteCut(draft: Draft, item: OpenText): OpenText {
  if (item.sanitizer.hasBrokenLine)
    addNoticeOnce(
      draft,
      `lines of more than ${countOf(maxProseLine, "character")}, or of ${countOf(maxOddColumns, "column")} with tabs or wide letters, are broken into several here.`,
    );
  if (item.omittedChars === undefined || item.omittedChars === 0) return item;
  if (item.block === undefined || item.block === omittedBlock) {
    noteOmitted(draft, { chars: item.omittedChars });
    return item;
  }
  const { prefix } = item.sanitizer;
  const text = `\n${prefix.trimEnd()}\n${prefix}${omittedLine(item.omittedChars)}`;
  draft.edits.push({ op: "append", id: item.block, text });
  return item;
}

/** Replaces a text that was closed before it completed. */
export function amendText(draft: Draft, item: OpenText, text: string, facts: TextFacts): void {
  if (text.trim() === "" || text === item.raw) return;
  const open = rewrite(draft, item, text);
  if (open.kind === "reasoning") endReasoning(draft, open, text, facts.atMs, false);
}

/** Shows how long the reasoning took, and folds it. */
function endReasoning(
  draft: Draft,
  item: OpenText,
  text: string,
  atMs: number | undefined,
  folds: boolean,
): void {
  const { startedAtMs } = item;
  const tookMs = startedAtMs === undefined || atMs === undefined ? 0 : atMs - startedAtMs;
  const took = tookMs >= 100 ? ` for ${duration(tookMs)}` : "";
  const lines = [`> **Thought**${took}${titleOf(text)}`];
  if (item.head === undefined) {
    if (text.trim() !== "") append(draft, lines);
    return;
  }
  draft.edits.push({ op: "replace", id: item.head, lines });
  if (folds && item.block !== undefined)
    draft.edits.push({ op: "fold", from: item.head, to: item.block, label: "thinking" });
}

/** Shows reasoning once its first line is known: a title goes into the heading line. */
function begin(draft: Draft, item: OpenText, ended = false): OpenText {
  // Longer than any title: searching for its end with each piece would cost more and more.
  const isLong = item.raw.length > maxTitle;
  const text = item.raw.trimStart();
  if (!ended && !isLong && (text === "" || (text.startsWith("*") && !text.includes("\n"))))
    return item;
  return write(draft, { ...item, begun: true }, text.replace(TITLE, ""));
}

function write(draft: Draft, item: OpenText, piece: string): OpenText {
  const fed = feed(item.sanitizer, piece);
  return writeBlock(draft, { ...item, sanitizer: fed.state }, fed.text);
}

function writeBlock(draft: Draft, item: OpenText, text: string): OpenText {
  if (text === "") return item;
  if (item.block !== undefined) {
    draft.edits.push({ op: "append", id: item.block, text });
    return item;
  }
  return placeText(draft, item, item.raw, `${item.sanitizer.prefix}${text}`.split("\n"));
}

/** Adds the block of a text, below its heading line if it has one. */
function placeText(draft: Draft, item: OpenText, raw: string, words: readonly string[]): OpenText {
  const isFirstInSection = draft.state.section?.empty ?? true;
  const apart = headOf(item, raw, isFirstInSection);
  const lines = item.kind === "reasoning" ? [">", ...words] : words;
  const rank = rankOf(item);
  const first = append(draft, apart.length > 0 ? apart : lines, rank);
  if (first === omittedBlock) {
    const head = apart.length > 0 ? first : undefined;
    return { ...item, ...(head === undefined ? {} : { head }), block: first, isFirstInSection };
  }
  const made = draft.edits.at(-1);
  const above = made?.op === "insert" ? made.after : item.above;
  if (apart.length === 0) return { ...item, block: first, above, isFirstInSection };
  const block = insertBelow(draft, first, lines, item.kind === "reasoning" ? 0 : 1);
  return { ...item, head: first, block, above, isFirstInSection };
}

function rewrite(draft: Draft, item: OpenText, text: string): OpenText {
  if (!hasRoom(draft.state.spent, rankOf(item))) {
    noteOmitted(draft, { chars: text.length });
    return { ...item, omittedChars: 0 };
  }
  const body = item.kind === "reasoning" ? text.trimStart().replace(TITLE, "") : text;
  const lines = sanitizedLines(body, item.sanitizer.prefix);
  const hasBrokenLine = body.split("\n").some(isTooLong);
  const open = {
    ...item,
    sanitizer: { ...item.sanitizer, hasBrokenLine },
    omittedChars: undefined,
  };
  if (open.block === undefined && lines.length === 0) return open;
  if (open.block === undefined) return placeText(draft, open, text, lines);
  if (open.kind === "reasoning") lines.unshift(">");
  draft.edits.push({ op: "replace", id: open.block, lines });
  return open;
}

/** The heading line of a text, if it needs one. */
function headOf(item: OpenText, raw: string, isFirstInSection: boolean): readonly string[] {
  switch (item.kind) {
    case "message": {
      const head = isFirstInSection ? undefined : answerHead(item.phase);
      return head === undefined ? [] : [head];
    }
    case "proposal":
      return ["**Proposed plan**"];
    case "reasoning":
      return [`> **Thinking**${titleOf(raw)}`];
    default:
      return item.kind satisfies never;
  }
}

/** The heading that separates the answer from the commentary above it, which has none. */
function answerHead(phase: string | undefined): string | undefined {
  if (phase === "final_answer") return "**Answer**";
  return phase === "partial_answer" ? "**Answer so far**" : undefined;
}

function titleOf(raw: string): string {
  const title = TITLE.exec(raw.trimStart())?.[1];
  return title === undefined ? "" : ` · ${oneLine(title, 200)}`;
}

/** Marks open texts as cut off: the response is requested again. */
export function cutOffTexts(draft: Draft): void {
  for (const [id, item] of draft.state.items) {
    if (isText(item)) keepItem(draft, id, { ...item, cutOff: true });
  }
}

/** Removes a text that another item repeats. */
export function dropText(draft: Draft, id: string, item: OpenText): void {
  keepItem(draft, id, { ...item, cutOff: true });
  dropCutOff(draft);
}

/**
 * Removes texts that were cut off, now that they come again; otherwise they would be there twice.
 */
export function dropCutOff(draft: Draft): void {
  const gone = new Map<string, string>();
  for (const [id, item] of draft.state.items) {
    if (!isText(item) || !item.cutOff) continue;
    keepItem(draft, id, undefined);
    rememberGone(draft, id);
    if (item.block === undefined) continue;
    gone.set(item.block, item.head ?? item.above);
    draft.edits.push({ op: "remove", id: item.block });
    if (item.head === undefined) continue;
    gone.set(item.head, item.above);
    draft.edits.push({ op: "remove", id: item.head });
  }
  let { tail } = draft.state;
  for (let above = gone.get(tail); above !== undefined; above = gone.get(tail)) tail = above;
  if (tail !== draft.state.tail) patchState(draft, { tail });
}

/** Whether an open item is a text of the model. */
export function isText(open: OpenItem | undefined): open is OpenText {
  return open?.kind === "message" || open?.kind === "reasoning" || open?.kind === "proposal";
}

/** How many questions of a message, and options of a question, are shown. */
const maxQuestions = 50;

/** Adds the questions that come with a message, each with its options. */
export function placeQuestions(
  draft: Draft,
  questions: readonly { readonly title: string; readonly options: readonly string[] }[],
): void {
  if (questions.length === 0) return;
  const lines = questions
    .slice(0, maxQuestions)
    .flatMap(({ title, options }) => [
      `- ${inList(title)}`,
      ...options.slice(0, maxQuestions).map((option) => `  - ${inList(option)}`),
    ]);
  const omittedQuestions = questions.length - maxQuestions;
  if (omittedQuestions > 0)
    lines.push(`- … ${countOf(omittedQuestions, "more question")} left out …`);
  insertBelow(draft, append(draft, ["**Questions**"], "words"), lines);
}

/** A single line of text as it is; text that would start another block, as a code span. */
function inList(text: string): string {
  const [line = "", ...more] = sanitizedLines(oneLine(text));
  return more.length === 0 ? line : codeSpan(text, 1000);
}
