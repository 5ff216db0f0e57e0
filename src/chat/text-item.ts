import { change, type Draft, keepItem, oneLine, place, under } from "./draft.ts";
import { feed, finish, newProse, proseLines } from "./prose.ts";
import type { OpenItem, OpenText } from "./state.ts";

/** Reasoning of more lines than this is folded once it is complete. */
const shortReasoning = 4;

/** A first line that is all bold, as Codex heads its summaries of reasoning. */
const TITLE = /^\*\*([^*\n]+)\*\*[ \t]*(?:\n|$)/;

/** Begins the model's words under `id`; nothing is shown until a word has come. */
export function startText(draft: Draft, id: string, kind: OpenText["kind"]): OpenText {
  const item: OpenText = {
    kind,
    block: undefined,
    above: draft.state.tail,
    cutOff: false,
    prose: newProse(kind === "reasoning" ? "> " : ""),
    begun: kind !== "reasoning",
    raw: "",
    lines: 0,
    source: undefined,
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
 * Completes the model's words. `text` is what they are as a whole, or absent where they end
 * unfinished; it wins over what was streamed.
 */
export function endText(draft: Draft, id: string, item: OpenText, text: string | undefined): void {
  const whole = text === undefined || text === "" ? item.raw : text;
  let open = item;
  if (whole.startsWith(item.raw)) {
    open = growText(draft, id, open, whole.slice(item.raw.length));
    if (!open.begun) open = begin(draft, open, true);
    const done = finish(open.prose);
    open = put(draft, open, done.text);
  } else {
    open = rewrite(draft, open, whole);
  }
  if (open.kind === "reasoning") {
    if (open.block === undefined && open.raw.trim() !== "") {
      place(draft, headOf(open, whole).slice(0, 1));
    } else if (open.block !== undefined && open.lines > shortReasoning) {
      draft.edits.push({ op: "fold", from: open.block, to: open.block, label: "thinking" });
    }
  }
  keepItem(draft, id, undefined);
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
  const lines = item.lines + text.split("\n").length - 1;
  if (item.block !== undefined) {
    draft.edits.push({ op: "append", id: item.block, text });
    return { ...item, lines };
  }
  const head = headOf(item, item.raw);
  const block = place(draft, [...head, ...`${item.prose.prefix}${text}`.split("\n")]);
  const made = draft.edits.at(-1);
  const above = made?.op === "insert" ? made.after : item.above;
  return { ...item, block, above, lines: lines + head.length + 1 };
}

function rewrite(draft: Draft, item: OpenText, text: string): OpenText {
  const body = item.kind === "reasoning" ? text.trimStart().replace(TITLE, "") : text;
  const lines = proseLines(body, item.prose.prefix);
  if (lines.length === 0) return item;
  lines.unshift(...headOf(item, text));
  if (item.block === undefined) return { ...item, block: place(draft, lines), lines: lines.length };
  draft.edits.push({ op: "replace", id: item.block, lines });
  return { ...item, lines: lines.length };
}

/** The lines above the words, which say what kind of words they are. */
function headOf(item: OpenText, raw: string): readonly string[] {
  switch (item.kind) {
    case "message":
      return [];
    case "proposal":
      return ["**Proposed plan**", ""];
    case "reasoning": {
      const title = TITLE.exec(raw.trimStart())?.[1];
      const named = title === undefined ? "" : ` · ${oneLine(title, 200)}`;
      return [`> **Thinking**${named}`, ">"];
    }
    default:
      return item.kind satisfies never;
  }
}

/** Notes that the words being streamed broke off and are asked for again. */
export function cutOffTexts(draft: Draft): void {
  for (const [id, item] of draft.state.items) {
    if (isText(item)) keepItem(draft, id, { ...item, cutOff: true });
  }
}

/** Takes away words that broke off, now that they come again; without this they stood there twice. */
export function dropCutOff(draft: Draft): void {
  const gone = new Map<string, string>();
  for (const [id, item] of draft.state.items) {
    if (!isText(item) || !item.cutOff) continue;
    keepItem(draft, id, undefined);
    if (item.block === undefined) continue;
    gone.set(item.block, item.above);
    draft.edits.push({ op: "remove", id: item.block });
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

function inList(text: string): string {
  return proseLines(oneLine(text))[0] ?? "";
}
