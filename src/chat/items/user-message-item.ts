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
 * Handles a user message that Codex reports. Queries from this buffer are already in the text: the
 * one that started the turn is ignored, and a steered one gets its section now. A message from
 * elsewhere is quoted.
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
  // A review's query is in the line that announces the review.
  else if (turn.reviewing) return;
  else if (turn.awaitsQuery) patchState(draft, { turn: { ...turn, awaitsQuery: false } });
  else if (steered[0] !== undefined) takeSteered(draft, steered[0]);
  else quoteQuery(draft, item);
}

/** Ids of the buffer's queries, and of reasons given with answers, which are shown beside those. */
const OURS = /^(?:user|reason):/;

/** Codex has taken a steered query: from now on, output goes below it. */
function takeSteered(draft: Draft, id: string): void {
  patchState(draft, { steered: draft.state.steered.filter((other) => other !== id) });
  closeText(draft);
  draft.edits.push({ op: "mark", id, mark: "none" });
  openSection(draft, id);
}

/**
 * SECURITY: a program inside may forge such a message, so it is never put under `## You`. Neither
 * the user nor a model that reads the text later may mistake it for the user's words.
 */
function quoteQuery(draft: Draft, item: UserMessage): void {
  const block = append(draft, [notice("Note", "Codex received a message from elsewhere.")]);
  const lines = item.content.flatMap((part) => {
    const text = sanitizedLines(partText(part, draft.state.root), "> ");
    return text.length === 0 ? [] : [">", ...text];
  });
  if (lines.length > 0) insertBelow(draft, block, lines);
}

/** A part of a message as text: its text, or its kind, name and path. */
function partText(part: unknown, root: string): string {
  if (typeof part !== "object" || part === null) return "";
  const fields: { readonly [name: string]: unknown } = { ...part };
  const { type, text, name, path } = fields;
  if (typeof text === "string") return text;
  const where = typeof path === "string" ? shownPath(path, root) : "";
  const what = typeof type === "string" ? type : "something";
  const named = [name, where].filter((part) => typeof part === "string" && part !== "");
  return `${codeSpan(spaced(what), 40)} ${named.map((part) => codeSpan(String(part))).join(" ")}`.trim();
}
