import { join } from "node:path";
import { OLDEST_RELEASE } from "../../../src/sandbox/engine/runtime.ts";
import { cached } from "../cached.ts";
import {
  candidateVersion,
  debianMachine,
  extractDebs,
  multiarch,
  unpackDebian,
} from "../debian/index.ts";
import { failSetup } from "../failure.ts";
import { cacheDir } from "../paths.ts";

/** Where the engine's programs lie once they are fetched. */
export type EnginePrograms = {
  readonly runsc: string;
  /** Directories for PATH. */
  readonly path: readonly string[];
  /** Directories for LD_LIBRARY_PATH; they hold no libc, since the machine's own is used. */
  readonly libraries: readonly string[];
};

/** Packages that every Debian machine has, or that matter only to packages really installed. */
const PRESENT = ["libc6", "perl", "perl-base", "adduser", "init-system-helpers", "debconf"];

/**
 * Releases whose runsc works: bookworm's own (20221219) hangs, the build of sid and forky panics
 * on ordinary work. The program is static, so it need not be of the machine's release.
 */
const RUNSC_SUITES = ["trixie", "bookworm-backports"];

/** Fetches dockerd, containerd and runc of the machine's own release, and runsc. Debian only. */
export async function setUpEnginePrograms(): Promise<EnginePrograms> {
  const { codename } = await debianMachine();
  const docker = await unpackDebian(`docker-${codename}`, {
    suite: codename,
    packages: ["docker.io"],
    present: PRESENT,
  });
  const gvisor = await setUpRunsc();
  return {
    runsc: join(gvisor, "usr/bin/runsc"),
    path: ["usr/sbin", "usr/bin", "sbin", "bin"].map((dir) => join(docker, dir)),
    libraries: ["usr/lib", "lib"].map((dir) => join(docker, dir, multiarch)),
  };
}

async function setUpRunsc(): Promise<string> {
  return await cached(join(cacheDir, "debs", "runsc"), "1", async (partial) => {
    const seen: string[] = [];
    for (const suite of RUNSC_SUITES) {
      const version = await candidateVersion(suite, "runsc");
      seen.push(`${suite} has ${version ?? "none"}`);
      const day = Number(/\d{8}/.exec(version ?? "")?.[0]);
      if (day >= OLDEST_RELEASE) return await extractDebs(partial, { suite, packages: ["runsc"] });
    }
    const message = `No runsc ${OLDEST_RELEASE} or newer is to be had: ${seen.join(", ")}.`;
    return failSetup("missing", message, ["https://gvisor.dev/docs/user_guide/install/"]);
  });
}
