import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes `text` to `path` so that a crash at any moment leaves the old file or the new one, whole:
 * a file beside it is written, synced, and renamed over it, and the directory is synced.
 *
 * SECURITY: the directory may lie in the project, where the sandbox can write. It is opened once and
 * reached by its descriptor, and a link in the file's place is replaced and never followed, so the
 * write stays in that directory whatever is renamed meanwhile. (write-file-atomic 7 resolves links
 * of the target and writes where they lead.)
 *
 * @throws the error of the file system, with its `code`.
 */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const directory = await open(dirname(path), flags);
  try {
    const here = `/proc/self/fd/${directory.fd}`;
    const target = join(here, basename(path));
    const beside = join(here, `.${basename(path)}.${process.pid}.tmp`);
    await unlink(beside).catch(() => undefined);
    const file = await open(beside, "wx", await modeOf(target));
    try {
      await writeWhole(file, text);
      await rename(beside, target);
    } catch (cause) {
      await unlink(beside).catch(() => undefined);
      throw cause;
    }
    await directory.sync();
  } finally {
    await directory.close();
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

/** The mode of the file that is replaced, or that of a private one. */
async function modeOf(target: string): Promise<number> {
  try {
    const stat = await lstat(target);
    return stat.isFile() ? stat.mode & 0o777 : 0o600;
  } catch {
    return 0o600;
  }
}
