import {
  closeSync,
  constants,
  type Dirent,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { codeOf } from "../error-code.ts";
import { bytesOf } from "./byte-path.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Errors of a name that is gone, or no longer of the kind that was listed. */
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);
/** Errors of opening something that is not a file: a socket, or a device without a driver. */
const NO_FILE: ReadonlySet<string> = new Set([...ABSENT, "ENXIO", "ENODEV", "EISDIR"]);

const NOT_ASCII = /[^\0-\x7f]/;

/** A regular file as it was read: its bytes, and its state from before it was read. */
export type ReadFile = { readonly content: Buffer; readonly stats: Stats };

/**
 * An open directory of a project, for reading and writing what lies directly in it. Names may have
 * any bytes (see byte-path.ts). All calls block: looking at tens of thousands of files costs a
 * quarter of the time this way, and the caller pauses between directories.
 *
 * SECURITY: the agent may rename and replace anything meanwhile, and no link may lead the host out of
 * the project. So everything is reached by the directory's descriptor, a directory whose descriptor
 * has another path than expected is not opened, and no link is followed in a name.
 *
 * Calls throw the error of the file system, with its `code`, unless they say otherwise.
 */
export class ProjectDir implements Disposable {
  readonly path: string;
  readonly #fd: number;
  readonly #below: string;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    this.#below = `/proc/self/fd/${fd}/`;
  }

  /** Opens the directory at `path`, absolute and resolved; undefined if it is gone or was replaced. */
  static open(path: string): ProjectDir | undefined {
    let fd: number;
    try {
      fd = openSync(bytesOf(path), DIRECTORY);
    } catch (cause) {
      return absent(cause, ABSENT);
    }
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`, "latin1") === path) return new ProjectDir(path, fd);
    } catch (cause) {
      closeSync(fd);
      throw cause;
    }
    closeSync(fd);
    return undefined;
  }

  /** Its own state. */
  stats(): Stats {
    return fstatSync(this.#fd);
  }

  /** Its entries, in no order. */
  entries(): readonly Dirent<string>[] {
    return readdirSync(`/proc/self/fd/${this.#fd}`, { withFileTypes: true, encoding: "latin1" });
  }

  /** The same of a directory that may have millions, one after the other. */
  *manyEntries(): Iterable<Dirent<string>> {
    // With a path of bytes names come as bytes; the types do not know this.
    const how = { encoding: "latin1" as BufferEncoding, bufferSize: 256 };
    const open = opendirSync(`/proc/self/fd/${this.#fd}`, how);
    try {
      for (let entry = open.readSync(); entry !== null; entry = open.readSync()) yield entry;
    } finally {
      open.closeSync();
    }
  }

  /** The state of an entry itself, not that of a link's target; undefined if it is gone. */
  stat(name: string): Stats | undefined {
    try {
      return lstatSync(this.#at(name), { throwIfNoEntry: false });
    } catch (cause) {
      return absent(cause, ABSENT);
    }
  }

  /** A link's target, as written; undefined if there is no link. */
  link(name: string): string | undefined {
    try {
      return readlinkSync(this.#at(name), "latin1");
    } catch (cause) {
      return absent(cause, new Set([...ABSENT, "EINVAL"]));
    }
  }

  /** The first `maxBytes` of a regular file; undefined if there is none. */
  read(name: string, maxBytes: number): ReadFile | undefined {
    let fd: number;
    try {
      fd = openSync(this.#at(name), FILE);
    } catch (cause) {
      return absent(cause, NO_FILE);
    }
    try {
      const stats = fstatSync(fd);
      return stats.isFile() ? { content: readStart(fd, stats.size, maxBytes), stats } : undefined;
    } finally {
      closeSync(fd);
    }
  }

  /** Makes a file that was not there, with these permissions whatever the umask, and syncs it. */
  create(name: string, content: Uint8Array, mode: number): void {
    const fd = openSync(this.#at(name), NEW, 0o600);
    try {
      for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes a link that was not there. */
  createLink(name: string, target: string): void {
    symlinkSync(bytesOf(target), this.#at(name));
  }

  /** Gives a file or link a second name, which nothing must have. */
  addName(from: string, to: string): void {
    linkSync(this.#at(from), this.#at(to));
  }

  /** Sets the permissions of a regular file. */
  chmod(name: string, mode: number): void {
    const fd = openSync(this.#at(name), FILE);
    try {
      if (fstatSync(fd).isFile()) fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  }

  /** Sets its own permissions. */
  chmodSelf(mode: number): void {
    fchmodSync(this.#fd, mode);
  }

  /** Gives an entry another name, in the place of a file or link that has it. */
  rename(from: string, to: string): void {
    renameSync(this.#at(from), this.#at(to));
  }

  /** Removes a file or a link; says whether one was there. */
  remove(name: string): boolean {
    try {
      unlinkSync(this.#at(name));
      return true;
    } catch (cause) {
      absent(cause, ABSENT);
      return false;
    }
  }

  /** Makes a directory with these permissions less the umask; says whether it was absent. */
  makeDir(name: string, mode = 0o777): boolean {
    try {
      mkdirSync(this.#at(name), mode);
      return true;
    } catch (cause) {
      if (codeOf(cause) === "EEXIST") return false;
      throw cause;
    }
  }

  /** Removes a directory if it is empty; says whether it did. */
  removeEmptyDir(name: string): boolean {
    try {
      rmdirSync(this.#at(name));
      return true;
    } catch (cause) {
      if (codeOf(cause) === "ENOTEMPTY" || codeOf(cause) === "EBUSY") return false;
      absent(cause, ABSENT);
      return false;
    }
  }

  /** Has the names in it survive a power failure. */
  sync(): void {
    fsyncSync(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  /** SECURITY: a name with a slash in it, or one that leads upwards, would leave the directory. */
  #at(name: string): string | Buffer {
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
      throw new Error(`not the name of one file: ${JSON.stringify(name)}`);
    // Most names are the same either way, and Node is faster with a string.
    return NOT_ASCII.test(name) ? bytesOf(this.#below + name) : this.#below + name;
  }
}

/** SECURITY: a file may grow while it is read, and one in /proc has no size at all. */
function readStart(fd: number, size: number, maxBytes: number): Buffer {
  const buffer = Buffer.alloc(Math.min(size + 1, maxBytes));
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function absent(cause: unknown, codes: ReadonlySet<string>): undefined {
  if (!codes.has(codeOf(cause))) throw cause;
  return undefined;
}
