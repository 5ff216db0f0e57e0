import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import { FILES, type ShadowRepository } from "./shadow-repository.ts";
import { type FileKind, isBelow, type TreeFile } from "./tree.ts";

/** How one file differs between two states of the project. */
export type FileChange = {
  /** From the project's root, as bytes. */
  readonly path: string;
  readonly from: TreeFile | undefined;
  readonly to: TreeFile | undefined;
};

/** A file that has another name in the other state, and most of its content. */
type Rename = { readonly path: string; readonly newPath: string };

/** How two states of a project differ. */
export type ChangeSet = {
  readonly files: readonly FileChange[];
  /** Both names are in `files` as well: the old one without `to`, the new one without `from`. */
  readonly renames: readonly Rename[];
  /** Permissions of files in the second state that differ from git's two kinds. */
  readonly modes: Readonly<Record<string, number>>;
  readonly emptyDirs: { readonly from: readonly string[]; readonly to: readonly string[] };
  /** Paths that were recorded in one of the two only: nothing is known about a change. */
  readonly unknown: readonly string[];
  /** Changed files that the project's ignore rules hide. */
  readonly ignored: ReadonlySet<string>;
};

/** With more files than this, git looks for no renames. */
const MAX_RENAMES = 1000;
const MAX_BYTES = 256 * 1024 ** 2;

/** Compares two checkpoints, given by their commits. */
export async function compareCheckpoints(
  shadow: ShadowRepository,
  one: string,
  other: string,
): Promise<Result<ChangeSet, GitError>> {
  const compared = await shadow.run({
    args: [
      ...["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "-M", `-l${MAX_RENAMES}`],
      ...[one, other, "--", FILES],
    ],
    maxBytes: MAX_BYTES,
  });
  if (!compared.ok) return compared;
  const manifests = await Promise.all([shadow.manifest(one), shadow.manifest(other)]);
  const [from, to] = manifests;
  if (!from.ok) return from;
  if (!to.ok) return to;
  const { files, renames } = parseRaw(compared.value.toString("latin1"));
  const missed = new Set([...from.value.missed, ...to.value.missed].map(({ path }) => path));
  const unknown = files.filter(({ path }) => isBelow(path, missed)).map(({ path }) => path);
  const isKnown = ({ path }: { path: string }) => !isBelow(path, missed);
  const known = files.filter(isKnown);
  const changed = new Set(known.map(({ path }) => path));
  const ignored = [...from.value.ignored, ...to.value.ignored];
  return ok({
    files: known,
    renames: renames.filter(({ path, newPath }) => changed.has(path) && changed.has(newPath)),
    modes: to.value.modes,
    emptyDirs: { from: from.value.emptyDirs, to: to.value.emptyDirs },
    unknown,
    ignored: new Set(ignored.filter((path) => changed.has(path))),
  });
}

/** How many lines of a file were added and removed; undefined for one that is not text. */
export type LineCounts = { readonly added: number; readonly removed: number } | undefined;

/** Counts the changed lines between two checkpoints, by the files' paths; the new one after a rename. */
export async function countLines(
  shadow: ShadowRepository,
  one: string,
  other: string,
): Promise<Result<ReadonlyMap<string, LineCounts>, GitError>> {
  const counted = await shadow.run({
    args: [
      ...["diff-tree", "-r", "-z", "--numstat", "-M", `-l${MAX_RENAMES}`],
      ...[one, other, "--", FILES],
    ],
    maxBytes: MAX_BYTES,
  });
  if (!counted.ok) return counted;
  const counts = new Map<string, LineCounts>();
  const words = counted.value.toString("latin1").split("\0");
  for (let at = 0; at < words.length - 1; at += 1) {
    const [added = "", removed, path] = words[at]?.split(/\t(.*)\t([\s\S]*)/, 3) ?? [];
    // After a rename the two names follow.
    if (path === "") at += 2;
    const name = path === "" ? words[at] : path;
    const isText = added !== "-";
    counts.set(
      (name ?? "").replace(/^files\//, ""),
      isText ? { added: Number(added), removed: Number(removed) } : undefined,
    );
  }
  return ok(counts);
}

/** The same, the other way round. `modes` are those of the first state. */
export function reversed(set: ChangeSet, modes: ChangeSet["modes"]): ChangeSet {
  return {
    ...set,
    files: set.files.map(({ path, from, to }) => ({ path, from: to, to: from })),
    renames: set.renames.map(({ path, newPath }) => ({ path: newPath, newPath: path })),
    modes,
    emptyDirs: { from: set.emptyDirs.to, to: set.emptyDirs.from },
  };
}

const RAW = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([A-Z])\d*$/;

function parseRaw(text: string): { files: FileChange[]; renames: Rename[] } {
  const files: FileChange[] = [];
  const renames: Rename[] = [];
  const words = text.split("\0");
  let at = 0;
  const next = () => (words[at++] ?? "").replace(/^files\//, "");
  while (at < words.length - 1) {
    const [, oldKind = "", newKind = "", oldOid = "", newOid = "", status] =
      RAW.exec(words[at++] ?? "") ?? [];
    const from = fileOf(oldKind, oldOid);
    const to = fileOf(newKind, newOid);
    const path = next();
    if (status !== "R") {
      files.push({ path, from, to });
      continue;
    }
    const newPath = next();
    files.push({ path, from, to: undefined }, { path: newPath, from: undefined, to });
    renames.push({ path, newPath });
  }
  return { files, renames };
}

/** Git writes zeros for a file that is not there. */
function fileOf(kind: string, oid: string): TreeFile | undefined {
  return /^0+$/.test(oid) ? undefined : { kind: kind as FileKind, oid };
}
