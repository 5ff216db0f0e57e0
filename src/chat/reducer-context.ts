import { cutAt, visible } from "./control-characters.ts";
import type { Edit } from "./edits/index.ts";
import { beginning } from "./fences.ts";
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

/** What is put into the text, in the order in which it is left out of a turn that is too long. */
export type Rank = keyof typeof shareOf;

/** A state that one event is changing, and the edits made so far. Lives for one `reduce`. */
export type Draft = { state: ChatState; readonly edits: Edit[] };

/** Changes some of the draft's fields. */
export function patchState(draft: Draft, fields: Partial<ChatState>): void {
  draft.state = { ...draft.state, ...fields };
}

/** Larger than items are that only begin. */
const largeItemChars = 20_000;

/** Keeps `item` as open under `id`, or forgets it. */
export function keepItem(draft: Draft, id: string, item: OpenItem | undefined): void {
  const items = new Map(draft.state.items);
  if (item === undefined) items.delete(id);
  else items.set(id, item);
  patchState(draft, { items });
}

/**
 * Whether one more item of this size may be open; one that may not is noted as left out. A large one
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
 * Adds a block where the conversation goes on, opening a `## Codex` section where none is. Gives
 * `leftOut` where the turn has no room for it: what is done with that block comes to nothing.
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

/** Adds a block below another one, by default without a gap. */
export function insertBelow(
  draft: Draft,
  after: string,
  lines: readonly string[],
  gap: 0 | 1 = 0,
): string {
  // A block that is there is told whole: half a fence would swallow what stands below.
  if (after === omittedBlock) return omittedBlock;
  const { nextBlock, prefix, tail } = draft.state;
  const id = `${prefix}:${nextBlock}`;
  patchState(draft, { nextBlock: nextBlock + 1, tail: tail === after ? id : tail });
  draft.edits.push({ op: "insert", id, after, lines, gap });
  return id;
}

/** Notes what was left out, and says so where it is the first of this turn. */
export function noteOmitted(draft: Draft, what: Parameters<typeof addOmitted>[1]): void {
  const { spent } = draft.state;
  patchState(draft, { spent: addOmitted(spent, what) });
  if (hasNote(spent)) return;
  patchState(draft, { spent: { ...draft.state.spent, noteBlock: omittedBlock } });
  const noteBlock = append(
    draft,
    [notice("Note", "this is more than is shown of one turn: what follows is not all of it.")],
    "told",
  );
  patchState(draft, { spent: { ...draft.state.spent, noteBlock } });
}

/** Says how much was left out, where anything was. */
export function showOmitted(draft: Draft): void {
  const { noteBlock, omitted } = draft.state.spent;
  const text = omittedText(omitted);
  if (noteBlock === undefined || noteBlock === omittedBlock || text === undefined) return;
  draft.edits.push({ op: "replace", id: noteBlock, lines: [notice("Note", text)] });
}

/** The user has asked for something: what comes of it is counted by itself. */
export function resetSpent(draft: Draft): void {
  showOmitted(draft);
  patchState(draft, { spent: nothingSpent });
}

/** Counts the edits of an event, and takes those away that are about blocks that are not there. */
export function settleEdits(draft: Draft, before: ChatState): Edit[] {
  const { edits, charged, lost } = charge(draft.edits, before.spent, draft.state.spent);
  patchState(draft, { spent: charged });
  if (lost === 0) return edits;
  const made = draft.edits.length;
  noteOmitted(draft, { chars: lost });
  return [...edits, ...draft.edits.slice(made)];
}

/** Begins a `## Codex` section below `after`; one in which nothing stands yet moves there. */
export function openSection(draft: Draft, after: string): void {
  const { section } = draft.state;
  if (section?.empty === true) draft.edits.push({ op: "remove", id: section.heading });
  else if (section !== undefined) markSection(draft, "none");
  patchState(draft, { tail: after });
  const heading = insertBelow(draft, after, ["## Codex"], 1);
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
  const [begin, isWhole] = beginning(text, maxChars);
  const line = visible(begin.replace(/\s+/g, " ")).trim();
  const short = line.length > maxChars || !isWhole ? `${cutAt(line, maxChars)} …` : line;
  return withoutHtml(short, false).text;
}

/** Adds a notice of Codex's, of which a turn has few. */
export function addNotice(draft: Draft, text: string): void {
  const { spent } = draft.state;
  if (spent.notes >= maxTurnNotes) {
    noteOmitted(draft, { notes: 1 });
    return;
  }
  patchState(draft, { spent: { ...spent, notes: spent.notes + 1 } });
  append(draft, [notice("Note", text)]);
}

/** Adds a notice unless it was told before in this conversation. */
export function addNoticeOnce(draft: Draft, text: string): void {
  const { shownNotices } = draft.state;
  const line = oneLine(text);
  if (shownNotices.has(line)) return;
  // Bounded, so that a server that varies its warnings cannot grow the state without end.
  const kept = shownNotices.size >= 100 ? [...shownNotices].slice(1) : [...shownNotices];
  patchState(draft, { shownNotices: new Set([...kept, line]) });
  addNotice(draft, text);
}
