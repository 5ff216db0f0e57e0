import { createReadStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { execa } from "execa";
import { takeLock } from "../../src/sandbox/lock.ts";
import { debianMirror, unpackDebian } from "./debs.ts";
import { cacheDir } from "./paths.ts";

/** The suite of the sandbox's image; its Node runs the relay and the keeper. */
const SUITE = "bookworm";

/** What the image is called on the private engine. */
export const BASE_IMAGE = `codex-chat-base:${SUITE}`;

/**
 * Makes the base image from Debian's packages and imports it, where the engine has none, because
 * no registry can be counted on. Returns its name.
 */
export async function setUpBaseImage(host: string): Promise<string> {
  const docker = new Docker({ socketPath: host.replace(/^unix:\/\//, "") });
  if (await hasImage(docker)) return BASE_IMAGE;
  using _lock = await takeLock(`base image ${cacheDir}`);
  if (await hasImage(docker)) return BASE_IMAGE;
  const tar = await rootfs();
  const stream = await docker.importImage(createReadStream(tar), {
    repo: BASE_IMAGE.split(":")[0],
    tag: SUITE,
  });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
  });
  return BASE_IMAGE;
}

async function hasImage(docker: Docker): Promise<boolean> {
  try {
    await docker.getImage(BASE_IMAGE).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** The root file system as a tar archive; it is renamed into place when it is whole. */
async function rootfs(): Promise<string> {
  const tar = join(cacheDir, `base-${SUITE}.tar`);
  if (existsSync(tar)) return tar;
  const tool = await unpackDebian({
    name: "mmdebstrap",
    suite: SUITE,
    packages: ["mmdebstrap"],
    without: ["libc6"],
  });
  await mkdir(cacheDir, { recursive: true });
  const work = `${tar}.${process.pid}.tar`;
  try {
    await execa("perl", [
      join(tool, "usr", "bin", "mmdebstrap"),
      "--variant=minbase",
      "--quiet",
      // The mirror comes from this machine; with a name alone mmdebstrap would take its own.
      SUITE,
      work,
      await debianMirror(),
    ]);
    await rename(work, tar);
  } finally {
    await rm(work, { force: true });
  }
  return tar;
}
