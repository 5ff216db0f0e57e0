import type { Item } from "../../codex/messages/index.ts";
import { codeSpan, shownPath, spaced } from "../fences.ts";
import { isFinished, rememberCompleted } from "../finished-items.ts";
import { sanitizedLines } from "../markdown/index.ts";
import {
  append,
  type Draft,
  insertBelow,
  notice,
  openSection,
  patchState,
} from "../reducer-context.ts";
import { closeText } from "./turn.ts";

type UserMessage = Extract<Item, { type: "userMessage" }>;

/**
 * Takes a query that Codex says it has. Ours stand in the text already: the one that began the turn
 * is passed over, and a steered one gets its section here. Any other was not sent from this buffer,
 * and is quoted.
 */
export function onUserMessage(draft: Draft, item: UserMessage): void {
  if (isFinished(draft.state, item.id)) return;
  rememberCompleted(draft, item);
  const { steered, turn } = draft.state;
  const id = item.clientId ?? undefined;
  if (id !== undefined && steered.includes(id)) takeSteered(draft, id);
  else if (id !== undefined && OURS.test(id))
    patchState(draft, { turn: { ...turn, awaitsQuery: false } });
  else if (id !== undefined) quoteQuery(draft, item);
  // What a review is asked stands in the line that says that it began.
  else if (turn.reviewing) return;
  else if (turn.awaitsQuery) patchState(draft, { turn: { ...turn, awaitsQuery: false } });
  else if (steered[0] !== undefined) takeSteered(draft, steered[0]);
  else quoteQuery(draft, item);
}

/** Queries of the buffer's, and reasons for answers, which stand beside those. */
const OURS = /^(?:user|reason):/;

/** A steered query that Codex has taken: what comes from now on answers it, below it. */
function takeSteered(draft: Draft, id: string): void {
  patchState(draft, { steered: draft.state.steered.filter((other) => other !== id) });
  closeText(draft);
  draft.edits.push({ op: "mark", id, mark: "none" });
  openSection(draft, id);
}

/**
 * SECURITY: a program inside may forge such a message, so it never stands under `## You`: neither the
 * user nor a model that reads the text later may take it for the user's words.
 */
function quoteQuery(draft: Draft, item: UserMessage): void {
  const block = append(draft, [notice("Note", "Codex was told something from elsewhere.")]);
  const lines = item.content.flatMap((part) => {
    const text = sanitizedLines(partText(part, draft.state.root), "> ");
    return text.length === 0 ? [] : [">", ...text];
  });
  if (lines.length > 0) insertBelow(draft, block, lines);
}

/** A part of a query in words: its text, or what kind of thing it is and where. */
function partText(part: unknown, root: string): string {
  if (typeof part !== "object" || part === null) return "";
  const fields: { readonly [name: string]: unknown } = { ...part };
  const { type, text, name, path } = fields;
  if (typeof text === "string") return text;
  const where = typeof path === "string" ? shownPath(path, root) : "";
  const what = typeof type === "string" ? type : "something";
  const named = [name, where].filter((it) => typeof it === "string" && it !== "");
  return `${codeSpan(spaced(what), 40)} ${named.map((it) => codeSpan(String(it))).join(" ")}`.trim();
}
