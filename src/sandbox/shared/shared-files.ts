import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { contains } from "../../paths.ts";
import { knownProjects } from "../../programs.ts";
import type { BindMount } from "../mount.ts";
import { isLinkInReach } from "./reach.ts";
import { findShared } from "./shared-path.ts";

/** A file or directory of the user that the agent may read. */
export type SharedFile = {
  /** Absolute; links are resolved. */
  readonly source: string;
  /** The name of a file in CODEX_HOME; without it the path is the same inside and outside. */
  readonly codexHomeName?: string;
};

/** How shared files are mounted. */
export type SharedFileMounts = {
  readonly mounts: readonly BindMount[];
  /** Resolved paths that are the same inside, in the order of the list. */
  readonly readable: readonly string[];
  /** Sentences for the user about paths that were left out. */
  readonly notes: readonly string[];
};

/** What is needed to judge shared files; paths are resolved. */
export type SharedFilesOptions = {
  readonly root: string;
  readonly codexHome: string;
  readonly home: string | undefined;
  /** Directories and files that the agent must not reach. */
  readonly outOfReach: readonly string[];
  /** Places outside of the project that the agent can write. */
  readonly writable?: readonly string[];
};

/**
 * Lists the mounts of shared files. A path that is absent or would show too much is left out with a
 * note: that is not a reason to refuse the sandbox.
 */
export async function prepareSharedFiles(
  files: readonly SharedFile[],
  options: SharedFilesOptions,
): Promise<SharedFileMounts> {
  const mounts: BindMount[] = [];
  const readable: string[] = [];
  const notes: string[] = [];
  for (const { source: path, codexHomeName } of files) {
    const source = await findShared(
      path,
      options,
      codexHomeName === undefined ? "directory" : "file",
    );
    if ("reason" in source) {
      notes.push(`${path} is not shared with the agent: ${source.reason}.`);
      continue;
    }
    const place = await placeLeftByLink(path, source.path, options);
    if (place !== undefined) {
      notes.push(
        `${path} is not shared with the agent: a link in ${place} leads to it, and an agent can change that link.`,
      );
      continue;
    }
    const target =
      codexHomeName === undefined ? source.path : join(options.codexHome, codexHomeName);
    if (codexHomeName !== undefined) {
      const problem = await makeMountPoint(target);
      if (problem !== undefined) {
        notes.push(`${path} is not shared with the agent: ${problem}.`);
        continue;
      }
    }
    if (codexHomeName === undefined) readable.push(source.path);
    // The project is mounted already.
    if (contains(options.root, target) || target === options.root) continue;
    if (!mounts.some((mount) => mount.target === target))
      mounts.push({ source: source.path, target, readOnly: true });
  }
  return { mounts, readable, notes };
}

/**
 * A place that an agent can write and that has a link on the way to this path; undefined if there is
 * none.
 *
 * SECURITY: an agent can put a link to any file of the user into the project, and the next start
 * would follow it.
 */
async function placeLeftByLink(
  path: string,
  real: string,
  { root, writable = [] }: SharedFilesOptions,
): Promise<string | undefined> {
  for (const place of new Set([root, ...writable, ...knownProjects()])) {
    const resolved = await realpath(place).catch(() => place);
    if (real === resolved || contains(resolved, real)) continue;
    if (await isLinkInReach(path, [place])) return place;
  }
  return undefined;
}

/**
 * Makes the empty file that a mount covers; says what is wrong if something else is there.
 *
 * SECURITY: the agent can write in this directory: links are not followed, and opening a pipe does
 * not wait.
 */
async function makeMountPoint(path: string): Promise<string | undefined> {
  const { O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const file = await open(path, O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const stats = await file.stat();
    await file.close();
    return stats.isFile() ? undefined : `${path} is not a file`;
  } catch (cause) {
    return `${path} is not a file (${(cause as NodeJS.ErrnoException).code})`;
  }
}
