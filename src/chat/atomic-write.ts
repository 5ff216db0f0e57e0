import { randomBytes } from "node:crypto";
import { closeSync, constants, fsyncSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { inPlace, modeOfPlain, openPlace, type PlaceOptions } from "./place.ts";

const NEW = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/**
 * Writes `text` to `path` so that a crash at any moment leaves the old file or the new one, whole:
 * a file beside it is written, synced, and renamed over it, and the directory is synced.
 *
 * SECURITY: the directory may lie in the project, where the sandbox can write. It is opened once and
 * reached by its descriptor, so the write stays in that directory whatever is renamed meanwhile; a
 * link in the file's place, or on the way to it, is refused and never followed. Of a file with
 * several names, only this one becomes the new file. (write-file-atomic 7 resolves links of the
 * target and writes where they lead.)
 *
 * @throws the error of the file system, with its `code`.
 */
export async function writeAtomically(
  path: string,
  text: string,
  options: PlaceOptions = {},
): Promise<void> {
  const directory = openPlace(dirname(path), options);
  try {
    const target = inPlace(directory, basename(path));
    const beside = inPlace(directory, `.codex-chat-${randomBytes(12).toString("hex")}.tmp`);
    const file = await open(beside, NEW, modeOfPlain(target, path));
    try {
      await writeWhole(file, text);
      await rename(beside, target);
    } catch (cause) {
      await unlink(beside).catch(() => undefined);
      throw cause;
    }
    syncDirectory(directory);
  } finally {
    closeSync(directory);
  }
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
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
    });
  } finally {
    closeSync(directory);
  }
}

async function writeWhole(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
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
