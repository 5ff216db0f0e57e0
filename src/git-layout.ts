/** Git directories by their layout: what counts as one where it is trusted, and where it is protected. */

import { join } from "node:path";
import { statsAt } from "./look.ts";

const PARTS = ["HEAD", "objects", "refs"] as const;

/**
 * Whether a directory is a git directory as git itself makes them: HEAD is a file, objects and refs
 * are directories. A link in the place of one of them is not trusted.
 *
 * Rejects with `LookError`.
 */
export async function isGitDir(path: string): Promise<boolean> {
  const [head, objects, refs] = await partsAt(path);
  return head?.isFile() === true && objects?.isDirectory() === true && refs?.isDirectory() === true;
}

/**
 * Whether git may take a directory for a git directory, whatever its parts are: git follows a link
 * in the place of one. What may be one is protected.
 *
 * Rejects with `LookError`.
 */
export async function mayBeGitDir(path: string): Promise<boolean> {
  return (await partsAt(path)).every((part) => part !== undefined);
}

/** Whether git may take a directory with these names in it for a git directory, or a worktree's. */
export function hasGitNames(names: ReadonlySet<string>): boolean {
  return (
    names.has("HEAD") && ((names.has("objects") && names.has("refs")) || names.has("commondir"))
  );
}

function partsAt(path: string) {
  return Promise.all(PARTS.map((name) => statsAt(join(path, name))));
}
