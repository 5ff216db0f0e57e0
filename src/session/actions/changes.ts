import type { ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { accept, fileBefore, listChanges, redo, reject, unaccept, undo } from "../changes/index.ts";
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
  "changes/accept": (conversation, params) => accept(conversation.host.changes, params),
  "changes/unaccept": (conversation) => unaccept(conversation.host.changes),
  "changes/reject": (conversation, params) =>
    restore(conversation, undefined, () =>
      reject(conversation.host.changes, placeOf(conversation), params),
    ),
  "comments/list": async ({ host, threadId }) =>
    ok(threadId === undefined ? [] : await host.changes.comments.list(threadId)),
  "comments/set": async ({ host, threadId }, { comments }) => {
    if (threadId === undefined) return err(NO_THREAD);
    await host.changes.comments.set(threadId, comments);
    return ok();
  },
} satisfies Partial<ActionHandlers>;

const NO_THREAD: Failure = {
  kind: "nothing",
  message: "Codex has changed nothing in this conversation that could be commented on.",
};

type Undone = ActionResult<"changes/undo">;

async function restore(
  conversation: Conversation,
  verb: string | undefined,
  run: () => Promise<Result<Undone, Failure>>,
): Promise<Result<Undone, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  const done = await run();
  if (!done.ok) return done;
  // A rejection is one of many small steps, which the review shows.
  if (verb !== undefined)
    conversation.document.apply({ type: "note", text: sentence(verb, done.value) });
  conversation.host.filesChanged();
  return done;
}

/** One line for the document. */
function sentence(verb: string, { queries, files, conflicts }: Undone): string {
  const what =
    queries.length === 0
      ? "what was rejected"
      : `what Codex changed in answer to ${queries.join(", ")}`;
  const count = files.length === 1 ? "one file" : `${files.length} files`;
  const left =
    conflicts.length === 0
      ? ""
      : `, and left ${conflicts.length === 1 ? "one" : conflicts.length} that changed since`;
  return `${verb} ${what}: ${count}${left}.`;
}

function placeOf({ document, threadId }: Conversation) {
  return { path: document.path, threadId, text: document.text() };
}
