import { linesOf } from "../../chat/format/index.ts";
import type { ActionParams, ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import { changedSince } from "../changes/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { type Point, pointAt, textAfter } from "../document/index.ts";
import { BUSY, type Failure } from "../failure.ts";
import { type LoadedThread, listTurns, threadPlace, UNUSABLE } from "../thread/index.ts";
import type { ActionHandlers } from "./action.ts";

/** Requests about a conversation's turns as a whole. */
export const roundActions = {
  "thread/fork": (conversation, params) =>
    withFiles(conversation, fork(conversation, params), ({ keep }) => keep),
  "thread/revert": (conversation, params) =>
    withFiles(conversation, revert(conversation, params), ({ from }) => from),
  "thread/compact": compact,
  "thread/review": review,
} satisfies Partial<ActionHandlers>;

type Fork = Omit<ActionResult<"thread/fork">, "files">;
type Revert = Omit<ActionResult<"thread/revert">, "files">;

/** Adds how many files were changed in the turns from a row on: the user may take them back as well. */
async function withFiles<T>(
  { host, document, threadId }: Conversation,
  answer: Promise<Result<T, Failure>>,
  rowOf: (value: T) => number,
): Promise<Result<T & { readonly files: number }, Failure>> {
  const done = await answer;
  if (!done.ok) return done;
  const place = { path: document.path, threadId, text: document.text() };
  const files = await changedSince(host.changes, place, rowOf(done.value));
  return ok({ ...done.value, files });
}

/**
 * Copies the thread up to the row. If the thread does not know the place, or cannot be used, the
 * answer has no thread: the new conversation is then given its transcript.
 */
async function fork(
  conversation: Conversation,
  { row }: ActionParams<"thread/fork">,
): Promise<Result<Fork, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  const lines = linesOf(conversation.document.text());
  const byText = ok(forkOf(pointAt(lines, row, [])));
  if (conversation.threadId === undefined) return byText;
  const done = await conversation.withThread((loaded) => forkThread(conversation, loaded, row));
  return isUnusable(done) ? byText : done;
}

async function forkThread(
  { document, host, thread: { model } }: Conversation,
  loaded: LoadedThread,
  row: number,
): Promise<Result<Fork, Failure>> {
  const turns = await listTurns(loaded);
  if (!turns.ok) return turns;
  const point = pointAt(linesOf(document.text()), row, turns.value);
  const last = point.turns === undefined ? undefined : turns.value[point.turns - 1];
  if (last === undefined) return ok(forkOf(point));
  const forked = await loaded.client.request("thread/fork", {
    threadId: loaded.threadId,
    lastTurnId: last.id,
    ...threadPlace(host.root, host.settings),
    excludeTurns: true,
    ...(model === undefined ? {} : { model }),
  });
  if (!forked.ok) return forked;
  const thread = forked.value.thread.id;
  await host.network.grants.begin(thread);
  return ok({ ...forkOf(point), thread });
}

/** Whether the thread cannot be used for this, so that the text has to serve. */
function isUnusable(done: Result<unknown, Failure>): boolean {
  return (
    !done.ok && [UNUSABLE, "thread_unknown", "refused", "invalid_answer"].includes(done.error.kind)
  );
}

function forkOf({ keep, query, sent }: Point): Fork {
  if (sent === undefined) return { keep, query };
  const { row, end, text } = sent;
  return { keep, query, sent: { row, end, ...(text === undefined ? {} : { text }) } };
}

/**
 * Drops all turns after the row's. Unconfirmed, it only answers what would go; confirmed, the thread
 * forgets them, and a copy of the file is kept. The editor then removes the rows. A thread that
 * cannot forget them gives way to a new one, which is given the text that is left.
 */
async function revert(
  conversation: Conversation,
  { row, confirmed }: ActionParams<"thread/revert">,
): Promise<Result<Revert, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  if (conversation.threadId === undefined) return err(nothing("There was no turn yet."));
  const done = await conversation.withThread((loaded) =>
    revertThread(conversation, loaded, row, confirmed),
  );
  if (!isUnusable(done)) return done;
  const { keep, turns } = textAfter(linesOf(conversation.document.text()), row);
  if (turns === 0) return err(nothing(LAST_TURN));
  const gone = { from: keep, turns };
  if (!confirmed) return ok(gone);
  const copy = await conversation.document.keepCopy();
  if (!copy.ok) return copy;
  conversation.forgetFailed();
  conversation.thread.abandon(done.ok ? "" : done.error.message);
  return ok({ ...gone, copy: copy.value });
}

const LAST_TURN = "There is no turn after this one.";

async function revertThread(
  conversation: Conversation,
  loaded: LoadedThread,
  row: number,
  confirmed: boolean,
): Promise<Result<Revert, Failure>> {
  const { document } = conversation;
  const turns = await listTurns(loaded);
  if (!turns.ok) return turns;
  const lines = linesOf(document.text());
  const here = pointAt(lines, row, turns.value);
  // Within a query its turn stays, as within the answer.
  const point = here.sent === undefined ? here : pointAt(lines, here.sent.end, turns.value);
  if (point.turns === undefined)
    return err(
      nothing("This place cannot be found in Codex's thread: the text was edited too much."),
    );
  const next = turns.value[point.turns];
  if (next === undefined) return err(nothing(LAST_TURN));
  const gone = { from: point.keep, turns: turns.value.length - point.turns };
  if (!confirmed) return ok(gone);
  const copy = await document.keepCopy();
  if (!copy.ok) return copy;
  const { client, threadId } = loaded;
  const done = await client.request("thread/revert", { threadId, beforeTurnId: next.id });
  if (!done.ok) return done;
  conversation.forgetFailed();
  return ok({ ...gone, copy: copy.value });
}

/** Has Codex summarize its memory; the document keeps its text and gets a mark. */
async function compact(conversation: Conversation): Promise<Result<void, Failure>> {
  if (conversation.threadId === undefined) return err(nothing("There was no turn yet."));
  return conversation.runRequest(async ({ client, threadId, isReplaced }) => {
    if (isReplaced === true) return err(NOT_COMPACTED);
    const started = await client.request("thread/compact/start", { threadId });
    return started.ok ? ok(undefined) : started;
  });
}

/** The failure of compacting a thread that has just replaced one that cannot be used. */
const NOT_COMPACTED: Failure = {
  kind: "nothing",
  message: "There is nothing to compact: a new thread is given the text with the next message.",
};

/** Has Codex review changes in a turn of its own. */
async function review(
  conversation: Conversation,
  { target, argument }: ActionParams<"thread/review">,
): Promise<Result<void, Failure>> {
  const words = argument.trim();
  if (target !== "uncommitted" && words === "")
    return err(nothing(`:CodexChat review ${target} needs ${NEEDED[target]}.`));
  return conversation.runRequest(async ({ client, threadId }) => {
    const started = await client.request("review/start", {
      threadId,
      target: reviewTarget(target, words),
      delivery: "inline",
    });
    return started.ok ? ok(started.value.turn.id) : started;
  });
}

type Target = ActionParams<"thread/review">["target"];
const NEEDED = { base: "a branch", commit: "a commit", custom: "instructions" } as const;

function reviewTarget(target: Target, words: string) {
  switch (target) {
    case "uncommitted":
      return { type: "uncommittedChanges" } as const;
    case "base":
      return { type: "baseBranch", branch: words } as const;
    case "commit":
      return { type: "commit", sha: words, title: null } as const;
    case "custom":
      return { type: "custom", instructions: words } as const;
    default:
      return target satisfies never;
  }
}

function nothing(message: string): Failure {
  return { kind: "nothing", message };
}
