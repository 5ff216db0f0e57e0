import { LookError } from "../look.ts";
import { directoriesAbove, obeyedByGit } from "./git-obeys.ts";
import type { Project } from "./project.ts";

/**
 * Names what of the project's own files the user's git obeys now and did not when the sandbox was
 * opened: a submodule or worktree that was added, a hooks directory or an included file that was
 * named. These are still writable inside. A failure to find out counts as a change, so that the
 * restart says why.
 */
export async function obeyedSince({
  root,
  guarded,
  nested,
}: Pick<Project, "root" | "guarded" | "nested">): Promise<readonly string[]> {
  try {
    const now = await obeyedByGit(root, { nested });
    if (!now.ok) return [`what git obeys (${now.error.reason})`];
    // A frame can be written; only its name stays.
    const known = new Set(guarded.filter((it) => !it.frame).map((it) => it.name));
    return now.value.names.filter((name) =>
      [name, ...directoriesAbove(name)].every((it) => !known.has(it)),
    );
  } catch (cause) {
    if (cause instanceof LookError) return [`what git obeys (${cause.message})`];
    throw cause;
  }
}
