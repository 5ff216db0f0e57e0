import { execa } from "execa";
import { program } from "../../programs.ts";

/** The oldest git on the host that this works with: 2.32 knows GIT_CONFIG_GLOBAL. */
export const OLDEST_GIT = "2.32";

/** What `git --version` says of itself, such as "2.39.5"; undefined where there is none. */
export async function gitVersion(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const told = await execa(program("git", env), ["--version"], {
    env: { PATH: env["PATH"], LC_ALL: "C" },
    extendEnv: false,
    reject: false,
    timeout: 10_000,
  });
  return told.failed ? undefined : /\d+\.\d+[.\d]*/.exec(told.stdout)?.[0];
}

/** Whether a version is not older than `OLDEST_GIT`. */
export function isNewEnough(version: string): boolean {
  return version.localeCompare(OLDEST_GIT, "en", { numeric: true }) >= 0;
}
