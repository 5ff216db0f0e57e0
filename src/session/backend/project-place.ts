import { dirname } from "node:path";
import { ownHomes } from "../../own-user.ts";
import type { Result } from "../../result.ts";
import { judgeRoot, type ProjectMountsOptions } from "../../sandbox/mounts/index.ts";
import type { Failure } from "../failure.ts";
import { pluginDir } from "../plugin-dir.ts";
import type { Settings } from "../settings/index.ts";
import { secretPlaces } from "./secret-places.ts";

/** What decides which directories an agent may be given. */
export type ProjectPlaces = Pick<ProjectMountsOptions, "outOfReach" | "home"> &
  Required<Pick<ProjectMountsOptions, "neverWritable">>;

/** The places of this user and of these settings that no project may show or write. */
export function projectPlaces(
  settings: Pick<Settings, "state_dir">,
  env: NodeJS.ProcessEnv,
): ProjectPlaces {
  const homes = ownHomes(env);
  return {
    home: homes[0],
    outOfReach: [settings.state_dir, ...secretPlaces(env, homes)],
    // The host, and Neovim, run what is there.
    neverWritable: [pluginDir, dirname(process.execPath)],
  };
}

/**
 * Judges a project's directory as far as its path alone decides, before anything is built or
 * started for it. Gives the path without links. Error: `project_refused`.
 */
export async function judgeProject(
  root: string,
  settings: Pick<Settings, "state_dir">,
  env: NodeJS.ProcessEnv,
): Promise<Result<string, Failure>> {
  return judgeRoot({ root, ...projectPlaces(settings, env) });
}
