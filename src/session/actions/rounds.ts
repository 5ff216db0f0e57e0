import { z } from "zod";
import { linesOf } from "../../chat/index.ts";
import type { ResultOf } from "../../codex/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Conversation } from "../conversation.ts";
import { BUSY, type Failure } from "../failure.ts";
import type { LoadedThread } from "../thread-handle.ts";
import { type Point, pointAt, type ThreadTurn } from "../timeline.ts";
import { type Action, action } from "./action.ts";

/** How many turns are read at a time; a turn with megabytes of output is one line of JSON. */
const PAGE = 50;

/** A row of the chat buffer, 0-based. */
const AtRow = z.object({ row: z.int().nonnegative() });

/** What the editor asks of a conversation's turns as a whole. */
export const roundActions: readonly Action[] = [
  action("thread/fork", AtRow, fork),
  action("thread/revert", AtRow.extend({ confirmed: z.boolean().default(false) }), revert),
  action("thread/compact", z.object({}), compact),
  action(
    "thread/review",
    z.object({
      target: z.enum(["uncommitted", "base", "commit", "custom"]),
      argument: z.string().default(""),
    }),
    review,
  ),
];

/** Where a new conversation goes on from; see lua/codex-chat/fork.lua. */
type Fork = {
  readonly keep: number;
  readonly query: string;
  readonly thread?: string;
  readonly sent?: { readonly row: number; readonly end: number; readonly text?: string };
};

/**
 * Copies the thread up to the row. Where the thread does not know the place, no thread comes back:
 * the new conversation is then told its transcript.
 */
async function fork(
  conversation: Conversation,
  { row }: z.infer<typeof AtRow>,
): Promise<Result<Fork, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  const { document, host } = conversation;
  if (conversation.threadId === undefined)
    return ok(forkOf(pointAt(linesOf(document.text()), row, [])));
  return conversation.withThread(async (loaded) => {
    const turns = await listTurns(loaded);
    if (!turns.ok) return turns;
    const point = pointAt(linesOf(document.text()), row, turns.value);
    const last = point.turns === undefined ? undefined : turns.value[point.turns - 1];
    if (last === undefined) return ok(forkOf(point));
    const { model } = conversation.thread;
    const forked = await loaded.client.request("thread/fork", {
      threadId: loaded.threadId,
      lastTurnId: last.id,
      cwd: host.root,
      sandbox: "danger-full-access",
      approvalPolicy: host.settings.approvals,
      excludeTurns: true,
      ...(model === undefined ? {} : { model }),
    });
    if (!forked.ok) return forked;
    const thread = forked.value.thread.id;
    await host.network.grants.begin(thread);
    return ok({ ...forkOf(point), thread });
  });
}

function forkOf({ keep, query, sent }: Point): Fork {
  if (sent === undefined) return { keep, query };
  const { row, end, text } = sent;
  return { keep, query, sent: { row, end, ...(text === undefined ? {} : { text }) } };
}

/** What a revert drops: rows of the document, and how many turns of the thread. */
type Revert = { readonly from: number; readonly turns: number; readonly copy?: string };

/**
 * Drops all turns after the row's. Unconfirmed, it only tells what would go; confirmed, the thread
 * forgets them, and a copy of the file is kept. The editor then removes the rows.
 */
async function revert(
  conversation: Conversation,
  { row, confirmed }: { readonly row: number; readonly confirmed: boolean },
): Promise<Result<Revert, Failure>> {
  if (conversation.isBusy) return err(BUSY);
  const { document } = conversation;
  if (conversation.threadId === undefined) return err(nothing("No turn was had yet."));
  return conversation.withThread(async (loaded) => {
    const turns = await listTurns(loaded);
    if (!turns.ok) return turns;
    const lines = linesOf(document.text());
    const here = pointAt(lines, row, turns.value);
    // Within a query it is its turn that stays, as within the answer.
    const point = here.sent === undefined ? here : pointAt(lines, here.sent.end, turns.value);
    if (point.turns === undefined)
      return err(nothing("Codex does not know this place: the text was edited too much."));
    const next = turns.value[point.turns];
    if (next === undefined) return err(nothing("There is no turn after this one."));
    const gone = { from: point.keep, turns: turns.value.length - point.turns };
    if (!confirmed) return ok(gone);
    const copy = await document.keepCopy();
    if (!copy.ok) return copy;
    const { client, threadId } = loaded;
    const done = await client.request("thread/revert", { threadId, beforeTurnId: next.id });
    if (!done.ok) return done;
    conversation.forgetFailed();
    return ok({ ...gone, copy: copy.value });
  });
}

/** Has Codex sum up its memory; the document keeps its text and gets a mark. */
async function compact(conversation: Conversation): Promise<Result<void, Failure>> {
  if (conversation.threadId === undefined) return err(nothing("No turn was had yet."));
  return conversation.runRequest(async ({ client, threadId }) => {
    const started = await client.request("thread/compact/start", { threadId });
    return started.ok ? ok(undefined) : started;
  });
}

/** Has Codex review changes in a turn of its own. */
async function review(
  conversation: Conversation,
  { target, argument }: { readonly target: Target; readonly argument: string },
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

type Target = "uncommitted" | "base" | "commit" | "custom";
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

async function listTurns({
  client,
  threadId,
}: LoadedThread): Promise<Result<ThreadTurn[], Failure>> {
  const turns: ThreadTurn[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.request("thread/turns/list", {
      threadId,
      limit: PAGE,
      sortDirection: "asc",
      itemsView: "full",
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (!page.ok) return page;
    turns.push(...page.value.data.map(turnOf));
    cursor = page.value.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return ok(turns);
}

type ListedTurn = ResultOf<"thread/turns/list">["data"][number];

function turnOf({ id, items }: ListedTurn): ThreadTurn {
  const messages = items.flatMap((item) =>
    // What Codex itself puts into the user's mouth has no id of ours.
    item.type === "userMessage" && item.clientId?.startsWith("user:")
      ? [item.content.flatMap(textOf)]
      : [],
  );
  return { id, messages };
}

const TextInput = z.object({ type: z.literal("text"), text: z.string() });

function textOf(input: unknown): string[] {
  const parsed = TextInput.safeParse(input);
  return parsed.success ? [parsed.data.text] : [];
}

function nothing(message: string): Failure {
  return { kind: "nothing", message };
}
