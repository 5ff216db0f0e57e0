import type { Dirent, Stats } from "node:fs";
import { codeOf } from "../../error-code.ts";
import { bytesOf, joined } from "../byte-path.ts";
import { ProjectDir } from "../project-dir.ts";
import { oidOf } from "./fast-import.ts";
import type { FileKind, Missed, TreeFile } from "./tree.ts";

/** Bounds of one scan; one that meets a bound makes no checkpoint. */
const BOUNDS = {
  /** This many entries take a second. */
  entries: 300_000,
  ms: 120_000,
  /** New contents of one checkpoint. */
  bytes: 2 * 1024 ** 3,
  /** A larger file is not recorded. */
  fileBytes: 10 * 1024 ** 2,
  /** A directory that the ignore rules hide is recorded up to this many entries, */
  ignoredPerDir: 500,
  /** and all of them together up to this. */
  ignored: 5000,
} as const;

/** How long the host's other work may have to wait. */
const SLICE_MS = 4;
/** A file that changed so shortly before it was read may change again with the same times. */
const RACY_MS = 2000;

/** How often progress is told. */
const PROGRESS_FILES = 1000;

/**
 * A file is the same, with the same content and permissions, exactly if this is: the agent cannot set
 * ctime. Times are in ms, to less than a microsecond; `mode` is as in stat(2).
 */
type FileState = Pick<Stats, "ino" | "size" | "mode" | "mtimeMs" | "ctimeMs">;

/** A file as a scan knows it. */
export type ScannedFile = TreeFile & {
  /** Undefined where the next scan must read the file again. */
  readonly state: FileState | undefined;
  /** Its permissions, as 0o644. */
  readonly mode: number;
  readonly isIgnored: boolean;
};

/** The files of a project at one moment. */
export type Scan = {
  readonly files: ReadonlyMap<string, ScannedFile>;
  /** Directories, and whether the ignore rules hide them. */
  readonly dirs: ReadonlyMap<string, boolean>;
  readonly emptyDirs: readonly string[];
  readonly missed: readonly Missed[];
};

/** Why a project could not be scanned as a whole; a sentence without its end. */
export type ScanError = { readonly kind: "too_large" | "failed"; readonly message: string };

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
  readonly bounds?: Partial<Record<keyof typeof BOUNDS, number>>;
};

/** A scan that met a bound, or could not look at the project. */
export class ScanFailure extends Error {
  readonly kind: ScanError["kind"];

  constructor(kind: ScanError["kind"], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/**
 * Looks at all files of a project and stores the contents that are new.
 *
 * SECURITY: everything below the root may be the agent's and may change meanwhile. No link is
 * followed, nothing but regular files and links is read, a directory of another file system is not
 * entered, and the time, the entries and the bytes are bounded. What cannot be looked at is listed,
 * and never counts as gone.
 *
 * Rejects with `ScanFailure`, with what `store` and `ignored` reject with, and with the signal's reason.
 */
export async function scanProject(options: ScanOptions): Promise<Scan> {
  const walk = new Walk(options);
  await walk.run();
  const { files, dirs, emptyDirs, missed } = walk;
  return { files, dirs, emptyDirs, missed };
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
  readonly files = new Map<string, ScannedFile>();
  readonly dirs = new Map<string, boolean>();
  readonly emptyDirs: string[] = [];
  readonly missed: Missed[] = [];
  readonly #options: ScanOptions;
  readonly #bounds;
  readonly #untilMs: number;
  readonly #racyAfterMs = Date.now() - RACY_MS;
  /** The file system of the root. */
  #device = 0;
  #sliceMs = performance.now();
  #entries = 0;
  #ignored = 0;
  #bytes = 0;
  #next: Todo[] = [];
  /** Contents that are in the repository, or on their way there. */
  readonly #stored: Set<string>;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    this.#untilMs = performance.now() + this.#bounds.ms;
    this.#stored = new Set([...(options.earlier?.files.values() ?? [])].map(({ oid }) => oid));
  }

  /** Goes level by level, so that git is asked about ignored paths at most once for each. */
  async run(): Promise<void> {
    this.#device = this.#deviceOfRoot();
    this.#next = [{ path: "", isStale: this.#options.hasNewRules }];
    while (this.#next.length > 0) {
      const level = this.#next;
      this.#next = [];
      const unknown: Unknown[] = [];
      for (const todo of level) unknown.push(...(await this.#directory(todo)));
      await this.#ask(unknown);
    }
  }

  #deviceOfRoot(): number {
    try {
      using top = ProjectDir.open(this.#options.root);
      if (top !== undefined) return top.stats().dev;
    } catch (cause) {
      this.#unreadable("", cause);
    }
    throw new ScanFailure("failed", "the project's directory is gone");
  }

  /** Looks at a directory; gives the entries about which git has to be asked. */
  async #directory(todo: Todo): Promise<readonly Unknown[]> {
    await this.#breathe();
    using dir = this.#open(todo.path);
    if (dir === undefined) return [];
    const listed = this.#list(dir, todo.path);
    const isStale = todo.isStale || this.#hasNewRules(dir, todo.path);
    const here = { ...todo, isStale };
    const entries: Dirent<string>[] = [];
    for (const entry of listed) {
      const isIgnored = isStale ? undefined : this.#wasIgnored(joined(todo.path, entry.name));
      if (isIgnored === undefined) {
        entries.push(entry);
        continue;
      }
      // Most files are known, and cost no await.
      const looking = this.#entry(dir, here, entry, isIgnored);
      if (looking !== undefined) await looking;
    }
    return entries.length === 0 ? [] : [{ todo: here, entries }];
  }

  async #ask(unknown: readonly Unknown[]): Promise<void> {
    const paths = unknown.flatMap(({ todo, entries }) =>
      entries.map(({ name }) => joined(todo.path, name)),
    );
    const ignored = paths.length === 0 ? new Set<string>() : await this.#options.ignored(paths);
    for (const { todo, entries } of unknown) {
      await this.#breathe();
      using dir = this.#open(todo.path);
      if (dir === undefined) continue;
      for (const entry of entries)
        await this.#entry(dir, todo, entry, ignored.has(joined(todo.path, entry.name)));
    }
  }

  /** Opens a directory that this walk may enter; undefined for one that is gone or was listed as missed. */
  #open(path: string): ProjectDir | undefined {
    let dir: ProjectDir | undefined;
    try {
      dir = ProjectDir.open(joined(this.#options.root, path));
      if (dir === undefined || dir.stats().dev === this.#device) return dir;
      this.missed.push({ path, why: "other_disk" });
    } catch (cause) {
      this.#unreadable(path, cause);
    }
    dir?.[Symbol.dispose]();
    return undefined;
  }

  /** Its entries that can be recorded. Neither a repository of the user's nor one of the agent's is. */
  #list(dir: ProjectDir, path: string): readonly Dirent<string>[] {
    let all: readonly Dirent<string>[];
    try {
      all = dir.entries();
    } catch (cause) {
      this.#unreadable(path, cause);
      return [];
    }
    this.#entries += all.length;
    if (this.#entries > this.#bounds.entries) {
      const count = this.#bounds.entries.toLocaleString("en-US");
      throw new ScanFailure("too_large", `the project has more than ${count} files`);
    }
    if (all.length === 0 && path !== "") this.emptyDirs.push(path);
    return all.filter(
      (entry) =>
        (entry.isDirectory() || entry.isFile() || entry.isSymbolicLink()) &&
        entry.name.toLowerCase() !== ".git" &&
        !this.#options.exclude.has(joined(path, entry.name)),
    );
  }

  #wasIgnored(path: string): boolean | undefined {
    const { earlier } = this.#options;
    return earlier?.files.get(path)?.isIgnored ?? earlier?.dirs.get(path);
  }

  #hasNewRules(dir: ProjectDir, path: string): boolean {
    const name = ".gitignore";
    const was = this.#options.earlier?.files.get(joined(path, name));
    const stats = this.#look(dir, joined(path, name), name);
    return stats === undefined || !stats.isFile()
      ? was !== undefined
      : was === undefined || !isSameState(was.state, stats);
  }

  #entry(
    dir: ProjectDir,
    { path: above, isStale }: Todo,
    entry: Dirent<string>,
    isIgnored: boolean,
  ): Promise<void> | undefined {
    const path = joined(above, entry.name);
    if (!entry.isDirectory()) return this.#file(dir, path, entry.name, isIgnored);
    this.dirs.set(path, isIgnored);
    if (isIgnored) return this.#ignoredDirectory(path);
    this.#next.push({ path, isStale });
    return undefined;
  }

  /** Records a directory that the ignore rules hide if it is small, such as one with settings. */
  async #ignoredDirectory(path: string): Promise<void> {
    const found: { path: string; name: string; above: string }[] = [];
    const dirs: string[] = [];
    const empty: string[] = [];
    let count = 0;
    for (const todo = [path]; todo.length > 0; ) {
      await this.#breathe();
      const above = todo.pop() ?? "";
      using dir = this.#open(above);
      if (dir === undefined) continue;
      const before = this.emptyDirs.length;
      const entries = this.#list(dir, above);
      empty.push(...this.emptyDirs.splice(before));
      count += entries.length;
      if (count > this.#bounds.ignoredPerDir || this.#ignored + count > this.#bounds.ignored) {
        this.missed.push({ path, why: "ignored" });
        return;
      }
      for (const entry of entries) {
        const { name } = entry;
        if (entry.isDirectory()) todo.push(joined(above, name));
        else found.push({ path: joined(above, name), name, above });
      }
      if (above !== path) dirs.push(above);
    }
    for (const dir of dirs) this.dirs.set(dir, true);
    this.emptyDirs.push(...empty);
    for (const { path: file, name, above } of found) {
      using dir = this.#open(above);
      if (dir !== undefined) await this.#file(dir, file, name, true);
    }
  }

  #file(
    dir: ProjectDir,
    path: string,
    name: string,
    isIgnored: boolean,
  ): Promise<void> | undefined {
    if (isIgnored && ++this.#ignored > this.#bounds.ignored) {
      this.missed.push({ path, why: "ignored" });
      return undefined;
    }
    const stats = this.#look(dir, path, name);
    if (stats === undefined) return undefined;
    const was = this.#options.earlier?.files.get(path);
    if (was !== undefined && isSameState(was.state, stats)) {
      this.files.set(path, was.isIgnored === isIgnored ? was : { ...was, isIgnored });
      return undefined;
    }
    return this.#read(dir, path, name, stats, isIgnored);
  }

  async #read(
    dir: ProjectDir,
    path: string,
    name: string,
    looked: Stats,
    isIgnored: boolean,
  ): Promise<void> {
    await this.#breathe();
    const { fileBytes } = this.#bounds;
    let content: Buffer | undefined;
    let stats = looked;
    try {
      if (looked.isSymbolicLink()) {
        const target = dir.link(name);
        content = target === undefined ? undefined : bytesOf(target);
      } else {
        const read = dir.read(name, fileBytes + 1);
        content = read?.content;
        stats = read?.stats ?? looked;
      }
    } catch (cause) {
      this.#unreadable(path, cause);
    }
    if (content === undefined) return;
    if (content.length > fileBytes) {
      this.missed.push({ path, why: "large", state: JSON.stringify(stateOf(stats)) });
      return;
    }
    const oid = oidOf(content);
    await this.#store(oid, content);
    const isSettled =
      stats.ctimeMs < this.#racyAfterMs &&
      stats.mtimeMs < this.#racyAfterMs &&
      content.length === stats.size;
    this.files.set(path, {
      kind: kindOf(stats),
      oid,
      state: isSettled ? stateOf(stats) : undefined,
      mode: stats.mode & 0o777,
      isIgnored,
    });
    if (this.files.size % PROGRESS_FILES === 0) this.#options.onProgress(this.files.size);
  }

  async #store(oid: string, content: Buffer): Promise<void> {
    if (this.#stored.has(oid)) return;
    this.#stored.add(oid);
    this.#bytes += content.length;
    if (this.#bytes > this.#bounds.bytes) {
      const gibibytes = this.#bounds.bytes / 1024 ** 3;
      throw new ScanFailure("too_large", `its files have more than ${gibibytes} GiB`);
    }
    await this.#options.store(content);
  }

  #look(dir: ProjectDir, path: string, name: string): Stats | undefined {
    try {
      return dir.stat(name);
    } catch (cause) {
      this.#unreadable(path, cause);
      return undefined;
    }
  }

  #unreadable(path: string, cause: unknown): void {
    if (path === "")
      throw new ScanFailure("failed", `the project cannot be read (${codeOf(cause)})`, cause);
    if (codeOf(cause) === "unknown") throw cause;
    this.missed.push({ path, why: "unreadable" });
  }

  /** Lets other work run now and then, and ends a scan that takes too long. */
  async #breathe(): Promise<void> {
    const now = performance.now();
    if (now - this.#sliceMs < SLICE_MS) return;
    if (now > this.#untilMs)
      throw new ScanFailure(
        "too_large",
        `looking at it took more than ${this.#bounds.ms / 1000} s`,
      );
    await new Promise(setImmediate);
    this.#options.signal.throwIfAborted();
    this.#sliceMs = performance.now();
  }
}

function kindOf(stats: Stats): FileKind {
  if (stats.isSymbolicLink()) return "120000";
  return (stats.mode & 0o100) === 0 ? "100644" : "100755";
}

function stateOf({ ino, size, mode, mtimeMs, ctimeMs }: Stats): FileState {
  return { ino, size, mode, mtimeMs, ctimeMs };
}

function isSameState(was: FileState | undefined, stats: Stats): boolean {
  return (
    was !== undefined &&
    was.ctimeMs === stats.ctimeMs &&
    was.mtimeMs === stats.mtimeMs &&
    was.size === stats.size &&
    was.ino === stats.ino &&
    was.mode === stats.mode
  );
}
