import { join } from "node:path";
import { hasGitNames } from "../../git-layout.ts";
import { entriesOf, quoteForShell, statsAt } from "../../look.ts";

/** How many files of a protected directory are checked. */
const MAX_FILES = 500;
/** The parts of a git directory that git trusts. */
const GIT_PARTS = ["config", "config.worktree", "info/attributes", "hooks"];

/**
 * Notes about protected files that have a second name (a hard link), by which the agent can change
 * them: a read-only mount protects a name, not the file that several names share.
 *
 * Rejects with `LookError`.
 */
export async function hardLinkNotes(root: string, name: string): Promise<string[]> {
  const linked = await firstLinked(join(root, name), { left: MAX_FILES });
  if (linked === undefined) return [];
  const quoted = quoteForShell(linked);
  return [
    `${linked} is read-only in the sandbox, but the file has another name (a hard link), and the agent can change it by that name. To make it a file of its own: cp -p ${quoted} ${quoted}.new && mv ${quoted}.new ${quoted}`,
  ];
}

async function firstLinked(path: string, budget: { left: number }): Promise<string | undefined> {
  if (budget.left-- <= 0) return undefined;
  const stats = await statsAt(path);
  if (stats?.isFile() === true) return stats.nlink > 1n ? path : undefined;
  if (stats?.isDirectory() !== true) return undefined;
  const entries = (await entriesOf(path)) ?? [];
  // Not a repository's objects: clones on one disk share those by hard links.
  const all = entries.map((entry) => entry.name);
  const names = hasGitNames(new Set(all)) ? GIT_PARTS : all;
  for (const name of names) {
    const linked = await firstLinked(join(path, name), budget);
    if (linked !== undefined) return linked;
  }
  return undefined;
}
