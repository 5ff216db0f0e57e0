import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** The directories from the root down to the one that `path` lies in. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...parentsOf(parent), parent];
}

/**
 * Finds the outermost directory above `path` that a user who owns nothing and has only these
 * groups cannot enter; undefined if there is none.
 */
export async function closedAbove(
  path: string,
  groups: readonly number[] = [],
): Promise<string | undefined> {
  for (const dir of parentsOf(path)) {
    const { mode, gid } = await stat(dir);
    // The kernel looks at one class only: a member of the group does not have the others' rights.
    const mask = groups.includes(gid) ? 0o010 : 0o001;
    if ((mode & mask) === 0) return dir;
  }
  return undefined;
}
