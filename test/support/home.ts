import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Makes a directory the home of a Neovim, and returns its environment: with nothing of this machine's
 * configuration, and with the XDG directories below the home.
 */
export async function homeEnv(home: string) {
  const runtimeDir = join(home, "run");
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 });
  return {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    XDG_STATE_HOME: join(home, "state"),
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_RUNTIME_DIR: runtimeDir,
  };
}
