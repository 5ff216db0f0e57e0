import { lstat, readFile, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { BindMount } from "./project.ts";

/** Git's own limit for a pointer file is a path; more than this is not one. */
const POINTER_MAX_BYTES = 8 * 1024;

/** What a `.git` file adds to a project's mounts, and what to tell the user. */
export type GitPointer = {
  readonly mounts: readonly BindMount[];
  readonly notes: readonly string[];
};

/** Where a project's git directories are; resolved paths of the host. */
export type GitPlace = {
  /** Where HEAD and the index are, as `.git` leads to it. */
  readonly gitDir: string;
  /** Where objects, branches and configuration are; differs from `gitDir` in a worktree only. */
  readonly commonDir: string;
};

/**
 * Finds a project's git directory: `.git` itself, or what its pointer file names. Gives a sentence
 * where there is something that cannot be trusted to be it, undefined where there is nothing.
 *
 * SECURITY: an agent may have written the pointer itself, to have any directory of the user's
 * mounted next time. So the directory must look like git's and point back to this very project:
 * that part of it was never in the agent's reach.
 */
export async function findGit(root: string): Promise<GitPlace | string | undefined> {
  const path = join(root, ".git");
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isDirectory()) {
    const isWhole =
      (await isGitDir(path)) && (await readSmall(join(path, "commondir"))) === undefined;
    return isWhole ? { gitDir: path, commonDir: path } : ".git is no git directory.";
  }
  const target = /^gitdir: (.+)$/m.exec((await readSmall(path)) ?? "")?.[1]?.trim();
  if (target === undefined) return ".git is a file that points nowhere.";
  const gitDir = resolve(root, target);
  const commonText = await readSmall(join(gitDir, "commondir"));
  const commonDir = commonText === undefined ? gitDir : resolve(gitDir, commonText.trim());
  const isOurs =
    (await isGitDir(commonDir)) &&
    (await pointsBack(gitDir, root)) &&
    (gitDir === commonDir || (await isWorktreeOf(gitDir, commonDir)));
  if (!isOurs)
    return `.git points to ${gitDir}, which does not point back to this directory: it is not mounted, and git does not work inside.`;
  return { gitDir, commonDir };
}

/** Mounts what a `.git` file points to read-only at its own path, so that git can read inside. */
export async function gitPointerMounts(root: string): Promise<GitPointer> {
  const place = await findGit(root);
  if (place === undefined || typeof place === "string")
    return { mounts: [], notes: place === undefined ? [] : [place] };
  // The git directory of a worktree lies in the common one; a submodule has but one.
  const { commonDir } = place;
  return {
    mounts: [{ source: await realpath(commonDir), target: commonDir, readOnly: true }],
    notes: [],
  };
}

/** A worktree is named in `<gitdir>/gitdir`, a submodule in its configuration's core.worktree. */
async function pointsBack(gitDir: string, root: string): Promise<boolean> {
  const backPointer = await readSmall(join(gitDir, "gitdir"));
  if (backPointer !== undefined) {
    return samePath(dirname(resolve(gitDir, backPointer.trim())), root);
  }
  const config = await readSmall(join(gitDir, "config"));
  const worktree = /^\s*worktree\s*=\s*(.+)$/m.exec(config ?? "")?.[1]?.trim();
  return worktree !== undefined && samePath(resolve(gitDir, worktree), root);
}

/**
 * SECURITY: a git directory that an agent has made points back, and to any repository as its common
 * one; that of a worktree lies in the common one.
 */
async function isWorktreeOf(gitDir: string, commonDir: string): Promise<boolean> {
  const common = await realpath(commonDir).catch(() => commonDir);
  return samePath(dirname(gitDir), join(common, "worktrees"));
}

async function samePath(path: string, root: string): Promise<boolean> {
  try {
    return (await realpath(path)) === root;
  } catch {
    return false;
  }
}

async function isGitDir(path: string): Promise<boolean> {
  for (const [name, kind] of [
    ["HEAD", "file"],
    ["objects", "dir"],
    ["refs", "dir"],
  ] as const) {
    try {
      const found = await lstat(join(path, name));
      if (kind === "file" ? !found.isFile() : !found.isDirectory()) return false;
    } catch {
      return false;
    }
  }
  return true;
}

async function readSmall(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    if (!found.isFile() || found.size > POINTER_MAX_BYTES) return undefined;
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
