import { constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, rename, rm } from "node:fs/promises";
import { present, readPlainFile } from "../../../look.ts";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** What stands in a directory, by the kind of it. */
export type Entry = { readonly name: string; readonly isDirectory: boolean };

/**
 * A directory that somebody else may be writing in at this moment. Every step goes from an open
 * directory to one name in it and follows no link, as openat(2) does: what is planted there leads
 * nowhere, however it is timed. Node has no openat; `/proc/self/fd/N/name` is the same.
 */
export class NoFollowDir implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens a directory by a path of ours; undefined where there is none, or a link. */
  static async open(path: string): Promise<NoFollowDir | undefined> {
    try {
      return new NoFollowDir(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    } catch {
      return undefined;
    }
  }

  /**
   * As `open`, where absence decides something; undefined also for a file and for a link. `shown` is
   * the path that the user knows it by. Rejects with `LookError`.
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

  /** Opens a directory in it, made where it is absent. */
  async makeDir(name: string): Promise<NoFollowDir | undefined> {
    await mkdir(this.#at(name)).catch(() => {});
    return this.dir(name);
  }

  /**
   * Reads a regular file in it; undefined where there is none, or one of more than `maxBytes`.
   * A pipe is not waited for.
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
   * As `read`, of a file that decides something; undefined only where there is nothing. `shown` is
   * the path that the user knows it by. Rejects with `LookError`.
   */
  readPlain(name: string, maxBytes: number, shown: string): Promise<Buffer | undefined> {
    return readPlainFile(this.#at(name), maxBytes, shown);
  }

  /** As `dir`, where absence decides something; as `openPlain`. */
  plainDir(name: string, shown: string): Promise<NoFollowDir | undefined> {
    return NoFollowDir.openPlain(this.#at(name), shown);
  }

  /** The time, size and inode of a file in it, as text; empty where there is none. */
  async signature(name: string): Promise<string> {
    try {
      const { mtimeNs, size, ino } = await lstat(this.#at(name), { bigint: true });
      return `${mtimeNs}:${size}:${ino}`;
    } catch {
      return "";
    }
  }

  /** Lists at most `max` names in no order; undefined where there are more. */
  async list(max: number): Promise<readonly Entry[] | undefined> {
    const entries: Entry[] = [];
    // The descriptor's own link is the one link that is followed.
    for await (const entry of await opendir(`/proc/self/fd/${this.#handle.fd}`)) {
      if (entries.length >= max) return undefined;
      entries.push({ name: entry.name, isDirectory: isDirectory(entry) });
    }
    return entries;
  }

  /** Replaces a small file as git does: by a lock beside it, which nobody else holds. */
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
