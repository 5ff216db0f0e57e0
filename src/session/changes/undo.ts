import type { ActionParams, ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { ChangeSet } from "../../workspace/checkpoints/index.ts";
import { bytePath, shownPath } from "../../workspace/index.ts";
import type { Conflict, Restored, Step } from "../../workspace/restore/index.ts";
import type { Failure } from "../failure.ts";
import { baselineOf } from "./baseline.ts";
import { type ChatPlace, ownOf } from "./chat-place.ts";
import { queryOf } from "./news.ts";
import type { ProjectChanges } from "./project-changes.ts";
import { applied } from "./review.ts";
import { turnAt, turnFrom } from "./turn-at.ts";
import type { Change, TurnRecord } from "./turn-log.ts";

/** Which turns are taken back. */
export type UndoRequest = {
  /** The row of the cursor, 0-based; without it, the last turn that changed anything. */
  readonly row?: number | undefined;
  /** That turn alone, or all since it as well. */
  readonly scope: "turn" | "since";
};

type Answer = ActionResult<"changes/undo">;

const NOTHING_TO_UNDO: Failure = {
  kind: "nothing",
  message: "Codex has made no change in this conversation that could be taken back.",
};
const NOT_ON_RECORD: Failure = {
  kind: "nothing",
  message: "There is no record of the turn at the cursor.",
  fix: "Put the cursor into the prompt to take back the last turn that changed files.",
};
const NOTHING_TO_REDO: Failure = {
  kind: "nothing",
  message: "There is nothing to bring back: nothing was taken back in this conversation.",
};

/** Takes the changes of turns back. */
export async function undo(
  changes: ProjectChanges,
  place: ChatPlace,
  request: UndoRequest,
): Promise<Result<Answer, Failure>> {
  const history = await changes.log.read();
  const wanted = chosen(ownOf(history.turns, place), place.text, request);
  if (!wanted.ok) return wanted;
  const sets: ChangeSet[] = [];
  // The last one first.
  for (const turn of [...wanted.value].reverse()) {
    const before = await baselineOf(changes, history, turn);
    if (!before.ok) return failed(before.error.message);
    const set = await changes.reverse(before.value, turn.after ?? before.value);
    if (!set.ok) return failed(set.error.message);
    sets.push(set.value);
  }
  const change = {
    kind: "undo",
    thread: wanted.value.at(-1)?.thread ?? "",
    chat: place.path,
    turns: wanted.value.map(({ id }) => id),
  } as const;
  const done = await make(changes, change, `taking back ${namesOf(wanted.value)}`, sets);
  if (!done.ok) return done;
  return ok(
    await answerOf(changes, done.value, wanted.value, atTheSameTime(wanted.value, history.turns)),
  );
}

/** How many files the turns from a row on have changed, that could be taken back. */
export async function changedSince(
  changes: ProjectChanges,
  place: ChatPlace,
  row: number,
): Promise<number> {
  const own = ownOf((await changes.log.read()).turns, place);
  const first = turnFrom(place.text, row, own);
  const paths = new Set<string>();
  for (const turn of first === undefined ? [] : own.slice(own.indexOf(first)).filter(isLeft)) {
    const { before, after } = turn;
    const set = await changes.compare(before, after ?? before);
    if (set.ok) for (const { path } of set.value.files) paths.add(path);
  }
  return paths.size;
}

/** Brings back what was last taken back. */
export async function redo(
  changes: ProjectChanges,
  place: ChatPlace,
): Promise<Result<Answer, Failure>> {
  const { turns: all, changes: made } = await changes.log.read();
  const own = ownOf(made, place);
  const isRedone = (id: string) => own.some(({ of }) => of === id);
  const undone = own.findLast(({ kind, id }) => kind === "undo" && !isRedone(id));
  if (undone === undefined) return err(NOTHING_TO_REDO);
  const set = await changes.reverse(undone.before, undone.after);
  if (!set.ok) return failed(set.error.message);
  const turns = all.filter(({ id }) => undone.turns.includes(id));
  const { thread, chat, id: of } = undone;
  const change = { kind: "redo", thread, chat, of, turns: turns.map(({ id }) => id) } as const;
  const done = await make(changes, change, `bringing back ${namesOf(turns)}`, [set.value]);
  return done.ok ? ok(await answerOf(changes, done.value, turns, [])) : done;
}

/** Puts files back as they were in a checkpoint; `redo` brings them back. */
export async function reject(
  changes: ProjectChanges,
  { path: chat, threadId: thread = "" }: ChatPlace,
  { left, paths }: ActionParams<"changes/reject">,
): Promise<Result<Answer, Failure>> {
  const now = await changes.now();
  if (!now.ok) return failed(now.error.message);
  const set = await changes.reverse(left, now.value.commit);
  if (!set.ok) return failed(set.error.message);
  const wanted = new Set(paths.map((path) => bytePath(path.slice(changes.root.length + 1))));
  const renames = set.value.renames.filter(({ path }) => wanted.has(path));
  for (const { newPath } of renames) wanted.add(newPath);
  const files = set.value.files.filter(({ path }) => wanted.has(path));
  const only = { ...set.value, files, renames, emptyDirs: { from: [], to: [] } };
  const change = { kind: "undo", thread, chat, turns: [] } as const;
  const done = await make(changes, change, "rejecting changes", [only]);
  return done.ok ? ok(await answerOf(changes, done.value, [], [])) : done;
}

/** Completes what a host that died had begun; gives a sentence for each. */
export async function recover(changes: ProjectChanges): Promise<readonly string[]> {
  const told: string[] = [];
  const done = await changes.restorer.recover(
    async ({ id, title, note, before, after, ...rest }) => {
      const change = note as Pick<Change, "thread" | "chat" | "turns"> & {
        readonly kind: Change["kind"] | "patch";
      };
      const { kind } = change;
      const paths = rest.done.map(({ path }) => shownPath(path));
      const at = { id, atMs: Date.now(), before: before.commit, after: after.commit, paths };
      if (kind === "patch") await applied(changes, { id, before, after });
      else await changes.log.change({ ...change, kind, ...at });
      const left =
        rest.conflicts.length === 0
          ? ""
          : ` These have changed since and were left as they are: ${rest.conflicts.map(({ path }) => shownPath(path)).join(", ")}.`;
      told.push(`Neovim ended in the middle of ${title}. It is complete now.${left}`);
    },
  );
  return done.ok ? told : [...told, `A change to your files is half done: ${done.error.message}.`];
}

/** Whether a turn has changed files and was not taken back. */
function isLeft({ before, after, undoneBy }: TurnRecord): boolean {
  return undoneBy === undefined && after !== undefined && after !== before;
}

function chosen(
  own: readonly TurnRecord[],
  text: string,
  { row, scope }: UndoRequest,
): Result<readonly TurnRecord[], Failure> {
  const at = row === undefined ? own.findLast(isLeft) : turnAt(text, row, own);
  if (at === undefined) return err(row === undefined ? NOTHING_TO_UNDO : NOT_ON_RECORD);
  const turns = scope === "turn" ? [at] : own.slice(own.indexOf(at));
  const left = turns.filter(isLeft);
  if (left.length > 0) return ok(left);
  const message =
    at.undoneBy === undefined
      ? `Codex changed no files in answer to ${queryOf(at)}.`
      : `The changes in answer to ${queryOf(at)} were taken back already.`;
  return err({ kind: "nothing", message });
}

/** Turns by their queries; a rejection has none. */
function namesOf(turns: readonly TurnRecord[]): string {
  return turns.length === 0 ? "rejected changes" : turns.map(queryOf).join(", ");
}

type ChangeMade = Omit<Change, "type" | "id" | "atMs" | "before" | "after" | "paths" | "turns"> & {
  readonly turns: readonly string[];
};

async function make(
  changes: ProjectChanges,
  change: ChangeMade,
  title: string,
  sets: readonly ChangeSet[],
): Promise<Result<Restored, Failure>> {
  const made = await changes.restorer.change({
    ...{ title, sets, note: change, signal: new AbortController().signal },
    record: ({ id, before, after, done }) =>
      changes.log.change({
        ...{
          ...change,
          turns: [...change.turns],
          id,
          atMs: Date.now(),
          before: before.commit,
          after: after.commit,
        },
        paths: done.map(({ path }) => shownPath(path)),
      }),
  });
  return made.ok ? made : failed(made.error.message);
}

/** Other conversations whose turns ran while these did: their changes of that time went along. */
function atTheSameTime(
  turns: readonly TurnRecord[],
  all: readonly TurnRecord[],
): readonly string[] {
  const chats = all.filter((other) =>
    turns.some(
      (turn) =>
        other.chat !== turn.chat &&
        other.beganMs < (turn.endedMs ?? Number.POSITIVE_INFINITY) &&
        (other.endedMs ?? Number.POSITIVE_INFINITY) > turn.beganMs,
    ),
  );
  return [...new Set(chats.map(({ chat }) => chat))];
}

async function answerOf(
  { root, versions }: ProjectChanges,
  { done, conflicts }: Restored,
  turns: readonly TurnRecord[],
  others: readonly string[],
): Promise<Answer> {
  const wanted = conflicts.flatMap((each) => each.wanted?.oid ?? []);
  const paths = await versions.put(wanted);
  return {
    queries: turns.map(queryOf),
    files: done.map((step) => ({ path: `${root}/${shownPath(step.path)}`, change: kindOf(step) })),
    conflicts: conflicts.map((each) => ({
      path: `${root}/${shownPath(each.path)}`,
      why: whyOf(each),
      wanted: paths.get(each.wanted?.oid ?? ""),
    })),
    others: [...others],
  };
}

function kindOf({ from, to }: Step): "created" | "deleted" | "changed" {
  if (from === undefined) return "created";
  return to === undefined ? "deleted" : "changed";
}

/** Completes "was left as it is: ". */
function whyOf({ why, code, wanted }: Conflict): string {
  switch (why) {
    case "changed":
      return wanted === undefined ? "it was changed since" : "the same lines were changed since";
    case "not_text":
      return "it was changed since, and is not text";
    case "in_the_way":
      return "something else has its name now";
    case "just_now":
      return "it was changed at that moment";
    case "failed":
      return `it could not be written (${code ?? "unknown"})`;
    default:
      return why satisfies never;
  }
}

function failed(message: string): Result<never, Failure> {
  return err({ kind: "changes", message: `The project's files cannot be restored: ${message}.` });
}
