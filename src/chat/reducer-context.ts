import { cutAt, visible } from "./control-characters.ts";
import type { Edit } from "./edits/index.ts";
import { beginning } from "./fences.ts";
import { CODEX_HEADING } from "./format/marks/index.ts";
import { maxOpenItems, maxTurnNotes, type shareOf } from "./limits.ts";
import { withoutHtml } from "./markdown/index.ts";
import {
  addOmitted,
  charge,
  hasNote,
  hasRoom,
  nothingSpent,
  omittedBlock,
  omittedText,
} from "./spent.ts";
import type { ChatState, OpenItem } from "./state.ts";

/** The kind of a block, which decides how early it is left out of a turn that is too long. */
export type Rank = keyof typeof shareOf;

/** The state while one event changes it, and the edits so far. Lives for one call of `reduce`. */
export type Draft = { state: ChatState; readonly edits: Edit[] };

/** Changes some fields of the draft's state. */
export function patchState(draft: Draft, fields: Partial<ChatState>): void {
  draft.state = { ...draft.state, ...fields };
}

/** Larger than a real item that only starts. */
const largeItemChars = 20_000;

/** Stores `item` as open under `id`, or removes it. */
export function keepItem(draft: Draft, id: string, item: OpenItem | undefined): void {
  const items = new Map(draft.state.items);
  if (item === undefined) items.delete(id);
  else items.set(id, item);
  patchState(draft, { items });
}

/**
 * Whether one more item of this size may be open; if not, it is counted as left out. A large one
 * counts as if all of it were shown, since it is kept until its end.
 */
export function mayOpen(draft: Draft, id: string, size = 0): boolean {
  const { items, spent } = draft.state;
  if (size > largeItemChars) patchState(draft, { spent: { ...spent, chars: spent.chars + size } });
  if (items.has(id) || (items.size < maxOpenItems && hasRoom(spent, "asks"))) return true;
  noteOmitted(draft, { steps: 1 });
  return false;
}

/**
 * Adds a block at the conversation's end, opening a `## Codex` section if none is open. Returns
 * `omittedBlock` if the turn has no room for it; edits of that block are dropped.
 */
export function append(draft: Draft, lines: readonly string[], rank: Rank = "steps"): string {
  if (!hasRoom(draft.state.spent, rank)) {
    noteOmitted(draft, { steps: 1 });
    return omittedBlock;
  }
  if (draft.state.section === undefined) openSection(draft, draft.state.tail);
  const { section } = draft.state;
  const id = insertBelow(draft, draft.state.tail, lines, 1);
  if (section?.empty === true) patchState(draft, { section: { ...section, empty: false } });
  return id;
}

/** Adds a block below another one, by default without a blank line between them. */
export function insertBelow(
  draft: Draft,
  after: string,
  lines: readonly string[],
  gap: 0 | 1 = 0,
): string {
  // All blocks of a visible item are added: half a fence would swallow the text below.
  if (after === omittedBlock) return omittedBlock;
  const { nextBlock, prefix, tail } = draft.state;
  const id = `${prefix}:${nextBlock}`;
  patchState(draft, { nextBlock: nextBlock + 1, tail: tail === after ? id : tail });
  draft.edits.push({ op: "insert", id, after, lines, gap });
  return id;
}

/** Counts what was left out; the first time in a turn, adds a note about it. */
export function noteOmitted(draft: Draft, what: Parameters<typeof addOmitted>[1]): void {
  const { spent } = draft.state;
  patchState(draft, { spent: addOmitted(spent, what) });
  if (hasNote(spent)) return;
  patchState(draft, { spent: { ...draft.state.spent, noteBlock: omittedBlock } });
  const noteBlock = append(
    draft,
    [
      notice(
        "Note",
        "this turn is too long to be shown in full: some of what follows is left out.",
      ),
    ],
    "note",
  );
  patchState(draft, { spent: { ...draft.state.spent, noteBlock } });
}

/** Updates the note with how much was left out, if anything was. */
export function showOmitted(draft: Draft): void {
  const { noteBlock, omitted } = draft.state.spent;
  const text = omittedText(omitted);
  if (noteBlock === undefined || noteBlock === omittedBlock || text === undefined) return;
  draft.edits.push({ op: "replace", id: noteBlock, lines: [notice("Note", text)] });
}

/** The user has sent something: its output is counted from zero. */
export function resetSpent(draft: Draft): void {
  showOmitted(draft);
  patchState(draft, { spent: nothingSpent });
}

/** Counts the edits of an event, and drops those of blocks that were left out. */
export function settleEdits(draft: Draft, before: ChatState): Edit[] {
  const { edits, charged, lost } = charge(draft.edits, before.spent, draft.state.spent);
  patchState(draft, { spent: charged });
  if (lost === 0) return edits;
  const made = draft.edits.length;
  noteOmitted(draft, { chars: lost });
  return [...edits, ...draft.edits.slice(made)];
}

/** Opens a `## Codex` section below `after`; an empty one is moved there. */
export function openSection(draft: Draft, after: string): void {
  const { section } = draft.state;
  if (section?.empty === true) draft.edits.push({ op: "remove", id: section.heading });
  else if (section !== undefined) markSection(draft, "none");
  patchState(draft, { tail: after });
  const heading = insertBelow(draft, after, [CODEX_HEADING], 1);
  patchState(draft, { section: { heading, empty: true } });
  if (draft.state.turn.running) markSection(draft, "running");
}

/** Marks the heading of the section that is being written. */
export function markSection(draft: Draft, mark: "running" | "none", text = ""): void {
  const { section, turn } = draft.state;
  patchState(draft, { turn: { ...turn, mark: text } });
  if (section === undefined) return;
  draft.edits.push(
    text === ""
      ? { op: "mark", id: section.heading, mark }
      : { op: "mark", id: section.heading, mark, text },
  );
}

/** Shows beside the heading what Codex is doing, unless it is shown already. */
export function showBusy(draft: Draft, text: string): void {
  const { turn } = draft.state;
  if (turn.running && turn.mark !== text) markSection(draft, "running", text);
}

/**
 * A notice as a quotation of one paragraph.
 *
 * SECURITY: `text` may contain text from the model, Codex or an endpoint, so it is made one line
 * without HTML.
 */
export function notice(kind: "Error" | "Note", text: string): string {
  return `> **${kind}:** ${oneLine(text)}`;
}

/** `text` on one line of at most `maxChars`, without HTML or hidden characters. */
export function oneLine(text: string, maxChars = 1000): string {
  const [begin, isWhole] = beginning(text, maxChars);
  const line = visible(begin.replace(/\s+/g, " ")).trim();
  const short = line.length > maxChars || !isWhole ? `${cutAt(line, maxChars)} …` : line;
  return withoutHtml(short, false).text;
}

/** Adds a notice that Codex caused; their number per query is limited. */
export function addNotice(draft: Draft, text: string): void {
  const { spent } = draft.state;
  if (spent.notes >= maxTurnNotes) {
    noteOmitted(draft, { notes: 1 });
    return;
  }
  patchState(draft, { spent: { ...spent, notes: spent.notes + 1 } });
  append(draft, [notice("Note", text)]);
}

/** Adds a notice unless it was shown before in this conversation. */
export function addNoticeOnce(draft: Draft, text: string): void {
  const { shownNotices } = draft.state;
  const line = oneLine(text);
  if (shownNotices.has(line)) return;
  // Bounded, so that a server that varies its warnings cannot grow the state without limit.
  const kept = shownNotices.size >= 100 ? [...shownNotices].slice(1) : [...shownNotices];
  patchState(draft, { shownNotices: new Set([...kept, line]) });
  addNotice(draft, text);
}
