import type { ActionParams, ActionResult } from "../../nvim/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { CheckpointError, FileChange } from "../../workspace/checkpoints/index.ts";
import { bytePath, shownPath } from "../../workspace/index.ts";
import type { Failure } from "../failure.ts";
import { baselineSince } from "./baseline.ts";
import { type ChatPlace, ownOf } from "./chat-place.ts";
import { queryOf } from "./news.ts";
import type { ProjectChanges } from "./project-changes.ts";
import { turnAt } from "./turn-at.ts";
import type { TurnHistory, TurnRecord } from "./turn-log.ts";

type Changes = ActionResult<"changes/list">;
type Since = ActionParams<"changes/list">;

/** The files that differ now from how they were before a turn. */
export async function listChanges(
  changes: ProjectChanges,
  place: ChatPlace,
  since: Since,
): Promise<Result<Changes, Failure>> {
  const history = await changes.log.read();
  const own = ownOf(history.turns, place);
  const from =
    since.since === "all" ? await firstKept(changes, own) : startOf(own, place.text, since);
  if (!from.ok) return from;
  const now = await nowOf(changes, history, since.quick);
  if (!now.ok) return failed(now.error.message);
  const left = await baselineSince(changes, history, from.value.turn, now.value);
  if (!left.ok) return failed(left.error.message);
  const set = await changes.compare(left.value, now.value);
  if (!set.ok) return failed(set.error.message);
  const counts = await changes.checkpoints.countLines(left.value, now.value);
  if (!counts.ok) return failed(counts.error.message);
  const oldNames = new Map(set.value.renames.map(({ path, newPath }) => [newPath, path]));
  const gone = new Set(set.value.renames.map(({ path }) => path));
  const at = (path: string) => `${changes.root}/${shownPath(path)}`;
  return ok({
    title: from.value.title,
    left: left.value,
    files: set.value.files
      .filter(({ path }) => !gone.has(path))
      .map((file) => {
        const old = oldNames.get(file.path);
        const lines = counts.value.get(file.path);
        return {
          path: at(file.path),
          ...(old === undefined ? {} : { old: at(old) }),
          change: old === undefined ? kindOf(file) : "renamed",
          ...(lines === undefined ? {} : lines),
          ignored: set.value.ignored.has(file.path),
        };
      }),
    unknown: set.value.unknown.map(at),
  });
}

/** The content that a file had in a checkpoint, as a file; nothing where it was not there. */
export async function fileBefore(
  { checkpoints, versions, root }: ProjectChanges,
  { left, path }: ActionParams<"changes/file">,
): Promise<Result<ActionResult<"changes/file">, Failure>> {
  const inside = bytePath(path.slice(root.length + 1));
  const tree = await (await checkpoints.shadow()).tree(left, inside);
  if (!tree.ok) return failed(tree.error.message);
  const oid = tree.value.get(inside)?.oid;
  if (oid === undefined) return ok({});
  const content = (await versions.put([oid])).get(oid);
  return content === undefined ? failed("the content is not on record") : ok({ content });
}

/** The files as they are, or as they were after the last turn. */
async function nowOf(
  changes: ProjectChanges,
  { turns }: TurnHistory,
  isQuick: boolean,
): Promise<Result<string, CheckpointError>> {
  const last = isQuick ? turns.at(-1)?.after : undefined;
  if (last !== undefined) return ok(last);
  const taken = await changes.now();
  return taken.ok ? ok(taken.value.commit) : taken;
}

const NO_TURN: Failure = {
  kind: "nothing",
  message: "Codex has done nothing in this conversation yet.",
};

/** The first turn whose checkpoint is still kept. */
async function firstKept(
  changes: ProjectChanges,
  turns: readonly TurnRecord[],
): Promise<Result<Start, Failure>> {
  for (const turn of turns) {
    if (!(await changes.has(turn.before))) continue;
    const isWhole = turn === turns[0];
    return ok({ turn, title: isWhole ? "of the conversation" : `since ${queryOf(turn)}` });
  }
  return err(NO_TURN);
}

type Start = { readonly turn: TurnRecord; readonly title: string };

function startOf(
  turns: readonly TurnRecord[],
  text: string,
  { since, row }: Since,
): Result<Start, Failure> {
  const last = turns.findLast(({ before, after }) => after !== before) ?? turns.at(-1);
  if (last === undefined) return err(NO_TURN);
  if (since === "turn") {
    const turn = (row === undefined ? undefined : turnAt(text, row, turns)) ?? last;
    return ok({ turn, title: `since ${queryOf(turn)}` });
  }
  const turn = turns[Number(since) - 1];
  if (turn !== undefined) return ok({ turn, title: `since turn ${since}` });
  const count = turns.length === 1 ? "one turn" : `${turns.length} turns`;
  return err({ kind: "nothing", message: `The conversation has ${count} on record.` });
}

function kindOf({ from, to }: FileChange): "created" | "deleted" | "changed" | "mode" {
  if (from === undefined) return "created";
  if (to === undefined) return "deleted";
  return from.oid === to.oid ? "mode" : "changed";
}

function failed(message: string): Result<never, Failure> {
  return err({ kind: "changes", message: `The project's files cannot be compared: ${message}.` });
}
