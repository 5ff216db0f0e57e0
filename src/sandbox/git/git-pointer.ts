import { dirname, join, relative, resolve } from "node:path";
import { isGitDir, mayBeGitDir } from "../../git-layout.ts";
import { lookOutside, readSmallFile, realPathOf, statsAt } from "../../look.ts";
import { isWithin } from "../../paths.ts";
import { followLinks } from "../links.ts";
import type { BindMount } from "../mount.ts";

/** A pointer file holds one path; a larger file is not one. */
const POINTER_MAX_BYTES = 8 * 1024;

/** The mounts for a project's `.git` file, and notes for the user. */
export type GitPointer = {
  readonly mounts: readonly BindMount[];
  readonly notes: readonly string[];
  /** The git directory that it names, relative, if that lies in the project. */
  readonly inProject: string | undefined;
};

/** Where a project's git directories are; resolved paths of the host. */
export type GitPlace = {
  /** Where HEAD and the index are, as `.git` leads to it. */
  readonly gitDir: string;
  /** Where objects, branches and configuration are; differs from `gitDir` only in a worktree. */
  readonly commonDir: string;
};

/**
 * Finds a project's git directory: `.git` itself, or the directory that its pointer file names.
 * Returns a sentence if there is one that cannot be trusted, undefined if there is none.
 *
 * SECURITY: an agent may have written the pointer file, so that any directory of the user is mounted
 * next time. So the directory must look like git's and point back to this project, by a file that
 * the agent could not reach.
 */
export async function findGit(root: string): Promise<GitPlace | string | undefined> {
  const path = join(root, ".git");
  const found = await statsAt(path);
  if (found === undefined) return undefined;
  if (found.isDirectory()) {
    const isWhole =
      (await isGitDir(path)) && (await statsAt(join(path, "commondir"))) === undefined;
    return isWhole ? { gitDir: path, commonDir: path } : ".git is not a git directory.";
  }
  const gitDir = await pointerTarget(root);
  if (gitDir === undefined) return ".git is a file that points nowhere.";
  if (!(await hasHead(gitDir, root)))
    return `.git points to ${gitDir}, which is not a git directory: git does not work inside.`;
  const commonText = await readSmallFile(join(gitDir, "commondir"), POINTER_MAX_BYTES);
  const commonDir = commonText === undefined ? gitDir : resolve(gitDir, commonText.trim());
  const isOurs =
    (await isGitDir(commonDir)) &&
    (await pointsBack(gitDir, root)) &&
    (gitDir === commonDir || (await isWorktreeOf(gitDir, commonDir)));
  if (!isOurs)
    return `.git points to ${gitDir}, which does not point back to this directory: it is not mounted, and git does not work inside.`;
  return { gitDir, commonDir };
}

/** Whether git finds a repository in a directory; `target` is the path in a broken `.git` file. */
export type RepositoryAt =
  | { readonly is: "repository" | "bare" | "none" }
  | { readonly is: "broken"; readonly target: string | undefined };

/** Looks for a `.git` with a HEAD, then for a bare repository, as git does; `root` is the project. */
export async function repositoryAt(dir: string, root: string): Promise<RepositoryAt> {
  const inner = await statsAt(join(dir, ".git"));
  if (inner === undefined) return { is: (await mayBeGitDir(dir)) ? "bare" : "none" };
  if (inner.isFile()) {
    const target = await pointerTarget(dir);
    if (target === undefined || !(await hasHead(target, root))) return { is: "broken", target };
    return { is: "repository" };
  }
  // Without HEAD it is an ordinary directory; git follows a link.
  const hasNone = inner.isDirectory() && !(await hasHead(join(dir, ".git"), root));
  return { is: hasNone ? "none" : "repository" };
}

async function hasHead(gitDir: string, root: string): Promise<boolean> {
  const look = statsAt(join(gitDir, "HEAD"));
  return (await (isWithin(root, gitDir) ? look : lookOutside(look))) !== undefined;
}

/** The git directory of a work tree or bare repository, and the common one, as far as they exist. */
export async function gitDirsAt(dir: string): Promise<readonly string[]> {
  const inner = join(dir, ".git");
  const stats = await statsAt(inner);
  if (stats === undefined) return [dir];
  if (!stats.isFile()) return [inner];
  const gitDir = await pointerTarget(dir);
  if (gitDir === undefined) return [];
  const text = await lookOutside(readSmallFile(join(gitDir, "commondir"), POINTER_MAX_BYTES));
  return text === undefined ? [gitDir] : [gitDir, resolve(gitDir, text.trim())];
}

/** The link in the project, relative, that the path in its `.git` file leads through, if any. */
export async function linkOfPointer(root: string): Promise<string | undefined> {
  if ((await statsAt(join(root, ".git")))?.isFile() !== true) return undefined;
  const target = await pointerTarget(root);
  if (target === undefined) return undefined;
  const { links } = await followLinks(target, (step) => isWithin(root, step));
  return links[0] === undefined ? undefined : relative(root, links[0]);
}

/** The path in a project's `.git` file, absolute; undefined if there is none. */
async function pointerTarget(root: string): Promise<string | undefined> {
  const text = await readSmallFile(join(root, ".git"), POINTER_MAX_BYTES);
  const target = /^gitdir: (.+)$/m.exec(text ?? "")?.[1]?.trim();
  return target === undefined ? undefined : resolve(root, target);
}

/** Mounts the directory of a `.git` file read-only at its own path, so that git inside can read it. */
export async function gitPointerMounts(root: string): Promise<GitPointer> {
  const target = await pointerTarget(root);
  const name = target === undefined ? undefined : relative(root, target);
  const inProject = name === undefined || name.startsWith("..") ? undefined : name;
  const place = await findGit(root);
  if (place === undefined || typeof place === "string")
    return { mounts: [], notes: place === undefined ? [] : [place], inProject };
  // The git directory of a worktree lies in the common one; a submodule has only one.
  const { commonDir } = place;
  const source = (await realPathOf(commonDir)) ?? commonDir;
  return { mounts: [{ source, target: commonDir, readOnly: true }], notes: [], inProject };
}

/** A worktree is named in `<gitdir>/gitdir`, a submodule in its configuration's core.worktree. */
async function pointsBack(gitDir: string, root: string): Promise<boolean> {
  const backPointer = await readSmallFile(join(gitDir, "gitdir"), POINTER_MAX_BYTES);
  if (backPointer !== undefined) {
    return samePath(dirname(resolve(gitDir, backPointer.trim())), root);
  }
  const config = await readSmallFile(join(gitDir, "config"), POINTER_MAX_BYTES);
  const worktree = /^\s*worktree\s*=\s*(.+)$/m.exec(config ?? "")?.[1]?.trim();
  return worktree !== undefined && samePath(resolve(gitDir, worktree), root);
}

/**
 * SECURITY: an agent can make a git directory that points back and names any repository as its
 * common one. A real worktree's git directory lies in the common one.
 */
async function isWorktreeOf(gitDir: string, commonDir: string): Promise<boolean> {
  const common = (await realPathOf(commonDir)) ?? commonDir;
  return samePath(dirname(gitDir), join(common, "worktrees"));
}

async function samePath(path: string, root: string): Promise<boolean> {
  return (await realPathOf(path)) === root;
}
