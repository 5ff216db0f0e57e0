import type { Edit } from "./edits.ts";
import { withoutHtml } from "./inline.ts";
import type { ChatState, OpenItem } from "./state.ts";
import { cutAt, visible } from "./visible.ts";

/** A state that one event is changing, and the edits made so far. Lives for one `reduce`. */
export type Draft = { state: ChatState; readonly edits: Edit[] };

/** Changes some of the draft's fields. */
export function change(draft: Draft, fields: Partial<ChatState>): void {
  draft.state = { ...draft.state, ...fields };
}

/** Keeps `item` as open under `id`, or forgets it. */
export function keepItem(draft: Draft, id: string, item: OpenItem | undefined): void {
  const items = new Map(draft.state.items);
  if (item === undefined) items.delete(id);
  else items.set(id, item);
  change(draft, { items });
}

/** Adds a block where the conversation goes on, opening a `## Codex` section where none is. */
export function place(draft: Draft, lines: readonly string[]): string {
  if (draft.state.section === undefined) openSection(draft, draft.state.tail);
  const { section } = draft.state;
  const id = under(draft, draft.state.tail, lines, 1);
  if (section?.empty === true) change(draft, { section: { ...section, empty: false } });
  return id;
}

/** Adds a block below another one, by default without a gap. */
export function under(
  draft: Draft,
  after: string,
  lines: readonly string[],
  gap: 0 | 1 = 0,
): string {
  const { nextBlock, prefix, tail } = draft.state;
  const id = `${prefix}:${nextBlock}`;
  change(draft, { nextBlock: nextBlock + 1, tail: tail === after ? id : tail });
  draft.edits.push({ op: "insert", id, after, lines, gap });
  return id;
}

/** Begins a `## Codex` section below `after`; one in which nothing stands yet moves there. */
export function openSection(draft: Draft, after: string): void {
  const { section } = draft.state;
  if (section?.empty === true) draft.edits.push({ op: "remove", id: section.heading });
  else if (section !== undefined) markSection(draft, "none");
  change(draft, { tail: after });
  const heading = under(draft, after, ["## Codex"], 1);
  change(draft, { section: { heading, empty: true } });
  if (draft.state.turn.running) markSection(draft, "running");
}

/** Marks the heading of the section that is being written. */
export function markSection(draft: Draft, mark: "running" | "none", text = ""): void {
  const { section, turn } = draft.state;
  change(draft, { turn: { ...turn, mark: text } });
  if (section === undefined) return;
  draft.edits.push(
    text === ""
      ? { op: "mark", id: section.heading, mark }
      : { op: "mark", id: section.heading, mark, text },
  );
}

/** Says beside the heading what Codex is at; nothing where that already stands there. */
export function showBusy(draft: Draft, text: string): void {
  const { turn } = draft.state;
  if (turn.running && turn.mark !== text) markSection(draft, "running", text);
}

/**
 * A notice as a quotation of one paragraph.
 *
 * SECURITY: `text` may hold words of the model, of Codex or of an endpoint: one line, no HTML.
 */
export function notice(kind: "Error" | "Note", text: string): string {
  return `> **${kind}:** ${oneLine(text)}`;
}

/** `text` on one line, at most `maxChars` long, with no HTML and nothing hidden in it. */
export function oneLine(text: string, maxChars = 1000): string {
  const line = visible(text.replace(/\s+/g, " ")).trim();
  const short = line.length > maxChars ? `${cutAt(line, maxChars)} …` : line;
  return withoutHtml(short, false).text;
}

/** Adds a notice unless it was told before in this conversation. */
export function tellOnce(draft: Draft, text: string): void {
  const { told } = draft.state;
  if (told.has(text)) return;
  // Bounded, so that a server that varies its warnings cannot grow the state without end.
  const kept = told.size >= 100 ? [...told].slice(1) : [...told];
  change(draft, { told: new Set([...kept, text]) });
  place(draft, [notice("Note", text)]);
}
