import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { engineClient } from "../../../src/sandbox/engine/client.ts";
import { takeLock } from "../../../src/sandbox/locks/machine-lock.ts";
import { cached } from "../cached.ts";
import { run } from "../command.ts";
import {
  debianMachine,
  formatSource,
  machineAcquireOptions,
  readMachineSources,
  securityOf,
  unpackDebian,
} from "../debian/index.ts";
import { cacheDir, lockDir } from "../paths.ts";

/** The Debian release of the sandbox's image, as in the Dockerfile's default base. */
const SUITE = "trixie";

/** The image's name on the private engine. */
export const BASE_IMAGE = `codex-chat-base:${SUITE}`;

/** The label that says from which archive an image was made. */
const RECIPE_LABEL = "codex-chat.base";

/**
 * Makes the base image from Debian's packages and imports it unless the engine has it, because no
 * registry can be relied on. Returns its name.
 */
export async function setUpBaseImage(host: string): Promise<string> {
  const sources = await imageSources();
  const recipe = createHash("sha256").update(`1\n${sources}`).digest("hex").slice(0, 12);
  const docker = engineClient(host);
  if (await hasImage(docker, recipe)) return BASE_IMAGE;
  using _lock = await takeLock({ dir: lockDir, name: `base image ${host}` });
  if (await hasImage(docker, recipe)) return BASE_IMAGE;
  const stream = await docker.importImage(createReadStream(await rootfs(sources, recipe)), {
    repo: BASE_IMAGE.slice(0, BASE_IMAGE.indexOf(":")),
    tag: SUITE,
    changes: `LABEL ${RECIPE_LABEL}=${recipe}`,
  });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
  return BASE_IMAGE;
}

async function hasImage(docker: Docker, recipe: string): Promise<boolean> {
  try {
    const { Config } = await docker.getImage(BASE_IMAGE).inspect();
    return Config.Labels?.[RECIPE_LABEL] === recipe;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** The archives that the image is made from and installs from later: those of this machine. */
async function imageSources(): Promise<string> {
  const { codename, mirror } = await debianMachine();
  const stanzas = [formatSource(mirror, [SUITE, `${SUITE}-updates`])];
  const security = securityOf(await readMachineSources(), codename);
  if (security !== undefined) stanzas.push(formatSource(security, [`${SUITE}-security`]));
  return stanzas.join("\n");
}

/** The root file system as a tar archive. */
async function rootfs(sources: string, recipe: string): Promise<string> {
  const dir = await cached(join(cacheDir, "base", SUITE), recipe, async (partial) => {
    const { codename } = await debianMachine();
    const tool = await unpackDebian("mmdebstrap", {
      suite: codename,
      packages: ["mmdebstrap"],
      present: ["apt", "perl", "python3"],
    });
    const sourcesFile = join(partial, "debian.sources");
    await writeFile(sourcesFile, sources);
    const options = ["--quiet", "--mode=root", "--variant=minbase", "--format=tar"];
    for (const option of await machineAcquireOptions()) options.push(`--aptopt=${option}`);
    if (sources.includes("https:")) options.push("--include=ca-certificates");
    // mmdebstrap works there, and its mounts end with its mount namespace.
    const env = { TMPDIR: partial };
    const args = [join(tool, "usr/bin/mmdebstrap"), ...options];
    await run("perl", [...args, SUITE, join(partial, "rootfs.tar"), sourcesFile], {
      env,
      kind: "network",
    });
    await rm(sourcesFile);
  });
  return join(dir, "rootfs.tar");
}
