import { constants } from "node:fs";
import { chmod, lstat, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

/** What is wrong with a directory or file that should be this user's alone; null where nothing is. */
export type Strange = { readonly path: string; readonly what: string };

/**
 * Makes a directory for this user alone, or sees to it that the one that is there is that: no link,
 * nobody else's, closed to others. Its parents are made where they are absent.
 *
 * Rejects where it cannot be made.
 */
export async function ownDirectory(path: string): Promise<Strange | null> {
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
 * Reads a small file that only this user can have written; undefined where there is none or it is
 * something else: a link, a pipe, another user's, or one that others may write.
 */
export async function readOwnFile(path: string): Promise<string | undefined> {
  // Not blocking, because opening a pipe waits for somebody at its other end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const directory = await lstat(dirname(path));
    if (!directory.isDirectory() || !isOwn(directory)) return undefined;
    await using file = await open(path, flags);
    const stat = await file.stat();
    if (!stat.isFile() || !isOwn(stat) || stat.size > MAX_BYTES) return undefined;
    return await file.readFile("utf8");
  } catch {
    return undefined;
  }
}

function isOwn({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return uid === ownUid() && (mode & 0o022) === 0;
}

function ownUid(): number {
  return process.getuid?.() ?? 0;
}
