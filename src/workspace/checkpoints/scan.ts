import type { Dirent } from "node:fs";
import { joined, shownPath } from "../byte-path.ts";
import { ProjectDir } from "../project-dir.ts";
import { BOUNDS, type Bounds, ScanFailure, Slices } from "./bounds.ts";
import { FileRecords } from "./file-records.ts";
import { isSameState, type Scan, type ScannedDir } from "./scanned.ts";
import type { Missed } from "./tree.ts";

/** After how many entries the clock is looked at. */
const SLICE_ENTRIES = 64;

const RULES = ".gitignore";

/** How a project is scanned. */
export type ScanOptions = {
  /** The project's resolved root, as bytes. */
  readonly root: string;
  /** Directories that are not the project's, as that of its conversations; paths below the root. */
  readonly exclude: ReadonlySet<string>;
  /** The scan before, whose unchanged files are not read again. */
  readonly earlier: Scan | undefined;
  /** Ignore rules outside of the project's files have changed since then. */
  readonly hasNewRules: boolean;
  /** Which of these paths are ignored. */
  readonly ignored: (paths: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Stores a content that the earlier scan does not have. */
  readonly store: (content: Buffer) => Promise<void>;
  readonly onProgress: (files: number) => void;
  readonly signal: AbortSignal;
  readonly bounds?: Partial<Bounds>;
};

/**
 * Looks at all files of a project and stores the contents that are new.
 *
 * SECURITY: everything below the root may be the agent's and may change meanwhile. No link is
 * followed, nothing but regular files and links is read, a directory of another file system is not
 * entered, and the time, the entries and the bytes are bounded. What cannot be accessed is listed,
 * and never counts as gone.
 *
 * Rejects with `ScanFailure`, with what `store` and `ignored` reject with, and with the signal's reason.
 */
export async function scanProject(options: ScanOptions): Promise<Scan> {
  const walk = new Walk(options);
  await walk.run();
  const { files, missed } = walk.records;
  // In the same order each time, so that two scans of the same tree are equal.
  return { files, missed: [...missed.values()], dirs: walk.dirs, emptyDirs: walk.emptyDirs.sort() };
}

/** A directory that is yet to be looked at. */
type Todo = {
  readonly path: string;
  /** Ignore rules that count in it have changed since the earlier scan. */
  readonly isStale: boolean;
};

/** Entries of a directory of which it is not known whether they are ignored. */
type Unknown = { readonly todo: Todo; readonly entries: readonly Dirent<string>[] };

class Walk {
  readonly records: FileRecords;
  readonly dirs = new Map<string, ScannedDir>();
  readonly emptyDirs: string[] = [];
  readonly #options: ScanOptions;
  readonly #bounds: Bounds;
  readonly #slices: Slices;
  /** What the earlier scan missed: whether it is ignored is known. */
  readonly #wasMissed: ReadonlyMap<string, Missed>;
  /** The file system of the root. */
  #device = 0;
  #entries = 0;
  #depth = 0;
  #next: Todo[] = [];

  constructor(options: ScanOptions) {
    const { earlier, store, onProgress, signal } = options;
    const bounds = { ...BOUNDS, ...options.bounds };
    const slices = new Slices(signal, bounds.ms);
    this.#options = options;
    this.#bounds = bounds;
    this.#slices = slices;
    this.#wasMissed = new Map(earlier?.missed.map((each) => [each.path, each]));
    this.records = new FileRecords({ earlier, store, onProgress, bounds, slices });
  }

  /** Goes level by level, so that git is asked about ignored paths at most once for each. */
  async run(): Promise<void> {
    this.#device = this.#deviceOfRoot();
    this.#next = [{ path: "", isStale: this.#options.hasNewRules }];
    for (; this.#next.length > 0; this.#depth += 1) {
      const level = this.#next;
      this.#next = [];
      const unknown: Unknown[] = [];
      for (const todo of level) {
        const left = await this.#directory(todo);
        if (left !== undefined) unknown.push(left);
      }
      if (unknown.length > 0) await this.#ask(unknown);
    }
  }

  #deviceOfRoot(): number {
    try {
      using top = ProjectDir.open(this.#options.root);
      if (top !== undefined) return top.stats().dev;
    } catch (cause) {
      this.records.unreadable("", cause, false);
    }
    throw new ScanFailure("failed", "the project's directory is gone");
  }

  /** Looks at a directory; gives the entries about which git has to be asked. */
  async #directory(todo: Todo): Promise<Unknown | undefined> {
    if (this.#slices.isOver) await this.#slices.breathe();
    using dir = this.#open(todo.path, false);
    if (dir === undefined) return undefined;
    const listed = await this.#list(dir, todo.path, this.#bounds.entries - this.#entries);
    if (listed === undefined) {
      const count = this.#bounds.entries.toLocaleString("en-US");
      throw new ScanFailure("too_large", `the project has more than ${count} files`);
    }
    this.#entries += listed.length;
    if (listed.length === 0 && todo.path !== "") this.emptyDirs.push(todo.path);
    const rules = listed.find(({ name }) => name === RULES);
    if (rules?.isFIFO()) {
      const shown = shownPath(joined(todo.path, RULES));
      throw new ScanFailure("failed", `${shown} is a pipe, and git would wait for its end`);
    }
    const isStale = todo.isStale || this.#hasNewRules(dir, todo.path, rules);
    const here = { path: todo.path, isStale };
    const prefix = todo.path === "" ? "" : `${todo.path}/`;
    const entries: Dirent<string>[] = [];
    let count = 0;
    for (const entry of listed) {
      if (++count % SLICE_ENTRIES === 0 && this.#slices.isOver) await this.#slices.breathe();
      const path = prefix + entry.name;
      if (!this.#isRecorded(entry, path)) continue;
      const was = entry.isDirectory() ? undefined : this.#options.earlier?.files.get(path);
      const isIgnored = isStale ? undefined : (was?.isIgnored ?? this.#wasIgnored(entry, path));
      if (isIgnored === undefined) {
        entries.push(entry);
        continue;
      }
      // Most files are known, and cost no promise.
      const looking = entry.isDirectory()
        ? this.#enter(here, path, isIgnored)
        : this.records.add({ dir, path, name: entry.name, isIgnored, was });
      if (looking !== undefined) await looking;
    }
    return entries.length === 0 ? undefined : { todo: here, entries };
  }

  async #ask(unknown: readonly Unknown[]): Promise<void> {
    const paths = unknown.flatMap(({ todo, entries }) =>
      entries.map(({ name }) => joined(todo.path, name)),
    );
    const ignored = await this.#options.ignored(paths);
    for (const { todo, entries } of unknown) {
      using dir = this.#open(todo.path, false);
      if (dir === undefined) continue;
      for (const entry of entries) {
        if (this.#slices.isOver) await this.#slices.breathe();
        const { name } = entry;
        const path = joined(todo.path, name);
        const isIgnored = ignored.has(path);
        const was = this.#options.earlier?.files.get(path);
        if (entry.isDirectory()) await this.#enter(todo, path, isIgnored);
        else await this.records.add({ dir, path, name, isIgnored, was });
      }
    }
  }

  /** Opens a directory that this walk may enter; undefined for one that is gone or was listed as missed. */
  #open(path: string, isIgnored: boolean): ProjectDir | undefined {
    let dir: ProjectDir | undefined;
    try {
      dir = ProjectDir.open(joined(this.#options.root, path));
      if (dir === undefined) return undefined;
      const { dev, mode } = dir.stats();
      if (dev === this.#device) {
        this.dirs.set(path, { mode: mode & 0o777, isIgnored });
        return dir;
      }
      this.records.missed.set(path, { path, why: "other_disk" });
    } catch (cause) {
      this.records.unreadable(path, cause, isIgnored);
    }
    dir?.[Symbol.dispose]();
    return undefined;
  }

  /** All entries of a directory; undefined if there are more than `max`. */
  async #list(
    dir: ProjectDir,
    path: string,
    max: number,
  ): Promise<readonly Dirent<string>[] | undefined> {
    try {
      if (dir.stats().size <= this.#bounds.dirBytes) {
        const all = dir.entries();
        return all.length > max ? undefined : all;
      }
      const all: Dirent<string>[] = [];
      for (const entry of dir.manyEntries()) {
        all.push(entry);
        if (all.length > max) return undefined;
        if (all.length % SLICE_ENTRIES === 0 && this.#slices.isOver) await this.#slices.breathe();
      }
      return all;
    } catch (cause) {
      this.records.unreadable(path, cause, false);
      return [];
    }
  }

  /** Neither a repository of the user's is recorded, nor one of the agent's. */
  #isRecorded(entry: Dirent<string>, path: string): boolean {
    if (!entry.isFile() && !entry.isDirectory() && !entry.isSymbolicLink()) return false;
    if (entry.name.length === 4 && entry.name.toLowerCase() === ".git") return false;
    return this.#options.exclude.size === 0 || !this.#options.exclude.has(path);
  }

  #wasIgnored(entry: Dirent<string>, path: string): boolean | undefined {
    const known = entry.isDirectory() ? this.#options.earlier?.dirs : this.#wasMissed;
    return known?.get(path)?.isIgnored;
  }

  #hasNewRules(dir: ProjectDir, above: string, rules: Dirent<string> | undefined): boolean {
    const path = joined(above, RULES);
    const was = this.#options.earlier?.files.get(path);
    // Git does not follow a link of this name.
    const had = was !== undefined && was.kind !== "120000";
    if (rules === undefined || !rules.isFile()) return had;
    const stats = this.records.look({ dir, path, name: RULES, isIgnored: false });
    return stats === undefined || !had || !isSameState(was.state, stats);
  }

  #enter({ isStale }: Todo, path: string, isIgnored: boolean): Promise<void> | undefined {
    this.dirs.set(path, { mode: undefined, isIgnored });
    if (isIgnored) return this.#ignoredDirectory(path);
    if (this.#depth < this.#bounds.depth) this.#next.push({ path, isStale });
    else this.records.missed.set(path, { path, why: "deep" });
    return undefined;
  }

  /** Records a directory that the ignore rules hide if it is small, such as one with settings. */
  async #ignoredDirectory(top: string): Promise<void> {
    const found: { path: string; names: string[] }[] = [];
    const empty: string[] = [];
    let left = Math.min(this.#bounds.ignoredPerDir, this.records.ignoredLeft);
    for (const todo = [top]; todo.length > 0; ) {
      if (this.#slices.isOver) await this.#slices.breathe();
      const path = todo.pop() ?? "";
      using dir = this.#open(path, true);
      if (dir === undefined) continue;
      const listed = await this.#list(dir, path, left);
      if (listed === undefined) {
        this.records.missed.set(top, { path: top, why: "ignored" });
        return;
      }
      left -= listed.length;
      if (listed.length === 0) empty.push(path);
      const names: string[] = [];
      for (const entry of listed) {
        const below = joined(path, entry.name);
        if (!this.#isRecorded(entry, below)) continue;
        if (entry.isDirectory()) todo.push(below);
        else names.push(entry.name);
      }
      if (names.length > 0) found.push({ path, names });
    }
    this.#entries += found.length;
    this.emptyDirs.push(...empty);
    for (const { path, names } of found) {
      using dir = this.#open(path, true);
      if (dir === undefined) continue;
      for (const name of names) {
        const file = joined(path, name);
        const was = this.#options.earlier?.files.get(file);
        const looking = this.records.add({ dir, path: file, name, isIgnored: true, was });
        if (looking !== undefined) await looking;
      }
    }
  }
}
