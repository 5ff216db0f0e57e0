/**
 * Reads of the file system whose answer decides what is protected.
 *
 * SECURITY: only ENOENT and ENOTDIR mean that nothing is there. Every other failure throws
 * `LookError`: an agent with the user's uid can make a directory unreadable (mode 0000), and an
 * unreadable file must not count as absent.
 */

import { type BigIntStats, constants, type Dirent } from "node:fs";
import { lstat, open, readdir, realpath } from "node:fs/promises";
import { dirname, sep } from "node:path";
import { codeOf } from "./error-code.ts";
import { ownUid } from "./own-user.ts";
import { projectOf } from "./programs.ts";

/** A look that failed although the path may exist; `fix` is a command for the user. */
export class LookError extends Error {
  readonly path: string;
  readonly code: string;
  readonly fix: string;

  constructor(path: string, fix: string, cause: unknown, message?: string) {
    const code = codeOf(cause);
    super(message ?? `${path} cannot be accessed (${code})`, { cause });
    this.name = "LookError";
    this.path = path;
    this.code = code;
    this.fix = fix;
  }
}

/** The stats of a path itself, not of a link's target; undefined if nothing is there. */
export async function statsAt(path: string): Promise<BigIntStats | undefined> {
  return present(path, () => lstat(path, { bigint: true }));
}

/** The path without links in it; undefined if it leads to nothing. */
export async function realPathOf(path: string): Promise<string | undefined> {
  return present(path, () => realpath(path));
}

/** The entries of a directory; undefined if there is no directory. */
export async function entriesOf(path: string): Promise<readonly Dirent[] | undefined> {
  return present(path, () => readdir(path, { withFileTypes: true }));
}

/**
 * The text of a small regular file; undefined if there is none. A link, a pipe, a device and a file
 * larger than `maxBytes` count as none: the agent may have made them, and reading them could lead
 * elsewhere or never end.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return present(path, async () => {
    try {
      await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > maxBytes) return undefined;
      return await file.readFile("utf8");
    } catch (cause) {
      // ENXIO is a socket. ELOOP is a link, if there is one: otherwise it says nothing about the path.
      const code = codeOf(cause);
      const isNone = code === "ENXIO" || (code === "ELOOP" && (await isLink(path)));
      if (isNone) return undefined;
      throw cause;
    }
  });
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}

/**
 * The bytes of a file that decides something; undefined only if nothing is there. `shown` is the path
 * for messages.
 *
 * Rejects with `LookError` for a link, a pipe, a device, a directory, a file larger than `maxBytes`,
 * and one that cannot be read: git may be able to read it.
 */
export async function readPlainFile(
  path: string,
  maxBytes: number,
  shown = path,
): Promise<Buffer | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const other = (message: string, cause: unknown) =>
    new LookError(shown, `ls -ld ${quoteForShell(shown)}`, cause, `${shown} ${message}`);
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) throw other("is not a plain file", undefined);
    if (stats.size > maxBytes) throw other(`is larger than ${sizeName(maxBytes)}`, undefined);
    return await file.readFile();
  } catch (cause) {
    if (cause instanceof LookError) throw cause;
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    // ELOOP is a link, ENXIO a socket.
    if (code === "ELOOP" || code === "ENXIO") throw other("is not a plain file", cause);
    throw await failedLook(shown, cause);
  }
}

function sizeName(bytes: number): string {
  return bytes >= 1024 ** 2 ? `${bytes / 1024 ** 2} MiB` : `${bytes / 1024} KiB`;
}

/** Runs a look at `path`: undefined if nothing is there, `LookError` if it fails otherwise. */
export async function present<T>(path: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw await failedLook(path, cause);
  }
}

/** The errors of a path that the user's own programs cannot follow either. */
const CLOSED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "ELOOP", "ENAMETOOLONG"]);

/**
 * A look at a path outside of the project, where the agent cannot write. A path that is closed to
 * this user counts as absent: the user's git does not get in either. Any other failure, such as a
 * lack of file descriptors, says nothing about the path.
 *
 * Rejects with `LookError`.
 */
export async function lookOutside<T>(look: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look;
  } catch (cause) {
    if (cause instanceof LookError && CLOSED.has(cause.code)) return undefined;
    throw cause;
  }
}

/** The error, with a command that opens the path again, or shows why it is closed. */
async function failedLook(path: string, cause: unknown): Promise<LookError> {
  const code = codeOf(cause);
  if (code === "ENAMETOOLONG") return new LookError(path, tooDeepFix(path), cause);
  if (code !== "EACCES" && code !== "EPERM")
    return new LookError(path, `ls -ld ${quoteForShell(path)}`, cause);
  const closed = await closedDirectory(path);
  const owner = await lstat(closed).then(
    (stats) => stats.uid,
    () => undefined,
  );
  // SECURITY: chmod is recommended for the user's own files only. Another user may have closed a file
  // on purpose, and if root opened it, the agent could read it as well.
  if (owner === ownUid()) return new LookError(path, `chmod u+rwx ${quoteForShell(closed)}`, cause);
  const whose = owner === undefined ? "is not known to be yours" : `belongs to ${ownerName(owner)}`;
  const message = `${path} cannot be accessed (${code}): ${closed} ${whose}`;
  return new LookError(path, `sudo ls -ld ${quoteForShell(closed)}`, cause, message);
}

function ownerName(uid: number): string {
  return uid === 0 ? "root" : `the user with the number ${uid}`;
}

/** How many characters of an overlong path are shown. */
const MAX_SHOWN = 200;

/**
 * A command for directories that are too deep for any system call. It shows the topmost of them in
 * the project. That one may be the user's, so its removal is only a comment.
 */
function tooDeepFix(path: string): string {
  const root = projectOf(path);
  const names = path.split(sep);
  const depth = root === undefined ? names.length : root.split(sep).length + 1;
  const inProject = names.slice(0, depth).join(sep);
  const isShort = inProject.length <= MAX_SHOWN;
  const top = quoteForShell(isShort ? inProject : dirname(path.slice(0, MAX_SHOWN)));
  return `ls -ld ${top} # if it is not yours: rm -r ${top}`;
}

/** The topmost directory on the way to a path that this user may not enter, else the path itself. */
async function closedDirectory(path: string): Promise<string> {
  const above = dirname(path);
  if (above === path) return path;
  const higher = await closedDirectory(above);
  if (higher !== above) return higher;
  try {
    await lstat(path);
    return path;
  } catch (cause) {
    return codeOf(cause) === "EACCES" ? above : path;
  }
}

/** A path as one word of a shell command. */
export function quoteForShell(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
