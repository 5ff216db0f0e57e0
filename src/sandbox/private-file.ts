import { constants } from "node:fs";
import { chmod, lstat, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { quoteForShell } from "../look.ts";
import { ownUid } from "../own-user.ts";
import { StateFault } from "./state-fault.ts";

/** What is wrong with a directory or file that should be this user's alone; null where nothing is. */
export type OwnershipProblem = { readonly path: string; readonly what: string };

/**
 * Makes a directory for this user alone, or sees to it that the one that is there is that: no link,
 * nobody else's, closed to others. Its parents are made where they are absent.
 *
 * Rejects where it cannot be made.
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
 * Reads a small file that only this user can have written; undefined where there is none.
 *
 * SECURITY: rejects with a `StateFault` where that cannot be told, and where it is something else: a
 * link, a pipe, another user's, or one that others may write. Neither is a file that is not there.
 */
export async function readOwnFile(path: string): Promise<string | undefined> {
  // Not blocking, because opening a pipe waits for somebody at its other end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const directory = await lstat(dirname(path));
    if (!directory.isDirectory()) throw strange(dirname(path), "is a link or a file");
    checkOwn(dirname(path), directory);
    await using file = await open(path, flags);
    const stat = await file.stat();
    if (!stat.isFile()) throw strange(path, "is not a regular file");
    checkOwn(path, stat);
    if (stat.size > MAX_BYTES) throw strange(path, `is larger than ${MAX_BYTES} bytes`);
    return await file.readFile("utf8");
  } catch (cause) {
    if (cause instanceof StateFault) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // No link is followed.
    if (code === "ELOOP") throw strange(path, "is a link");
    throw StateFault.unreadable(path, cause);
  }
}

function checkOwn(
  path: string,
  { uid, mode }: { readonly uid: number; readonly mode: number },
): void {
  if (uid !== ownUid()) throw strange(path, `belongs to the user ${uid}`, true);
  if ((mode & 0o022) !== 0) throw strange(path, "can be written by other users");
}

function strange(path: string, what: string, isAnothers = false): StateFault {
  const fix = `ls -ld ${quoteForShell(path)}\nA file of this user's own was expected; move it away.`;
  return new StateFault({
    path,
    message: `${path} ${what}, so it is not believed.`,
    fix,
    isAnothers,
  });
}
