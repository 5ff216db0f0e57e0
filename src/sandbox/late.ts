import { LookError } from "../look.ts";
import { directoriesAbove, obeyedByGit } from "./git-obeys.ts";
import type { Project } from "./project.ts";

/** What git has come to obey since the sandbox was opened, and is still writable inside. */
export type Late = {
  readonly names: readonly string[];
  /** Why it could not be found out; then anything may be writable. */
  readonly problem?: string;
};

/**
 * Names what of the project's own files the user's git obeys now and did not when the sandbox was
 * opened: a submodule or worktree that was added, a hooks directory or an included file that was
 * named.
 */
export async function obeyedSince({
  root,
  guarded,
  nested,
}: Pick<Project, "root" | "guarded" | "nested">): Promise<Late> {
  try {
    const now = await obeyedByGit(root, { nested });
    if (!now.ok) return { names: [], problem: now.error.reason };
    // A frame can be written; only its name stays.
    const known = new Set(guarded.filter((it) => !it.frame).map((it) => it.name));
    const names = now.value.names.filter((name) =>
      [name, ...directoriesAbove(name)].every((it) => !known.has(it)),
    );
    return { names };
  } catch (cause) {
    if (cause instanceof LookError) return { names: [], problem: cause.message };
    throw cause;
  }
}
