import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import { isBelow } from "../byte-path.ts";
import { FILES, type ShadowRepository } from "./shadow-repository.ts";
import { type FileKind, type Manifest, modeIn, type TreeFile } from "./tree.ts";

/** How one file differs between two states of the project. */
export type FileChange = {
  /** From the project's root, as bytes. */
  readonly path: string;
  readonly from: TreeFile | undefined;
  readonly to: TreeFile | undefined;
  /** Its permissions, as 0o644, in the state in which it is a file. */
  readonly fromMode?: number | undefined;
  readonly toMode?: number | undefined;
};

/** A file that has another name in the other state, and most of its content. */
type Rename = { readonly path: string; readonly newPath: string };

/** How two states of a project differ. */
export type ChangeSet = {
  readonly files: readonly FileChange[];
  /** Both names are in `files` as well: the old one without `to`, the new one without `from`. */
  readonly renames: readonly Rename[];
  readonly emptyDirs: { readonly from: readonly string[]; readonly to: readonly string[] };
  /** Directories whose permissions are not the usual ones, with these. */
  readonly dirModes: { readonly from: DirModes; readonly to: DirModes };
  /** Paths that were recorded in one of the two only, or changed and in neither. */
  readonly unknown: readonly string[];
  /** Changed files that the project's ignore rules hide. */
  readonly ignored: ReadonlySet<string>;
};

/** Permissions of directories by their paths. */
type DirModes = ReadonlyMap<string, number>;

/** With more files than this, git looks for no renames; as `diff.renameLimit` is by default. */
const MAX_RENAMES = 1000;
/** A thousand large files that were replaced take minutes to be compared with each other. */
const RENAMES_MS = 10_000;
const MAX_BYTES = 256 * 1024 ** 2;

/** Compares two checkpoints, given by their commits. */
export async function compareCheckpoints(
  shadow: ShadowRepository,
  one: string,
  other: string,
): Promise<Result<ChangeSet, GitError>> {
  const [compared, from, to] = await Promise.all([
    diffTree(shadow, one, other),
    shadow.manifest(one),
    shadow.manifest(other),
  ]);
  if (!compared.ok) return compared;
  if (!from.ok) return from;
  if (!to.ok) return to;
  const { files, renames } = parseRaw(compared.value.toString("latin1"));
  const modes = await changedModes(shadow, one, new Set(files.map(pathOf)), from.value, to.value);
  if (!modes.ok) return modes;
  const missed = new Set([...from.value.missed, ...to.value.missed].map(pathOf));
  const unknown = files.map(pathOf).filter((path) => isBelow(path, missed));
  const known = [...files, ...modes.value].filter(({ path }) => !isBelow(path, missed));
  const changed = new Set(known.map(pathOf));
  const ignored = [...from.value.ignored, ...to.value.ignored];
  return ok({
    files: known.map((change) => withModes(change, from.value, to.value)),
    renames: renames.filter(({ path, newPath }) => changed.has(path) && changed.has(newPath)),
    emptyDirs: { from: from.value.emptyDirs, to: to.value.emptyDirs },
    dirModes: { from: from.value.dirModes, to: to.value.dirModes },
    unknown: [...new Set([...unknown, ...changedMissed(from.value, to.value)])],
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

/** The same, the other way round. */
export function reversed(set: ChangeSet): ChangeSet {
  return {
    ...set,
    files: set.files.map(({ path, from, to, fromMode, toMode }) => ({
      ...{ path, from: to, to: from, fromMode: toMode, toMode: fromMode },
    })),
    renames: set.renames.map(({ path, newPath }) => ({ path: newPath, newPath: path })),
    emptyDirs: { from: set.emptyDirs.to, to: set.emptyDirs.from },
    dirModes: { from: set.dirModes.to, to: set.dirModes.from },
  };
}

async function diffTree(
  shadow: ShadowRepository,
  one: string,
  other: string,
): Promise<Result<Buffer, GitError>> {
  const diff = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev"];
  const trees = [one, other, "--", FILES];
  const renames = ["-M", `-l${MAX_RENAMES}`];
  const found = await shadow.run({
    args: [...diff, ...renames, ...trees],
    maxBytes: MAX_BYTES,
    timeoutMs: RENAMES_MS,
  });
  if (found.ok) return found;
  return shadow.run({ args: [...diff, "--no-renames", ...trees], maxBytes: MAX_BYTES });
}

/** Files of which only the permissions differ, in a way that git does not record. */
async function changedModes(
  shadow: ShadowRepository,
  one: string,
  changed: ReadonlySet<string>,
  from: Manifest,
  to: Manifest,
): Promise<Result<readonly FileChange[], GitError>> {
  const isUsualSame = JSON.stringify(from.usual) === JSON.stringify(to.usual);
  const isOdd = (path: string) => from.modes.get(path) !== to.modes.get(path) && !changed.has(path);
  if (isUsualSame && ![...from.modes.keys(), ...to.modes.keys()].some(isOdd)) return ok([]);
  const tree = await shadow.tree(one);
  if (!tree.ok) return tree;
  const all = [...tree.value].filter(([path, { kind }]) => {
    return !changed.has(path) && modeIn(from, path, kind) !== modeIn(to, path, kind);
  });
  return ok(all.map(([path, file]) => ({ path, from: file, to: file })));
}

function withModes(change: FileChange, from: Manifest, to: Manifest): FileChange {
  const { path } = change;
  return {
    ...change,
    fromMode: change.from && modeIn(from, path, change.from.kind),
    toMode: change.to && modeIn(to, path, change.to.kind),
  };
}

/** Paths that neither state has recorded, and that differ for all that is known. */
function changedMissed(from: Manifest, to: Manifest): readonly string[] {
  const known = ({ missed }: Manifest) =>
    new Map(missed.map(({ path, why, state }) => [path, `${why} ${state}`]));
  const [before, after] = [known(from), known(to)];
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
}

function pathOf({ path }: { readonly path: string }): string {
  return path;
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
    if (status === "C") {
      files.push({ path: next(), from: undefined, to });
      continue;
    }
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
