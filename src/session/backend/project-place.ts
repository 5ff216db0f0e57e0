import { dirname } from "node:path";
import { ownHomes } from "../../own-user.ts";
import type { Result } from "../../result.ts";
import { judgeRoot, type ProjectMountsOptions } from "../../sandbox/mounts/index.ts";
import type { Failure } from "../failure.ts";
import { pluginDir } from "../plugin-dir.ts";
import type { Settings } from "../settings/index.ts";
import { secretPlaces } from "./secret-places.ts";

/** The paths that decide which directories an agent may get. */
export type ProjectPlaces = Pick<ProjectMountsOptions, "outOfReach" | "home"> &
  Required<Pick<ProjectMountsOptions, "neverWritable">>;

/** The paths of this user and these settings that no project may expose or make writable. */
export function projectPlaces(
  settings: Pick<Settings, "state_dir">,
  env: NodeJS.ProcessEnv,
): ProjectPlaces {
  const homes = ownHomes(env);
  return {
    home: homes[0],
    outOfReach: [settings.state_dir, ...secretPlaces(env, homes)],
    // The host and Neovim run programs from there.
    neverWritable: [pluginDir, dirname(process.execPath)],
  };
}

/**
 * Checks a project's directory by its path alone, before anything is built or started for it.
 * Returns the path without symbolic links. Error: `project_refused`.
 */
export async function judgeProject(
  root: string,
  settings: Pick<Settings, "state_dir">,
  env: NodeJS.ProcessEnv,
): Promise<Result<string, Failure>> {
  return judgeRoot({ root, ...projectPlaces(settings, env) });
}
