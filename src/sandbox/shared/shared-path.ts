import { realpath, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { contains, isWithin } from "../../paths.ts";
import { closedTreeOf, SYSTEM_DIRS } from "../mounts/index.ts";

/** Places that must not be shared; paths are resolved. */
export type OutOfReach = {
  readonly home: string | undefined;
  /** Directories and files that the agent must not reach. */
  readonly outOfReach: readonly string[];
};

/** A file or directory that may be shared with the agent; `path` is resolved. */
export type SharedPath = { readonly path: string; readonly kind: "file" | "directory" };

/** Resolves a path that the user wants to share with the agent, or says why it is not shared. */
export async function findShared(
  wanted: string,
  { home, outOfReach }: OutOfReach,
  expected?: SharedPath["kind"],
): Promise<SharedPath | { readonly reason: string }> {
  if (!isAbsolute(wanted)) return { reason: "it is not an absolute path" };
  let found: SharedPath;
  try {
    const path = await realpath(wanted);
    const stats = await stat(path);
    // A socket or a device leads out of the sandbox.
    if (!stats.isFile() && !stats.isDirectory())
      return { reason: "it is neither a file nor a directory" };
    if (expected === "file" && !stats.isFile()) return { reason: "it is not a file" };
    if (expected === "directory" && !stats.isDirectory())
      return { reason: "it is not a directory" };
    found = { path, kind: stats.isFile() ? "file" : "directory" };
  } catch (cause) {
    return { reason: `it cannot be read (${(cause as NodeJS.ErrnoException).code})` };
  }
  const { path } = found;
  if (path === "/" || SYSTEM_DIRS.has(path)) return { reason: "it is a directory of the system" };
  if (closedTreeOf(path) !== undefined) return { reason: "the sandbox has its own files there" };
  if (home !== undefined && isWithin(path, home))
    return { reason: "it holds the home directory, with every secret in it" };
  const secret = outOfReach.find((place) => isWithin(path, place) || contains(place, path));
  if (secret !== undefined) return { reason: `${secret} must stay out of the agent's reach` };
  return found;
}
