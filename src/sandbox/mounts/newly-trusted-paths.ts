import type { Result } from "../../result.ts";
import type { SandboxError } from "../error.ts";
import { directoriesAbove } from "../git/index.ts";
import type { GuardedFile } from "../guard/index.ts";
import type { ProjectMounts } from "./project-mounts.ts";

/** What must be protected by now, and is still writable inside. */
export type NewlyTrustedPaths = {
  readonly names: readonly string[];
  /**
   * Those that somebody has made, such as a repository, and no setting has named. Where they came up
   * in a turn, they may be the agent's own; so may those that did before.
   */
  readonly made: readonly string[];
  /** Why it could not be found out; then anything may be writable. */
  readonly problem?: string;
  /** The sandbox's state directory where it is not the one any more that it was started with. */
  readonly stateGone?: string;
};

/**
 * Names what would be protected if the sandbox were started now, and is not: a submodule or worktree
 * that was added, a hooks directory that was named, a repository that came up. Those that came up
 * while an agent worked are left to it.
 */
export async function newlyTrustedSince(
  guarded: readonly GuardedFile[],
  inspect: () => Promise<Result<ProjectMounts, SandboxError>>,
): Promise<NewlyTrustedPaths> {
  const now = await inspect();
  if (!now.ok) return { names: [], made: [], problem: now.error.message };
  // A frame can be written; only its name stays.
  const isWritable = (it: GuardedFile) => it.isParentDir === true;
  const known = new Set(guarded.filter((it) => !isWritable(it)).map((it) => it.name));
  const late = now.value.guarded
    .filter((it) => !isWritable(it))
    .map((it) => it.name)
    .filter((name) => [name, ...directoriesAbove(name)].every((it) => !known.has(it)));
  const { agents, appearing } = now.value;
  return {
    names: late.filter((name) => !agents.includes(name)),
    made: [...agents, ...late.filter((name) => appearing.includes(name))],
  };
}
