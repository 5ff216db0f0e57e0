import { createHash } from "node:crypto";
import { joined } from "../byte-path.ts";
import type { Parts } from "./manifest-fields.ts";
import { OpenDirectory, UnreadableError } from "./open-directory.ts";

/** How many other files of the hooks directory are compared: hooks may run them. */
const MAX_OTHERS = 100;

/** The names by which git runs hooks (githooks(5), 2.51). */
const HOOKS = new Set(
  `applypatch-msg commit-msg fsmonitor-watchman p4-changelist p4-post-changelist p4-pre-submit
  p4-prepare-changelist post-applypatch post-checkout post-commit post-index-change post-merge
  post-receive post-rewrite post-update pre-applypatch pre-auto-gc pre-commit pre-merge-commit
  pre-push pre-rebase pre-receive prepare-commit-msg proc-receive push-to-checkout
  reference-transaction sendemail-validate update`.split(/\s+/),
);

/** The files of a repository that git trusts, without those that change with every commit. */
export type RepositoryLook = {
  readonly hash: string;
  readonly parts: Parts;
  readonly partTimes: ReadonlyMap<string, number>;
  /** The latest change of a file that makes up `hash`, or of the directories that hold them. */
  readonly changedAtMs: number;
};

/**
 * Fingerprints the files that git trusts in a git directory. A directory's times do not change when a
 * file in it is rewritten in place, so each file counts with its own.
 */
export async function lookAtRepository(
  directory: OpenDirectory,
  maxBytes: number,
): Promise<RepositoryLook> {
  const parts = new Map<string, string>();
  const partTimes = new Map<string, number>();
  const add = async (from: OpenDirectory, below: string, name: string, withMode: boolean) => {
    const stats = await from.stat(name);
    if (stats === undefined) return;
    const mode = withMode ? `${stats.mode & 0o111n} ` : "";
    const part = `file \0${joined(below, name)}`;
    parts.set(part, `${mode}${await digestOf(from, name, maxBytes, String(stats.ctimeNs))}`);
    // The whole directory may have been renamed into its place.
    const above = below === "" ? 0 : Number(from.stats.ctimeMs);
    partTimes.set(part, Math.max(Number(stats.ctimeMs), above));
  };
  let changedAtMs = Number(directory.stats.ctimeMs);
  for (const name of ["config", "config.worktree", "commondir"])
    await add(directory, "", name, false);
  for (const [below, names] of [
    ["info", ["attributes"]],
    ["objects/info", ["alternates"]],
    ["hooks", undefined],
  ] as const) {
    await using found = await OpenDirectory.open(joined(directory.path, below));
    if (found === undefined) continue;
    changedAtMs = Math.max(changedAtMs, Number(found.stats.ctimeMs));
    for (const name of await filesIn(found, names)) await add(found, below, name, true);
  }
  const hash = createHash("sha256");
  for (const [name, text] of [...parts].sort()) hash.update(`${name}\0${text}\0`);
  return {
    hash: hash.digest("hex"),
    parts,
    partTimes,
    changedAtMs: Math.max(changedAtMs, ...partTimes.values()),
  };
}

/** A hash of a file; for an unreadable one its version, which changes with every write. */
async function digestOf(
  directory: OpenDirectory,
  name: string,
  maxBytes: number,
  version: string,
): Promise<string> {
  try {
    const content = await directory.read(name, maxBytes);
    return content === undefined ? "no file" : createHash("sha256").update(content).digest("hex");
  } catch (cause) {
    if (!(cause instanceof UnreadableError)) throw cause;
    return `${cause.code} ${version}`;
  }
}

/** The files with these names; without names, git's hooks and other files, but no samples. */
async function filesIn(
  directory: OpenDirectory,
  names: readonly string[] | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  let others = 0;
  for await (const entries of directory.entries())
    for (const { name } of entries) {
      if (names === undefined ? name.endsWith(".sample") : !names.includes(name)) continue;
      if (names === undefined && !HOOKS.has(name) && ++others > MAX_OTHERS) continue;
      found.push(name);
    }
  return found;
}
