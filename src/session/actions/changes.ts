import type { ActionResult } from "../../nvim/index.ts";
import { err, type Result } from "../../result.ts";
import { fileBefore, listChanges, redo, undo } from "../changes/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { BUSY, type Failure } from "../failure.ts";
import type { ActionHandlers } from "./action.ts";

/** The files that Codex has changed: to be looked at, taken back and brought back. */
export const changeActions = {
  "changes/list": (conversation, params) =>
    listChanges(conversation.host.changes, placeOf(conversation), params),
  "changes/file": (conversation, params) => fileBefore(conversation.host.changes, params),
  "changes/undo": (conversation, { row, scope }) =>
    restore(conversation, "Took back", () =>
      undo(conversation.host.changes, placeOf(conversation), { row, scope }),
    ),
  "changes/redo": (conversation) =>
    restore(conversation, "Brought back", () =>
      redo(conversation.host.changes, placeOf(conversation)),
    ),
} satisfies Partial<ActionHandlers>;

type Undone = ActionResult<"changes/undo">;

async function restore(
  conversation: Conversation,
  verb: string,
  run: () => Promise<Result<Undone, Failure>>,
): Promise<Result<Undone, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  const done = await run();
  if (!done.ok) return done;
  conversation.document.apply({ type: "note", text: sentence(verb, done.value) });
  conversation.host.filesChanged();
  return done;
}

/** One line for the document. */
function sentence(verb: string, { queries, files, conflicts }: Undone): string {
  const count = files.length === 1 ? "one file" : `${files.length} files`;
  const left =
    conflicts.length === 0
      ? ""
      : `, and left ${conflicts.length === 1 ? "one" : conflicts.length} that changed since`;
  return `${verb} what Codex changed in answer to ${queries.join(", ")}: ${count}${left}.`;
}

function placeOf({ document, threadId }: Conversation) {
  return { path: document.path, threadId, text: document.text() };
}
