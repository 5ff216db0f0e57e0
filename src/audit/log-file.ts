import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file that has reached this size is rotated. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** How many rotated files are kept. */
export const MAX_SET_ASIDE = 4;

const FLAGS =
  constants.O_WRONLY |
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_NOFOLLOW |
  constants.O_NONBLOCK;

/**
 * A file to which several processes append complete lines, and which is rotated when it is large.
 *
 * Lines are written in append mode, in writes that the kernel does not interleave. There is no
 * lock: a process that finds the file too large renames it to a unique name, and a process that
 * finds another file at the path opens that one. At worst a small file is rotated.
 */
export class LogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #inode: number | undefined;
  /** Whether the last write may have ended in the middle of a line. */
  #isTorn = false;

  constructor(path: string, maxBytes: number = MAX_FILE_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** @throws the file system's error, with its `code`. */
  async append(lines: string): Promise<void> {
    const file = await this.#current();
    const bytes = Buffer.from(this.#isTorn ? `\n${lines}` : lines);
    this.#isTorn = true;
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten < bytes.length)
      throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    this.#isTorn = false;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** The open file at the path, rotated first if it is full. */
  async #current(): Promise<FileHandle> {
    const named = await lstat(this.#path).catch(() => undefined);
    if (this.#file !== undefined && named?.ino !== this.#inode) await this.close();
    else if (named !== undefined && named.size >= this.#maxBytes) {
      await this.close();
      await this.#setAside();
    }
    this.#file ??= await this.#open();
    return this.#file;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const file = await open(this.#path, FLAGS, 0o600);
    try {
      const stats = await file.stat();
      if (!stats.isFile())
        throw Object.assign(new Error(`${this.#path} is not a regular file`), { code: "ENOTREG" });
      if ((stats.mode & 0o077) !== 0) await file.chmod(0o600);
      this.#inode = stats.ino;
    } catch (cause) {
      await file.close();
      throw cause;
    }
    return file;
  }

  async #setAside(): Promise<void> {
    const dir = dirname(this.#path);
    const name = basename(this.#path, ".jsonl");
    const time = new Date().toISOString().replace(/[-:.]/g, "");
    const unique = randomBytes(4).toString("hex");
    await rename(this.#path, join(dir, `${name}-${time}-${unique}.jsonl`)).catch(() => {});
    for (const old of (await setAsideFiles(this.#path)).slice(0, -MAX_SET_ASIDE))
      await unlink(old).catch(() => {});
  }
}

/** The rotated files of this log, oldest first. */
async function setAsideFiles(path: string): Promise<readonly string[]> {
  const start = `${basename(path, ".jsonl")}-`;
  const names = await readdir(dirname(path)).catch(() => []);
  return names
    .filter((name) => name.startsWith(start) && name.endsWith(".jsonl"))
    .sort()
    .map((name) => join(dirname(path), name));
}
