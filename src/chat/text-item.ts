import { change, type Draft, keepItem, oneLine, place, under } from "./draft.ts";
import { codeSpan, duration } from "./markdown.ts";
import { noteGone } from "./over.ts";
import { feed, finish, newProse, proseLines } from "./prose.ts";
import type { OpenItem, OpenText } from "./state.ts";

/** A first line that is all bold, as Codex heads its summaries of reasoning. */
const TITLE = /^\*\*([^*\n]+)\*\*[ \t]*(?:\n|$)/;

/** What is known of words when they begin or end. */
export type TextFacts = {
  readonly phase?: string | undefined;
  /** Unix milliseconds. */
  readonly atMs?: number | undefined;
};

/** Begins the model's words under `id`; nothing is shown until a word has come. */
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
    lone: false,
    phase: facts.phase,
    startedAtMs: facts.atMs,
    cutOff: false,
    prose: newProse(kind === "reasoning" ? "> " : ""),
    begun: kind !== "reasoning",
    raw: "",
    source: undefined,
    part: undefined,
  };
  keepItem(draft, id, item);
  return item;
}

/** Adds what has come. SECURITY: `piece` is the model's; `feed` makes it harmless. */
export function growText(draft: Draft, id: string, item: OpenText, piece: string): OpenText {
  const raw = item.raw + piece;
  const grown = item.begun ? write(draft, { ...item, raw }, piece) : begin(draft, { ...item, raw });
  keepItem(draft, id, grown);
  return grown;
}

/**
 * Completes the model's words and gives what they have come to. `text` is what they are as a whole, or
 * absent where they end unfinished; it wins over what was streamed.
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
  if (whole.startsWith(item.raw)) {
    open = growText(draft, id, open, whole.slice(item.raw.length));
    if (!open.begun) open = begin(draft, open, true);
    const done = finish(open.prose);
    open = put(draft, open, done.text);
  } else {
    open = rewrite(draft, open, whole);
  }
  if (open.kind === "reasoning") endReasoning(draft, open, whole, facts.atMs, true);
  else if (open.head === undefined && open.block !== undefined && !open.lone) {
    // Only now does Codex tell what the message is.
    const head = answerHead(facts.phase);
    if (head !== undefined) under(draft, open.above, [head], 1);
  }
  keepItem(draft, id, undefined);
  return { ...open, raw: whole };
}

/** Puts the whole text in place of words that were closed before they completed. */
export function amendText(draft: Draft, item: OpenText, text: string, facts: TextFacts): void {
  if (text.trim() === "" || text === item.raw) return;
  const open = rewrite(draft, item, text);
  if (open.kind === "reasoning") endReasoning(draft, open, text, facts.atMs, false);
}

/** Says how long it thought, and folds the thoughts. */
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
    if (text.trim() !== "") place(draft, lines);
    return;
  }
  draft.edits.push({ op: "replace", id: item.head, lines });
  if (folds && item.block !== undefined)
    draft.edits.push({ op: "fold", from: item.head, to: item.block, label: "thinking" });
}

/** Starts reasoning as soon as its first line is known: a title goes into the head. */
function begin(draft: Draft, item: OpenText, ended = false): OpenText {
  const text = item.raw.trimStart();
  if (!ended && (text === "" || (text.startsWith("*") && !text.includes("\n")))) return item;
  return write(draft, { ...item, begun: true }, text.replace(TITLE, ""));
}

function write(draft: Draft, item: OpenText, piece: string): OpenText {
  const fed = feed(item.prose, piece);
  return put(draft, { ...item, prose: fed.prose }, fed.text);
}

function put(draft: Draft, item: OpenText, text: string): OpenText {
  if (text === "") return item;
  if (item.block !== undefined) {
    draft.edits.push({ op: "append", id: item.block, text });
    return item;
  }
  return placeText(draft, item, item.raw, `${item.prose.prefix}${text}`.split("\n"));
}

/** Puts words into the text for the first time, below the line that says what they are. */
function placeText(draft: Draft, item: OpenText, raw: string, words: readonly string[]): OpenText {
  const lone = draft.state.section?.empty ?? true;
  const apart = headOf(item, raw, lone);
  const lines = item.kind === "reasoning" ? [">", ...words] : words;
  const first = place(draft, apart.length > 0 ? apart : lines);
  const made = draft.edits.at(-1);
  const above = made?.op === "insert" ? made.after : item.above;
  if (apart.length === 0) return { ...item, block: first, above, lone };
  const block = under(draft, first, lines, item.kind === "reasoning" ? 0 : 1);
  return { ...item, head: first, block, above, lone };
}

function rewrite(draft: Draft, item: OpenText, text: string): OpenText {
  const body = item.kind === "reasoning" ? text.trimStart().replace(TITLE, "") : text;
  const lines = proseLines(body, item.prose.prefix);
  if (item.block === undefined && lines.length === 0) return item;
  if (item.block === undefined) return placeText(draft, item, text, lines);
  if (item.kind === "reasoning") lines.unshift(">");
  draft.edits.push({ op: "replace", id: item.block, lines });
  return item;
}

/** The line above the words that says what kind of words they are, if they need one. */
function headOf(item: OpenText, raw: string, lone: boolean): readonly string[] {
  switch (item.kind) {
    case "message": {
      const head = lone ? undefined : answerHead(item.phase);
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

/** What sets the answer apart from the commentary above it, which stands without a word. */
function answerHead(phase: string | undefined): string | undefined {
  if (phase === "final_answer") return "**Answer**";
  return phase === "partial_answer" ? "**Answer so far**" : undefined;
}

function titleOf(raw: string): string {
  const title = TITLE.exec(raw.trimStart())?.[1];
  return title === undefined ? "" : ` · ${oneLine(title, 200)}`;
}

/** Notes that the words being streamed broke off and are asked for again. */
export function cutOffTexts(draft: Draft): void {
  for (const [id, item] of draft.state.items) {
    if (isText(item)) keepItem(draft, id, { ...item, cutOff: true });
  }
}

/** Takes away words that another item says. */
export function dropText(draft: Draft, id: string, item: OpenText): void {
  keepItem(draft, id, { ...item, cutOff: true });
  dropCutOff(draft);
}

/** Takes away words that broke off, now that they come again; without this they stood there twice. */
export function dropCutOff(draft: Draft): void {
  const gone = new Map<string, string>();
  for (const [id, item] of draft.state.items) {
    if (!isText(item) || !item.cutOff) continue;
    keepItem(draft, id, undefined);
    noteGone(draft, id);
    if (item.block === undefined) continue;
    gone.set(item.block, item.head ?? item.above);
    draft.edits.push({ op: "remove", id: item.block });
    if (item.head === undefined) continue;
    gone.set(item.head, item.above);
    draft.edits.push({ op: "remove", id: item.head });
  }
  let { tail } = draft.state;
  for (let above = gone.get(tail); above !== undefined; above = gone.get(tail)) tail = above;
  if (tail !== draft.state.tail) change(draft, { tail });
}

/** Whether an open item is words of the model. */
export function isText(open: OpenItem | undefined): open is OpenText {
  return open?.kind === "message" || open?.kind === "reasoning" || open?.kind === "proposal";
}

/** Adds the questions that come with a message, each with its options. */
export function placeQuestions(
  draft: Draft,
  questions: readonly { readonly title: string; readonly options: readonly string[] }[],
): void {
  if (questions.length === 0) return;
  const lines = questions.flatMap(({ title, options }) => [
    `- ${inList(title)}`,
    ...options.map((option) => `  - ${inList(option)}`),
  ]);
  under(draft, place(draft, ["**Questions**"]), lines);
}

/** What is one line of prose as it is; what would open a block of its own, as code. */
function inList(text: string): string {
  const [line = "", ...more] = proseLines(oneLine(text));
  return more.length === 0 ? line : codeSpan(text, 1000);
}
