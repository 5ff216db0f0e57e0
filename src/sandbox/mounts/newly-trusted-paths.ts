import type { Result } from "../../result.ts";
import type { SandboxError } from "../error.ts";
import { directoriesAbove } from "../git/index.ts";
import type { GuardedFile } from "../guard/index.ts";
import type { ProjectMounts } from "./project-mounts.ts";

/** Paths that must be protected now and are still writable inside. */
export type NewlyTrustedPaths = {
  readonly names: readonly string[];
  /**
   * Paths that somebody made, such as a repository, and that no setting names. One that appeared in a
   * turn may be the agent's own.
   */
  readonly made: readonly string[];
  /** Why this could not be found out; any trusted path may then be writable. */
  readonly problem?: string;
  /** The sandbox's state directory, if it is no longer the one that the sandbox was started with. */
  readonly stateGone?: string;
};

/**
 * Finds the paths that would be protected if the sandbox were started now, and are not: a new
 * submodule or worktree, a hooks directory that a setting names now, a new repository. Those that
 * appeared while an agent worked are left to the agent.
 */
export async function newlyTrustedSince(
  guarded: readonly GuardedFile[],
  inspect: () => Promise<Result<ProjectMounts, SandboxError>>,
): Promise<NewlyTrustedPaths> {
  const now = await inspect();
  if (!now.ok) return { names: [], made: [], problem: now.error.message };
  // A parent directory is writable; it only cannot be renamed.
  const isWritable = (file: GuardedFile) => file.isParentDir === true;
  const known = new Set(guarded.filter((file) => !isWritable(file)).map((file) => file.name));
  const added = now.value.guarded
    .filter((file) => !isWritable(file))
    .map((file) => file.name)
    .filter((name) => [name, ...directoriesAbove(name)].every((path) => !known.has(path)));
  const { agents, appearing } = now.value;
  return {
    names: added.filter((name) => !agents.includes(name)),
    made: [...agents, ...added.filter((name) => appearing.includes(name))],
  };
}
