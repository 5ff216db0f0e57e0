import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { contains } from "../../paths.ts";
import { knownProjects } from "../../programs.ts";
import type { BindMount } from "../mount.ts";
import { isLinkInReach } from "./reach.ts";
import { findShared } from "./shared-path.ts";

/** A file or directory of the user's that the agent may read. */
export type SharedFile = {
  /** Absolute; links are resolved. */
  readonly source: string;
  /** A name in CODEX_HOME for a file; without, the path is the same inside and outside. */
  readonly codexHomeName?: string;
};

/** What the user gives, as it is mounted. */
export type SharedFileMounts = {
  readonly mounts: readonly BindMount[];
  /** Resolved paths of what can be read inside in its own place, in the order given. */
  readonly readable: readonly string[];
  /** Sentences for the user about what was left out. */
  readonly notes: readonly string[];
};

/** What is needed to judge what is given; paths are resolved. */
export type SharedFilesOptions = {
  readonly root: string;
  readonly codexHome: string;
  readonly home: string | undefined;
  /** Directories and files that the agent must not reach. */
  readonly outOfReach: readonly string[];
  /** What the agent can write in besides the project. */
  readonly writable?: readonly string[];
};

/**
 * Lists the mounts of what the user gives to be read. What is absent or would show too much is left
 * out with a note: it is no reason to do without a sandbox.
 */
export async function prepareSharedFiles(
  given: readonly SharedFile[],
  options: SharedFilesOptions,
): Promise<SharedFileMounts> {
  const mounts: BindMount[] = [];
  const readable: string[] = [];
  const notes: string[] = [];
  for (const { source: path, codexHomeName } of given) {
    const source = await findShared(
      path,
      options,
      codexHomeName === undefined ? "directory" : "file",
    );
    if ("reason" in source) {
      notes.push(`${path} is not shown to the agent: ${source.reason}.`);
      continue;
    }
    const led = await ledBy(path, source.path, options);
    if (led !== undefined) {
      notes.push(
        `${path} is not shown to the agent: the way to it leads out of ${led} through a link, which an agent can set.`,
      );
      continue;
    }
    const target =
      codexHomeName === undefined ? source.path : join(options.codexHome, codexHomeName);
    if (codexHomeName !== undefined) {
      const problem = await makeMountPoint(target);
      if (problem !== undefined) {
        notes.push(`${path} is not shown to the agent: ${problem}.`);
        continue;
      }
    }
    if (codexHomeName === undefined) readable.push(source.path);
    // What lies in the project is there already.
    if (contains(options.root, target) || target === options.root) continue;
    if (!mounts.some((it) => it.target === target))
      mounts.push({ source: source.path, target, readOnly: true });
  }
  return { mounts, readable, notes };
}

/**
 * The place of an agent's that a link on the way to a path leads out of; undefined where none does.
 *
 * SECURITY: the agent puts a link to anything of the user's into the project, for the next start to
 * follow.
 */
async function ledBy(
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
 * Makes the empty file that a mount covers; gives what is wrong where there is something else.
 *
 * SECURITY: the agent writes in the same directory: a link that it has put there is not followed,
 * and a pipe not waited for.
 */
async function makeMountPoint(path: string): Promise<string | undefined> {
  const { O_CREAT, O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const file = await open(path, O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const stats = await file.stat();
    await file.close();
    return stats.isFile() ? undefined : `${path} is something else than a file`;
  } catch (cause) {
    return `${path} is something else than a file (${(cause as NodeJS.ErrnoException).code})`;
  }
}
