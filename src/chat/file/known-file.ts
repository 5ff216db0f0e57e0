import { createHash } from "node:crypto";
import { closeSync, lstatSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  changedJustNow,
  type FileStamp,
  stampOf,
  type WriteOptions,
  writeAtomically,
} from "../../atomic-write.ts";
import { inPlace, openPlace, openPlain } from "../../place.ts";

/** The largest text that is compared and kept, in bytes; `lua/codex-chat/buffer/document.lua` reads no more. */
const maxBytes = 64 * 1024 * 1024;

type Write = (path: string, text: Uint8Array, options: WriteOptions) => Promise<FileStamp>;

/** A text in the file that is neither the last one read nor the last one written. */
export type OtherText = {
  readonly at: "other";
  readonly text: string;
  /** As it stands there: bytes that are not UTF-8 are U+FFFD in `text`. */
  readonly bytes: Uint8Array;
  readonly hash: string;
};

/** What stands in the file, compared with what is known to stand there. */
export type Look =
  /** The text that was read or written last. */
  | { readonly at: "known" }
  /** Nothing: the file was removed, or was never there. */
  | { readonly at: "absent" }
  | OtherText;

/** The hash by which texts are compared, here and in `lua/codex-chat/disk/truth.lua`: of the bytes. */
export function textHash(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * A conversation's file, and what is known to stand in it.
 *
 * Others may write it at any time: git, a sync tool, another editor. Its stamp (device, inode, size
 * and time) tells cheaply that it is the file of before; where it differs, the content decides.
 */
export class KnownFile {
  readonly #path: string;
  readonly #trusted: string | undefined;
  readonly #write: Write;
  #hash: string | undefined;
  #stamp: FileStamp | undefined;

  /** `write` stands in for the writing of a whole file in tests. */
  constructor(path: string, trusted: string | undefined, write: Write = writeAtomically) {
    this.#path = path;
    this.#trusted = trusted;
    this.#write = write;
  }

  /** The hash of the text that is known to stand there; undefined before the first look or write. */
  get hash(): string | undefined {
    return this.#hash;
  }

  /**
   * Looks at the file: one `lstat` where nothing has changed, else it is read.
   *
   * @throws the error of the file system, with its `code`, and where it is not a plain file.
   */
  look(): Look {
    return this.#within((place): Look => {
      const stat = lstatSync(place, { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) {
        this.#stamp = undefined;
        return { at: "absent" };
      }
      if (this.#stamp !== undefined && this.#stamp === stampOf(stat)) return { at: "known" };
      const { bytes, stamp } = readPlain(place, this.#path);
      const hash = textHash(bytes);
      if (hash !== this.#hash) return { at: "other", text: bytes.toString("utf8"), bytes, hash };
      this.#stamp = stamp;
      return { at: "known" };
    });
  }

  /** What stands there now, known or not. Throws as `look` does, and where there is nothing. */
  bytes(): Buffer {
    return this.#within((place) => readPlain(place, this.#path).bytes);
  }

  /** Takes a text that stands in the file as known: it may be replaced. */
  accept(hash: string): void {
    this.#hash = hash;
    this.#stamp = undefined;
  }

  /**
   * Writes the file. It is refused where the file was changed since the last look.
   *
   * `onLate` is told what another program wrote in the very moment.
   *
   * @throws the error of the file system, with its `code`; `ECHANGED` where another has just written.
   */
  async write(
    bytes: Uint8Array,
    hash: string,
    onLate: (late: Uint8Array) => void = () => undefined,
  ): Promise<void> {
    if (this.#stamp === undefined && this.look().at === "other") throw changedJustNow(this.#path);
    const replaces = this.#stamp ?? "absent";
    this.#stamp = await this.#write(this.#path, bytes, {
      trusted: this.#trusted,
      replaces,
      onLate,
    });
    this.#hash = hash;
  }

  #within<T>(use: (place: string) => T): T {
    const directory = openPlace(dirname(this.#path), { trusted: this.#trusted });
    try {
      return use(inPlace(directory, basename(this.#path)));
    } finally {
      closeSync(directory);
    }
  }
}

/** Reads a file that is a plain one, and no larger than a conversation may be. */
function readPlain(place: string, path: string): { bytes: Buffer; stamp: FileStamp } {
  const { fd, stat } = openPlain(place, path);
  try {
    if (stat.size > maxBytes)
      throw Object.assign(
        new Error(`${path} has become larger than 64 MB: look at it, then move it away`),
        { code: "EFBIG" },
      );
    return { bytes: readFileSync(fd), stamp: stampOf(stat) };
  } finally {
    closeSync(fd);
  }
}
