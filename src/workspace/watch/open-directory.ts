import { type BigIntStats, constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, open, opendir, readdir, readlink } from "node:fs/promises";
import { bytesOf } from "../byte-path.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A larger directory is read in pieces, since one long read would block everything else. */
const LARGE_BYTES = 64n * 1024n;
const PIECE = 256;

/** Errors of a path that is gone, or no longer of the kind that was listed. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);
/** Errors of opening something that is not a file: a socket, or a device without a driver. */
const NO_FILE = new Set([...ABSENT, "ENXIO", "ENODEV", "EISDIR"]);

/**
 * A path that may exist could not be accessed. SECURITY: the agent has the user's uid and can make
 * any file unreadable, so this does not count as absence.
 */
export class UnreadableError extends Error {
  /** The error's name, as EACCES. */
  readonly code: string;

  constructor(cause: unknown) {
    super("could not be accessed", { cause });
    this.code = codeOf(cause);
  }
}

/**
 * An open directory of the project. Paths and names may have any bytes: each character of a string is
 * one byte (latin1), and `shownPath` turns it into text for a person.
 *
 * SECURITY: the agent may rename and replace anything meanwhile, and no link may lead the host out of
 * the project. So everything in the directory is reached by its descriptor, and a directory whose
 * descriptor has another path than expected is skipped.
 */
export class OpenDirectory implements AsyncDisposable {
  readonly path: string;
  readonly stats: BigIntStats;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, stats: BigIntStats) {
    this.path = path;
    this.#file = file;
    this.stats = stats;
  }

  /**
   * Opens the one at `path`, absolute and resolved; undefined if it is gone or was
   * replaced. Rejects with `UnreadableError`.
   */
  static async open(path: string): Promise<OpenDirectory | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(bytesOf(path), DIRECTORY);
      if ((await readlink(`/proc/self/fd/${file.fd}`, "latin1")) === path)
        return new OpenDirectory(path, file, await file.stat({ bigint: true }));
    } catch (cause) {
      await file?.close().catch(() => {});
      return absent(cause, ABSENT);
    }
    await file.close().catch(() => {});
    return undefined;
  }

  /** Its entries, in pieces. Rejects with `UnreadableError`. */
  async *entries(): AsyncGenerator<readonly Dirent<string>[]> {
    const here = `/proc/self/fd/${this.#file.fd}`;
    try {
      if (this.stats.size <= LARGE_BYTES) {
        yield await readdir(here, { withFileTypes: true, encoding: "latin1" });
        return;
      }
      let piece: Dirent<string>[] = [];
      for await (const entry of await opendir(here, { encoding: "latin1", bufferSize: PIECE })) {
        piece.push(entry);
        if (piece.length < PIECE) continue;
        yield piece;
        piece = [];
      }
      yield piece;
    } catch (cause) {
      throw cause instanceof UnreadableError ? cause : new UnreadableError(cause);
    }
  }

  /** An entry's own stats, not those of a link's target; undefined if it is gone. Rejects with `UnreadableError`. */
  async stat(name: string): Promise<BigIntStats | undefined> {
    return lstat(this.#at(name), { bigint: true }).catch((cause) => absent(cause, ABSENT));
  }

  /** A link's target, as written; undefined if it is not a link. Rejects with `UnreadableError`. */
  async link(name: string): Promise<string | undefined> {
    const none = new Set([...ABSENT, "EINVAL"]);
    return readlink(this.#at(name), "latin1").catch((cause) => absent(cause, none));
  }

  /** The first `maxBytes` of a regular file; undefined if it is not one. Rejects with `UnreadableError`. */
  async read(name: string, maxBytes: number): Promise<Buffer | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.#at(name), FILE);
      if (!(await file.stat()).isFile()) return undefined;
      const buffer = Buffer.alloc(maxBytes);
      let length = 0;
      while (length < maxBytes) {
        const { bytesRead } = await file.read(buffer, length, maxBytes - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return buffer.subarray(0, length);
    } catch (cause) {
      return absent(cause, NO_FILE);
    } finally {
      await file?.close().catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close().catch(() => {});
  }

  #at(name: string): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#file.fd}/`), bytesOf(name)]);
  }
}

function absent(cause: unknown, codes: ReadonlySet<string>): undefined {
  if (!codes.has(codeOf(cause))) throw new UnreadableError(cause);
  return undefined;
}

function codeOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  return code ?? String(cause);
}
