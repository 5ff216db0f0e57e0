import { ok, type Result } from "../../result.ts";
import type { ChangeSet, CheckpointError } from "../../workspace/checkpoints/index.ts";
import type { ProjectChanges } from "./project-changes.ts";
import type { Settle, TurnHistory, TurnRecord } from "./turn-log.ts";

/** Two checkpoints, by their commits. */
type Span = { readonly from: string; readonly to: string };

/**
 * The files as they were before a turn, with all that the user has changed and accepted since: they
 * differ from the files as they are now (`now`) in what Codex has changed and nobody has accepted.
 */
export function baselineSince(
  changes: ProjectChanges,
  history: TurnHistory,
  turn: TurnRecord,
  now: string,
): Promise<Result<string, CheckpointError>> {
  const settled = history.settled.filter(({ atMs }) => atMs >= turn.beganMs);
  const spans = [...userSpans(history, turn, now), ...settled.map(dated)]
    .sort((one, other) => one.atMs - other.atMs)
    .map(({ from, to }) => ({ from, to }));
  return changed(changes, turn.before, spans);
}

/** The files before a turn, with what the user has saved while it ran. */
export function baselineOf(
  changes: ProjectChanges,
  { settled }: TurnHistory,
  { before, beganMs, endedMs }: TurnRecord,
): Promise<Result<string, CheckpointError>> {
  const own = settled.filter(
    ({ why, atMs }) => why === "own" && atMs >= beganMs && atMs <= (endedMs ?? atMs),
  );
  return changed(changes, before, own);
}

/** A checkpoint with changes from elsewhere; where they do not fit, the file stays as it is in it. */
async function changed(
  changes: ProjectChanges,
  start: string,
  spans: readonly Span[],
): Promise<Result<string, CheckpointError>> {
  const sets: ChangeSet[] = [];
  for (const { from, to } of spans) {
    if (from === to) continue;
    const set = await changes.compare(from, to);
    if (!set.ok) return set;
    if (set.value.files.length > 0) sets.push(set.value);
  }
  return sets.length === 0 ? ok(start) : changes.withChanges(start, sets);
}

type DatedSpan = Span & { readonly atMs: number };

function dated({ atMs, from, to }: Settle): DatedSpan {
  return { atMs, from, to };
}

/** What is on record of a time: the files at its beginning and its end. */
type Interval = {
  readonly beginMs: number;
  readonly endMs: number;
  readonly before: string;
  /** Undefined while the turn runs. */
  readonly after: string | undefined;
};

/**
 * The times in which the user alone has changed files: between turns, and between turns and what was
 * taken back or brought back.
 */
function userSpans(
  { turns, changes }: TurnHistory,
  since: TurnRecord,
  now: string,
): readonly DatedSpan[] {
  const known: Interval[] = [
    ...turns.map(({ beganMs, endedMs, before, after }) => ({
      ...{ beginMs: beganMs, endMs: endedMs ?? Number.POSITIVE_INFINITY, before, after },
    })),
    ...changes.map(({ atMs, before, after }) => ({ beginMs: atMs, endMs: atMs, before, after })),
  ]
    .filter(({ beginMs }) => beginMs >= since.beganMs)
    .sort((one, other) => one.beginMs - other.beginMs);
  const spans: DatedSpan[] = [];
  let last: Interval | undefined;
  for (const next of known) {
    // Turns of several conversations may overlap: the files are the user's alone after the last of them.
    if (last?.after !== undefined && next.beginMs >= last.endMs)
      spans.push({ atMs: next.beginMs, from: last.after, to: next.before });
    if (last === undefined || next.endMs >= last.endMs) last = next;
  }
  if (last?.after !== undefined)
    spans.push({ atMs: Number.POSITIVE_INFINITY, from: last.after, to: now });
  return spans;
}
