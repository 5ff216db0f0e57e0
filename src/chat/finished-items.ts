import type { Item } from "../codex/messages/index.ts";
import { type Draft, keepItem, patchState } from "./reducer-context.ts";
import type { ChatState, FinishedItem, OpenItem } from "./state.ts";

/**
 * How many finished items are remembered. Later messages about older ones are shown as new items.
 */
const maxFinished = 200;
/** How many characters at each end of an item are compared: outputs may be long. */
const fingerprintChars = 500;

/** Whether an item is finished, so that further deltas for it are ignored. */
export function isFinished(state: ChatState, id: string): boolean {
  return state.finished.has(id);
}

/** Remembers that an item has completed. */
export function rememberCompleted(draft: Draft, item: Item): void {
  note(draft, item.id, { fingerprint: fingerprintOf(item) });
}

/** Remembers that an item was closed before it completed; it is no longer open. */
export function rememberClosed(draft: Draft, id: string, open: OpenItem): void {
  keepItem(draft, id, undefined);
  note(draft, id, { open });
}

/** Remembers that an item was discarded. */
export function rememberGone(draft: Draft, id: string): void {
  note(draft, id, { fingerprint: "" });
}

/** Forgets that an item is finished, because one with its id starts. */
export function forgetFinished(draft: Draft, id: string): void {
  if (!draft.state.finished.has(id)) return;
  const finished = new Map(draft.state.finished);
  finished.delete(id);
  patchState(draft, { finished });
}

/** Whether an item completes a second time with the same content. */
export function isRepeated(state: ChatState, item: Item): boolean {
  const known = state.finished.get(item.id);
  return known !== undefined && "fingerprint" in known && known.fingerprint === fingerprintOf(item);
}

/** The state of an item when it was closed before it completed. */
export function closedAs(state: ChatState, id: string): OpenItem | undefined {
  const known = state.finished.get(id);
  return known !== undefined && "open" in known ? known.open : undefined;
}

function note(draft: Draft, id: string, what: FinishedItem): void {
  const finished = new Map(draft.state.finished);
  finished.delete(id);
  finished.set(id, what);
  const [oldest] = finished.keys();
  if (finished.size > maxFinished && oldest !== undefined) finished.delete(oldest);
  patchState(draft, { finished });
}

function fingerprintOf(item: Item): string {
  const text = JSON.stringify(item);
  if (text.length <= 2 * fingerprintChars) return text;
  return `${text.length}:${text.slice(0, fingerprintChars)}${text.slice(-fingerprintChars)}`;
}
