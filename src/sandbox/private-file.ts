import { constants } from "node:fs";
import { chmod, lstat, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { quoteForShell } from "../look.ts";
import { ownUid } from "../own-user.ts";
import { StateFault } from "./state-fault.ts";

/** Why a directory or file is not this user's alone. */
export type OwnershipProblem = { readonly path: string; readonly what: string };

/**
 * Makes a directory that only this user can enter, and its parents. An existing one must be a
 * directory of this user's and is closed to others; null if all is well.
 *
 * Rejects if it cannot be made.
 */
export async function ownDirectory(path: string): Promise<OwnershipProblem | null> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
  }
  const stat = await lstat(path);
  if (!stat.isDirectory()) return { path, what: "is a link or a file" };
  if (stat.uid !== ownUid()) return { path, what: `belongs to the user ${stat.uid}` };
  if ((stat.mode & 0o077) !== 0) await chmod(path, 0o700);
  return null;
}

/** The largest file that is read, in bytes. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads a small file that only this user can have written; undefined if there is none.
 *
 * SECURITY: rejects with a `StateFault` if it cannot be checked, or if it is a link, a pipe, another
 * user's file, or one that others may write. None of these counts as absent.
 */
export async function readOwnFile(path: string): Promise<string | undefined> {
  // Non-blocking: opening a pipe would wait for a writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const directory = await lstat(dirname(path));
    if (!directory.isDirectory()) throw notOwn(dirname(path), "is a link or a file");
    checkOwn(dirname(path), directory);
    await using file = await open(path, flags);
    const stat = await file.stat();
    if (!stat.isFile()) throw notOwn(path, "is not a regular file");
    checkOwn(path, stat);
    if (stat.size > MAX_BYTES) throw notOwn(path, `is larger than ${MAX_BYTES} bytes`);
    return await file.readFile("utf8");
  } catch (cause) {
    if (cause instanceof StateFault) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "ELOOP") throw notOwn(path, "is a link");
    throw StateFault.unreadable(path, cause);
  }
}

function checkOwn(
  path: string,
  { uid, mode }: { readonly uid: number; readonly mode: number },
): void {
  if (uid !== ownUid()) throw notOwn(path, `belongs to the user ${uid}`, true);
  if ((mode & 0o022) !== 0) throw notOwn(path, "can be written by other users");
}

function notOwn(path: string, what: string, isAnothers = false): StateFault {
  const fix = `ls -ld ${quoteForShell(path)}\nOnly a file of your own is read here; move this one away.`;
  return new StateFault({
    path,
    message: `${path} ${what}, so it is not trusted.`,
    fix,
    isAnothers,
  });
}
