import { type BigIntStats, constants, type Dirent } from "node:fs";
import { type FileHandle, lstat, open, opendir, readdir, readlink } from "node:fs/promises";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A directory whose entry is larger is read in pieces, since one answer would hold all up. */
const LARGE_BYTES = 64n * 1024n;
const PIECE = 256;

/** The errors of a path that is not there, or is something else than what was listed. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);
/** The errors of opening what is no file: a socket, or a device without a driver. */
const NO_FILE = new Set([...ABSENT, "ENXIO", "ENODEV", "EISDIR"]);

/**
 * Something is there, or may be, that could not be looked at. SECURITY: the agent has the user's uid
 * and takes the rights from a file as it likes, so that this is no absence.
 */
export class UnreadableError extends Error {
  /** The error's name, as EACCES. */
  readonly code: string;

  constructor(cause: unknown) {
    super("could not be looked at", { cause });
    this.code = codeOf(cause);
  }
}

/**
 * A directory that is being looked at. Paths and names are of any bytes: each character of a string
 * is one byte (latin1), and `shown` makes of it what a person reads.
 *
 * SECURITY: the agent may rename and replace anything meanwhile, and a link must not lead the host
 * out of the project. The directory is held by its descriptor, all in it is reached by that, and it
 * is passed over where the descriptor is not what the path says.
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
   * Opens the one at `path`, absolute and resolved; undefined where it is gone or another one by
   * now. Rejects with `Unseen`.
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

  /** What is in it, in pieces. Rejects with `Unseen`. */
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

  /** The entry itself, not what it leads to; undefined where it is gone. Rejects with `Unseen`. */
  async stat(name: string): Promise<BigIntStats | undefined> {
    return lstat(this.#at(name), { bigint: true }).catch((cause) => absent(cause, ABSENT));
  }

  /** Where a link leads to, as it says; undefined where it is none. Rejects with `Unseen`. */
  async link(name: string): Promise<string | undefined> {
    const none = new Set([...ABSENT, "EINVAL"]);
    return readlink(this.#at(name), "latin1").catch((cause) => absent(cause, none));
  }

  /** The first `maxBytes` of a regular file; undefined where it is none. Rejects with `Unseen`. */
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

/** The bytes of a path. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

/** The path of these bytes, from a string that a program of ours uses. */
export function pathOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** A path for a person. SECURITY: of the agent's making. */
export function shown(path: string): string {
  return bytesOf(path).toString("utf8");
}

/** A path below another one, either of which may be the project's top, "". */
export function joined(path: string, name: string): string {
  return path === "" ? name : name === "" ? path : `${path}/${name}`;
}

/** The directory of a path, "" of one at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
