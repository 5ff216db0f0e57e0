import { randomBytes } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { codeOf } from "./error-code.ts";
import { inPlace, modeOfPlain, O_PATH, openPlace, type PlaceOptions } from "./place.ts";

const NEW = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/** Which file stands at a path: device, inode, size and time of the last change of its text. */
export type FileStamp = string;

/** The stamp of a file. A file that is written anew, or renamed over, has another one. */
export function stampOf({ dev, ino, size, mtimeNs }: BigIntStats): FileStamp {
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}

/** The error of a file that another program has written between a look and the write. */
export function changedJustNow(path: string): Error {
  const message = `${path} was changed just now by another program`;
  return Object.assign(new Error(message), { code: "ECHANGED" });
}

/** What a write may replace. */
export type WriteOptions = PlaceOptions & {
  /** The file that may be replaced, `absent` for none; without it, whatever plain file is there. */
  readonly replaces?: FileStamp | "absent";
  /** Told what another program wrote into the old file in the moment in which it was replaced. */
  readonly onLate?: (bytes: Buffer) => void;
  /** The new file's permissions; without it, those of the file that it replaces, else 0600. */
  readonly mode?: number;
};

/**
 * Writes `text` to `path` so that a crash at any moment leaves the old file or the new one, whole:
 * a file beside it is written, synced, and renamed over it, and the directory is synced.
 *
 * SECURITY: the directory may lie in the project, where the sandbox can write. It is opened once and
 * reached by its descriptor, so the write stays in that directory whatever is renamed meanwhile; a
 * link in the file's place, or on the way to it, is refused and never followed. Of a file with
 * several names, only this one becomes the new file.
 *
 * Gives the stamp of the new file.
 *
 * @throws the error of the file system, with its `code`; `ECHANGED` where another file stands there
 *   than `replaces` says.
 */
export async function writeAtomically(
  path: string,
  text: string | Uint8Array,
  options: WriteOptions = {},
): Promise<FileStamp> {
  const directory = openPlace(dirname(path), options);
  try {
    const target = inPlace(directory, basename(path));
    const beside = inPlace(directory, `.codex-chat-${randomBytes(12).toString("hex")}.tmp`);
    const oldMode = modeOfPlain(target, path);
    const file = await open(beside, NEW, options.mode ?? oldMode);
    let stamp: FileStamp;
    try {
      stamp = await writeWhole(file, text, options.mode);
      if (options.replaces === undefined) renameSync(beside, target);
      else replace(beside, target, path, options);
    } catch (cause) {
      await unlink(beside).catch(() => undefined);
      throw cause;
    }
    syncDirectory(directory);
    return stamp;
  } finally {
    closeSync(directory);
  }
}

/**
 * Writes a file of the state directory, which the agent cannot write in, for this user alone.
 *
 * @param mode its permissions, also where a file with others is replaced
 * @throws as `writeAtomically`
 */
export async function writePrivate(path: string, text: string, mode = 0o600): Promise<void> {
  await writeAtomically(path, text, { trusted: dirname(path), mode });
}

/**
 * Writes a file in the place of nothing. The directory is reached as `writeAtomically` does it.
 *
 * @throws the error of the file system, `EEXIST` where something has the name.
 */
export function writeNew(path: string, content: string | Uint8Array, options: PlaceOptions): void {
  const directory = openPlace(dirname(path), options);
  try {
    const place = inPlace(directory, basename(path));
    const file = openSync(place, NEW, 0o600);
    try {
      writeFileSync(file, content);
    } catch (cause) {
      unlinkSync(place);
      throw cause;
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(directory);
  }
}

/** Removes a file, or a link and not what it leads to; nothing where there is none. */
export async function removeFile(path: string, options: PlaceOptions): Promise<void> {
  const directory = openPlace(dirname(path), options);
  try {
    await unlink(inPlace(directory, basename(path))).catch((cause: unknown) => {
      if (codeOf(cause) !== "ENOENT") throw cause;
    });
  } finally {
    closeSync(directory);
  }
}

/** Renames over the file that was expected, at once after a last look at it. */
function replace(beside: string, target: string, path: string, options: WriteOptions): void {
  const { replaces, onLate } = options;
  if (replaces === "absent") {
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) throw changedJustNow(path);
    renameSync(beside, target);
    return;
  }
  const old = openedAsPlace(target, path);
  try {
    const stampNow = () => stampOf(fstatSync(old, { bigint: true }));
    if (stampNow() !== replaces) throw changedJustNow(path);
    renameSync(beside, target);
    // No look and rename are one: who wrote in between has written into the file that is gone now.
    if (stampNow() !== replaces) onLate?.(readFileSync(`/proc/self/fd/${old}`));
  } finally {
    closeSync(old);
  }
}

/** Opens what is there without reading it: it is the expected file only if its stamp says so. */
function openedAsPlace(place: string, path: string): number {
  try {
    return openSync(place, O_PATH | constants.O_NOFOLLOW);
  } catch (cause) {
    throw codeOf(cause) === "ENOENT" ? changedJustNow(path) : cause;
  }
}

async function writeWhole(
  file: FileHandle,
  text: string | Uint8Array,
  mode: number | undefined,
): Promise<FileStamp> {
  try {
    // Opening applies the umask.
    if (mode !== undefined) await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
    return stampOf(await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

function syncDirectory(fd: number): void {
  // That of the walk says where the directory is and cannot be synced itself.
  const directory = openSync(`/proc/self/fd/${fd}/.`, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
