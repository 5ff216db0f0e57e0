import { constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, rename, rm } from "node:fs/promises";
import { present, readPlainFile } from "../../../look.ts";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** An entry of a directory. */
export type Entry = { readonly name: string; readonly isDirectory: boolean };

/**
 * A directory that somebody else may be writing in at the same time. Every step goes from an open
 * directory to one name in it and follows no link, like openat(2), so a link that is put there at any
 * moment leads nowhere. Node has no openat; `/proc/self/fd/N/name` does the same.
 */
export class NoFollowDir implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens a directory by a trusted path; undefined if it is absent, a link or unreadable. */
  static async open(path: string): Promise<NoFollowDir | undefined> {
    try {
      return new NoFollowDir(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    } catch {
      return undefined;
    }
  }

  /**
   * Like `open`, if absence decides something; undefined for a file and a link. `shown` is the path
   * for messages. Rejects with `LookError`.
   */
  static async openPlain(path: string, shown = path): Promise<NoFollowDir | undefined> {
    const found = await present(shown, () => lstat(path));
    if (found?.isDirectory() !== true) return undefined;
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const handle = await present(shown, () => open(path, flags));
    return handle === undefined ? undefined : new NoFollowDir(handle);
  }

  /** Opens a directory in it. */
  async dir(name: string): Promise<NoFollowDir | undefined> {
    return NoFollowDir.open(this.#at(name));
  }

  /** Opens a directory in it, and makes it if it is absent. */
  async makeDir(name: string): Promise<NoFollowDir | undefined> {
    await mkdir(this.#at(name)).catch(() => {});
    return this.dir(name);
  }

  /**
   * Reads a regular file in it; undefined if there is none or it is larger than `maxBytes`. Does not
   * wait for a pipe.
   */
  async read(name: string, maxBytes: number): Promise<Buffer | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > maxBytes) return undefined;
      const buffer = Buffer.alloc(Number(stats.size));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return buffer.subarray(0, bytesRead);
    } catch {
      return undefined;
    } finally {
      await file?.close();
    }
  }

  /**
   * Like `read`, for a file that decides something; undefined only if nothing is there. `shown` is the
   * path for messages. Rejects with `LookError`.
   */
  readPlain(name: string, maxBytes: number, shown: string): Promise<Buffer | undefined> {
    return readPlainFile(this.#at(name), maxBytes, shown);
  }

  /** Like `dir`, if absence decides something; see `openPlain`. */
  plainDir(name: string, shown: string): Promise<NoFollowDir | undefined> {
    return NoFollowDir.openPlain(this.#at(name), shown);
  }

  /** The time, size and inode of a file in it, as text; empty if there is none. */
  async signature(name: string): Promise<string> {
    try {
      const { mtimeNs, size, ino } = await lstat(this.#at(name), { bigint: true });
      return `${mtimeNs}:${size}:${ino}`;
    } catch {
      return "";
    }
  }

  /** Lists at most `max` entries in no order; undefined if there are more. */
  async list(max: number): Promise<readonly Entry[] | undefined> {
    const entries: Entry[] = [];
    // Follows one link: that of the descriptor in /proc.
    for await (const entry of await opendir(`/proc/self/fd/${this.#handle.fd}`)) {
      if (entries.length >= max) return undefined;
      entries.push({ name: entry.name, isDirectory: isDirectory(entry) });
    }
    return entries;
  }

  /** Replaces a small file as git does, by renaming a lock file that is created exclusively. */
  async replace(name: string, text: string): Promise<void> {
    const lock = this.#at(`${name}.lock`);
    const file = await open(lock, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666);
    try {
      await file.writeFile(text);
      await file.sync();
      await file.close();
      await rename(lock, this.#at(name));
    } catch (thrown) {
      await file.close().catch(() => {});
      await rm(lock, { force: true });
      throw thrown;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #at(name: string): string {
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
      throw new Error(`not one name: ${JSON.stringify(name)}`);
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }
}

function isDirectory(entry: Dirent): boolean {
  return entry.isDirectory();
}
