import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import { REFS, type ShadowRepository } from "./shadow-repository.ts";

/**
 * Removing old checkpoints, while any host may be writing a new one.
 *
 * A checkpoint is written on top of the host's last one: it names what that one has, and stores the
 * rest. So nothing may vanish that a last checkpoint names, for as long as a host may be building on
 * it. A checkpoint is therefore removed in two steps. First its ref is moved to `refs/pruned/`: it is
 * no longer built on, because a host looks whether the ref of its last checkpoint is there before it
 * begins, but all of it is still named. The ref goes two hours later, and what nothing names any more
 * goes with it. Taking a checkpoint lasts twelve minutes at most (`BOUNDS.ms` and the bound of
 * fast-import), a tenth of that.
 *
 * What a host writes has no name until it is complete; git keeps objects that are younger than two
 * hours. A content that was stored long ago and comes back while it is being collected is missed by
 * both rules: `FastImport.commit` looks for what it named after it has named it.
 */
const GRACE_MS = 2 * 3_600_000;

const PRUNED = "refs/pruned/";
const MAX_AGE_MS = 30 * 24 * 3_600_000;
const MAX_BYTES = 1024 ** 3;
/** Git's own `gc.auto` is 6700, and each of them is a file. */
const MAX_LOOSE = 2000;
const MAX_PACKS = 50;
const TIMEOUT_MS = 600_000;

/** What stays. */
export type PruneOptions = {
  /** Commits of checkpoints that are needed, whatever their age and size. */
  readonly keep: ReadonlySet<string>;
  readonly signal?: AbortSignal;
  readonly nowMs?: number;
  readonly maxAgeMs?: number;
  readonly maxBytes?: number;
  readonly maxLoose?: number;
};

/** A checkpoint's name. */
type Ref = {
  /** Its end, after `refs/checkpoints/`. */
  readonly name: string;
  readonly commit: string;
  readonly atMs: number;
  /** When it was moved; undefined for one that is in use. */
  readonly prunedMs: number | undefined;
};

/**
 * Keeps the checkpoints of the last thirty days as far as they fit into one GiB, the newest one, and
 * those that are named; collects what no other one has. Rejects with the signal's reason.
 */
export async function pruneCheckpoints(
  shadow: ShadowRepository,
  options: PruneOptions,
): Promise<Result<void, GitError>> {
  const { keep, nowMs = Date.now(), maxAgeMs = MAX_AGE_MS, signal } = options;
  const refs = await listRefs(shadow, signal);
  if (!refs.ok) return refs;
  const used = refs.value.filter(({ prunedMs }) => prunedMs === undefined);
  const pruned = refs.value.filter(({ prunedMs }) => prunedMs !== undefined);
  const newest = used.at(-1);
  const isKept = (ref: Ref) => ref === newest || keep.has(ref.commit);
  const young = used.filter((ref) => isKept(ref) || ref.atMs > nowMs - maxAgeMs);
  const fitting = await thatFit(shadow, young, isKept, options);
  if (!fitting.ok) return fitting;
  const stay = new Set(fitting.value);
  const gone = pruned.filter(
    ({ commit, prunedMs = 0 }) => !keep.has(commit) && prunedMs <= nowMs - GRACE_MS,
  );
  const lines = [
    ...used
      .filter((ref) => !stay.has(ref))
      .flatMap((ref) => moved(ref, { ...ref, prunedMs: nowMs })),
    ...pruned
      .filter(({ commit }) => keep.has(commit))
      .flatMap((ref) => moved(ref, { ...ref, prunedMs: undefined })),
    ...gone.map(deleted),
  ];
  const done = await update(shadow, lines, signal);
  if (!done.ok) return done;
  const isFull = await hasMany(shadow, options);
  if (!isFull.ok) return isFull;
  return gone.length > 0 || isFull.value ? collect(shadow, nowMs, signal) : ok();
}

/** In the order of their times. */
async function listRefs(
  shadow: ShadowRepository,
  signal: AbortSignal | undefined,
): Promise<Result<readonly Ref[], GitError>> {
  const listed = await shadow.run({
    args: ["for-each-ref", "--format=%(refname) %(objectname)", REFS, PRUNED],
    ...withSignal(signal),
  });
  if (!listed.ok) return listed;
  const refs = listed.value
    .toString("utf8")
    .split("\n")
    .flatMap((line): readonly Ref[] => {
      const [ref = "", commit = ""] = line.split(" ");
      const [, prunedMs, name] = /^refs\/(?:checkpoints|pruned\/(\d+))\/([^/]+)$/.exec(ref) ?? [];
      if (name === undefined) return [];
      // The name begins with the time; see `Checkpoints`.
      const atMs = Number.parseInt(name, 10) || 0;
      return [
        { name, commit, atMs, prunedMs: prunedMs === undefined ? undefined : Number(prunedMs) },
      ];
    });
  return ok(refs.sort((one, other) => one.atMs - other.atMs));
}

/** The newest ones that fit, and those that are kept. */
async function thatFit(
  shadow: ShadowRepository,
  refs: readonly Ref[],
  isKept: (ref: Ref) => boolean,
  { maxBytes = MAX_BYTES, signal }: PruneOptions,
): Promise<Result<readonly Ref[], GitError>> {
  const onDisk = await countObjects(shadow, signal);
  if (!onDisk.ok) return onDisk;
  if (onDisk.value.bytes <= maxBytes) return ok(refs);
  const staying = (dropped: number) => refs.filter((ref, index) => index >= dropped || isKept(ref));
  // The least number of old ones whose absence is enough.
  let [low, high] = [0, refs.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const used = await bytesOf(shadow, staying(middle), signal);
    if (!used.ok) return used;
    if (used.value <= maxBytes) high = middle;
    else low = middle + 1;
  }
  return ok(staying(low));
}

async function bytesOf(
  shadow: ShadowRepository,
  refs: readonly Ref[],
  signal: AbortSignal | undefined,
): Promise<Result<number, GitError>> {
  const counted = await shadow.run({
    args: ["rev-list", "--objects", "--disk-usage", "--stdin"],
    input: refs.map(({ commit }) => `${commit}\n`).join(""),
    timeoutMs: TIMEOUT_MS,
    ...withSignal(signal),
  });
  return counted.ok ? ok(Number(counted.value.toString("utf8"))) : counted;
}

async function hasMany(
  shadow: ShadowRepository,
  { maxLoose = MAX_LOOSE, signal }: PruneOptions,
): Promise<Result<boolean, GitError>> {
  const counted = await countObjects(shadow, signal);
  return counted.ok
    ? ok(counted.value.loose > maxLoose || counted.value.packs > MAX_PACKS)
    : counted;
}

async function countObjects(
  shadow: ShadowRepository,
  signal: AbortSignal | undefined,
): Promise<Result<{ bytes: number; loose: number; packs: number }, GitError>> {
  const counted = await shadow.run({ args: ["count-objects", "-v"], ...withSignal(signal) });
  if (!counted.ok) return counted;
  const field = (name: string) =>
    Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(counted.value.toString())?.[1] ?? 0);
  const bytes = (field("size") + field("size-pack")) * 1024;
  return ok({ bytes, loose: field("count"), packs: field("packs") });
}

function refOf({ name, prunedMs }: Ref): string {
  return prunedMs === undefined ? `${REFS}${name}` : `${PRUNED}${prunedMs}/${name}`;
}

function moved(from: Ref, to: Ref): readonly string[] {
  return [`update ${refOf(to)} ${to.commit}`, deleted(from)];
}

function deleted(ref: Ref): string {
  return `delete ${refOf(ref)} ${ref.commit}`;
}

/** All of it or nothing: another host may do the same at the same time. */
async function update(
  shadow: ShadowRepository,
  lines: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Result<void, GitError>> {
  if (lines.length === 0) return ok();
  const done = await shadow.run({
    args: ["update-ref", "--stdin"],
    input: lines.map((line) => `${line}\n`).join(""),
    ...withSignal(signal),
  });
  return done.ok ? ok() : done;
}

/** Packs the objects and drops those that nothing names and that are older than two hours. */
async function collect(
  shadow: ShadowRepository,
  nowMs: number,
  signal: AbortSignal | undefined,
): Promise<Result<void, GitError>> {
  const { dir } = shadow;
  await removeOld(join(dir, "objects/pack"), /^tmp_|\.keep$/, nowMs);
  await removeOld(dir, /^merge-/, nowMs);
  await shadow.removeReports();
  const done = await shadow.run({
    args: ["gc", "--quiet", "--prune=2.hours.ago"],
    timeoutMs: TIMEOUT_MS,
    ...withSignal(signal),
  });
  return done.ok ? ok() : done;
}

/** Removes what a process that died has left; one that is alive may still need what is younger. */
async function removeOld(dir: string, pattern: RegExp, nowMs: number): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (!pattern.test(name)) continue;
    const path = join(dir, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined && stats.mtimeMs < nowMs - GRACE_MS)
      await rm(path, { recursive: true, force: true });
  }
}

function withSignal(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { signal };
}
