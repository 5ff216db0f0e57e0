import type { Stats } from "node:fs";
import { codeOf } from "../../error-code.ts";
import { bytesOf } from "../byte-path.ts";
import type { ProjectDir } from "../project-dir.ts";
import { type Bounds, ScanFailure, type Slices } from "./bounds.ts";
import { oidOf } from "./fast-import.ts";
import { isSameState, kindOf, type Scan, type ScannedFile, stateOf } from "./scanned.ts";
import type { Missed } from "./tree.ts";

/** How often progress is told. */
const PROGRESS_FILES = 1000;
/** How often a name that is now a file and now a link is looked at. */
const LOOKS = 3;

/** A file or link that is looked at. */
export type Place = {
  readonly dir: ProjectDir;
  /** From the project's root. */
  readonly path: string;
  readonly name: string;
  readonly isIgnored: boolean;
  /** The same in the earlier scan. */
  readonly was: ScannedFile | undefined;
};

/** How files are recorded. */
export type RecordOptions = {
  /** The scan before, whose unchanged files are not read again. */
  readonly earlier: Scan | undefined;
  /** Stores a content that the earlier scan does not have. */
  readonly store: (content: Buffer) => Promise<void>;
  readonly onProgress: (files: number) => void;
  readonly bounds: Bounds;
  readonly slices: Slices;
};

/** The files of one scan, and what it missed. */
export class FileRecords {
  readonly files = new Map<string, ScannedFile>();
  readonly missed = new Map<string, Missed>();
  readonly #options: RecordOptions;
  readonly #racyAfterMs: number;
  #ignored = 0;
  #bytes = 0;
  /** Contents that are in the repository, or on their way there; made with the first new one. */
  #stored: Set<string> | undefined;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#racyAfterMs = Date.now() - options.bounds.racyMs;
  }

  /** How many more files that the ignore rules hide can be recorded. */
  get ignoredLeft(): number {
    return this.#options.bounds.ignored - this.#ignored;
  }

  /** Records a file or link. Most files are known, and cost no promise. */
  add(place: Place): Promise<void> | undefined {
    const { path, isIgnored, was } = place;
    if (isIgnored && ++this.#ignored > this.#options.bounds.ignored) {
      this.missed.set(path, { path, why: "ignored" });
      return undefined;
    }
    const stats = this.look(place);
    if (stats === undefined) return undefined;
    if (was === undefined || !isSameState(was.state, stats)) return this.#read(place, stats);
    this.files.set(path, was.isIgnored === isIgnored ? was : { ...was, isIgnored });
    return undefined;
  }

  /** The state of an entry; undefined if it is gone or cannot be accessed. */
  look(place: Omit<Place, "was">): Stats | undefined {
    try {
      return place.dir.stat(place.name);
    } catch (cause) {
      this.unreadable(place.path, cause, place.isIgnored);
      return undefined;
    }
  }

  /** Lists a path as one that could not be accessed. */
  unreadable(path: string, cause: unknown, isIgnored: boolean): void {
    if (codeOf(cause) === "unknown") throw cause;
    if (path === "")
      throw new ScanFailure("failed", `the project cannot be read (${codeOf(cause)})`, cause);
    this.missed.set(path, { path, why: "unreadable", isIgnored });
  }

  async #read(place: Place, looked: Stats): Promise<void> {
    if (this.#options.slices.isOver) await this.#options.slices.breathe();
    const { path, isIgnored } = place;
    let stats: Stats | undefined = looked;
    for (let look = 0; look < LOOKS && stats !== undefined; look += 1) {
      if (!stats.isFile() && !stats.isSymbolicLink()) return;
      const found = this.#content(place, stats);
      if (found === "missed") return;
      if (found !== undefined) {
        await this.#put(place, found);
        return;
      }
      // Something else has the name by now.
      stats = this.look(place);
    }
    if (stats !== undefined) this.missed.set(path, { path, why: "unreadable", isIgnored });
  }

  #content(
    { dir, path, name, isIgnored }: Place,
    looked: Stats,
  ): { content: Buffer; stats: Stats } | "missed" | undefined {
    const { fileBytes } = this.#options.bounds;
    try {
      if (looked.isSymbolicLink()) {
        const target = dir.link(name);
        return target === undefined ? undefined : { content: bytesOf(target), stats: looked };
      }
      const read = looked.size > fileBytes ? undefined : dir.read(name, fileBytes + 1);
      if (read !== undefined && read.content.length <= fileBytes) return read;
      if (read === undefined && looked.size <= fileBytes) return undefined;
      const state = JSON.stringify(stateOf(read?.stats ?? looked));
      this.missed.set(path, { path, why: "large", state, isIgnored });
    } catch (cause) {
      this.unreadable(path, cause, isIgnored);
    }
    return "missed";
  }

  async #put(
    { path, name, isIgnored, was }: Place,
    { content, stats }: { readonly content: Buffer; readonly stats: Stats },
  ): Promise<void> {
    const kind = kindOf(stats);
    if (kind === "120000" && name.toLowerCase() === ".gitmodules") {
      // Git refuses a tree with such a link.
      this.missed.set(path, { path, why: "unreadable", isIgnored });
      return;
    }
    const oid = oidOf(content);
    if (oid !== was?.oid) await this.#store(oid, content);
    const isSettled = stats.ctimeMs < this.#racyAfterMs && content.length === stats.size;
    this.files.set(path, {
      ...{ kind, oid, isIgnored, mode: stats.mode & 0o777 },
      state: isSettled ? stateOf(stats) : undefined,
    });
    if (this.files.size % PROGRESS_FILES === 0) this.#options.onProgress(this.files.size);
  }

  async #store(oid: string, content: Buffer): Promise<void> {
    this.#stored ??= new Set([...(this.#options.earlier?.files.values() ?? [])].map(nameOf));
    if (this.#stored.has(oid)) return;
    this.#stored.add(oid);
    this.#bytes += content.length;
    const { bytes } = this.#options.bounds;
    if (this.#bytes > bytes)
      throw new ScanFailure("too_large", `its files have more than ${bytes / 1024 ** 3} GiB`);
    await this.#options.store(content);
  }
}

function nameOf({ oid }: ScannedFile): string {
  return oid;
}
