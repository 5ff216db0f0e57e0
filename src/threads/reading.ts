import { closeSync, fstatSync, readSync } from "node:fs";
import { inPlace, openPlace, openPlain } from "../place.ts";
import type { ListedFile } from "./listing.ts";

/** How much of a file is read. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The bytes of a file, and whether there are more than were read. */
export type FileBytes = { readonly bytes: Buffer; readonly isCut: boolean };

/**
 * Reads files of conversations. It keeps the directory open from one file to the next: most lie in the
 * same one.
 */
export class Reader implements Disposable {
  readonly #stateDir: string;
  #dir: string | undefined;
  #fd = -1;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** @throws the error of the file system, and where it is not a plain file. */
  read({ place, name, path }: ListedFile): FileBytes {
    if (place.dir !== this.#dir) this.#enter(place.dir);
    const { fd, stat } = openPlain(inPlace(this.#fd, name), path);
    try {
      const bytes = Buffer.allocUnsafe(Math.min(Number(stat.size), MAX_BYTES));
      let filled = 0;
      while (filled < bytes.length) {
        const count = readSync(fd, bytes, filled, bytes.length - filled, null);
        if (count === 0) break;
        filled += count;
      }
      return { bytes: bytes.subarray(0, filled), isCut: filled < fstatSync(fd).size };
    } finally {
      closeSync(fd);
    }
  }

  #enter(dir: string): void {
    this[Symbol.dispose]();
    this.#fd = openPlace(dir, { trusted: this.#stateDir });
    this.#dir = dir;
  }

  [Symbol.dispose](): void {
    if (this.#dir !== undefined) closeSync(this.#fd);
    this.#dir = undefined;
  }
}
