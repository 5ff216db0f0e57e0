import { createHash } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import { hasGitNames } from "../../git-layout.ts";
import { bytePath, bytesOf, joined, parentOf } from "../byte-path.ts";
import { partsOf } from "./manifest-fields.ts";
import type { PathMatcher } from "./matcher.ts";
import { OpenDirectory, UnreadableError } from "./open-directory.ts";
import { ENVIRONMENT, PACKAGES, REASONS, SKIPPED } from "./patterns.ts";
import { lookAtRepository } from "./repository.ts";
import { findSetId } from "./set-id.ts";
import { isSettled, versionOf, type Watched, type WatchSnapshot } from "./watched.ts";

/** Bounds of one snapshot; one that meets a bound says that it is incomplete. */
const BOUNDS = {
  /** This many files take a few seconds. */
  entries: 400_000,
  watched: 5000,
  ms: 15_000,
  /** How much of a file is compared; for a longer file its times are compared as well. */
  bytes: 1024 * 1024,
} as const;

/** Directories in which a new program may be run by its name. */
const PROGRAM_DIRS = new Set(["", "bin", ".bin"]);

/** How many directories are read at once: as many as Node has threads for. */
const LANES = 4;

/** How many links to directories one path may have. */
const MAX_LINKS = 3;

/** How a snapshot is taken. */
export type SnapshotOptions = {
  readonly root: string;
  readonly matcher: PathMatcher;
  /** An earlier snapshot, whose unchanged files are not read again. */
  readonly earlier?: WatchSnapshot | undefined;
  readonly bounds?: Partial<Record<keyof typeof BOUNDS, number>>;
  readonly signal?: AbortSignal;
};

/** Takes a snapshot of all watched files in a project. Rejects with `signal.reason`. */
export async function snapshotWatched(options: SnapshotOptions): Promise<WatchSnapshot> {
  const root = await realpath(options.root).catch(() => options.root);
  const takenAtMs = Date.now();
  const began = performance.now();
  const walk = new Walk({ ...options, root });
  await walk.run();
  const { watched, unreadable, cut } = walk;
  return { watched, unreadable, cut, takenAtMs, tookMs: performance.now() - began };
}

/** A directory that is yet to be read. */
type Todo = {
  readonly path: string;
  /** Where it really is, if `path` leads there by a link. */
  readonly real: string;
  /** How many links led here. */
  readonly links: number;
  /** What runs all files in it, if anything does. */
  readonly runs?: string | undefined;
  /** The latest change of a parent directory, without the project's top. */
  readonly arrivedAtMs: number;
};

/** Names that show a repository, or an environment of Python or conda. */
const MARKS = new Set(["HEAD", "objects", "refs", "commondir", "pyvenv.cfg", "conda-meta"]);

/** A watched file as the walk finds it. */
type Found = Omit<Watched, "inode" | "version" | "changedAtMs" | "arrivedAtMs"> & {
  readonly stats: BigIntStats;
  readonly changedAtMs?: number;
};

class Walk {
  readonly watched = new Map<string, Watched>();
  readonly unreadable = new Map<string, Watched>();
  cut: string | undefined;
  readonly #options: SnapshotOptions;
  readonly #bounds;
  readonly #root: string;
  readonly #until: number;
  #entries = 0;
  readonly #todo: Todo[] = [{ path: "", real: "", links: 0, arrivedAtMs: 0 }];

  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    this.#root = bytePath(options.root);
    this.#until = performance.now() + this.#bounds.ms;
  }

  /** Reads breadth first, so that a bound cuts off only deep directories. */
  async run(): Promise<void> {
    const setId = findSetId(this.#options.root, this.#bounds.ms);
    while (this.#todo.length > 0 && this.cut === undefined) {
      const next = this.#todo.splice(0).values();
      await Promise.all(
        Array.from({ length: LANES }, async () => {
          for (const todo of next)
            await this.#directory(todo).catch((cause) => this.#missed(todo, cause));
        }),
      );
    }
    await this.#setId(await setId);
    this.#keepUnreadable();
  }

  async #setId(paths: readonly string[] | undefined): Promise<void> {
    if (paths === undefined) this.cut ??= "programs that run with your rights could not be found";
    for (const path of paths ?? []) {
      const todo = { path: parentOf(path), arrivedAtMs: 0 };
      try {
        await using directory = await OpenDirectory.open(joined(this.#root, todo.path));
        const stats = await directory?.stat(basename(path));
        if (stats?.isFile() && (stats.mode & 0o6000n) !== 0n)
          this.#set(path, todo, { runs: REASONS.setId, kind: "set-id", stats, ...NO_CONTENT });
      } catch (cause) {
        this.#missed({ ...todo, real: todo.path, links: 0 }, cause);
      }
    }
  }

  /**
   * SECURITY: a file that cannot be accessed keeps its earlier state, so that a change meanwhile is
   * found by the next snapshot that can look.
   */
  #keepUnreadable(): void {
    for (const [path, was] of this.#options.earlier?.watched ?? [])
      if (!this.watched.has(path) && (this.cut !== undefined || this.#isBelowUnreadable(path)))
        this.watched.set(path, was);
  }

  #isBelowUnreadable(path: string): boolean {
    if (this.unreadable.size === 0) return false;
    for (let above = path; ; above = parentOf(above)) {
      if (this.unreadable.has(above)) return true;
      if (above === "") return false;
    }
  }

  async #directory(todo: Todo): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (this.cut !== undefined) return;
    await using directory = await OpenDirectory.open(joined(this.#root, todo.real));
    if (directory === undefined) return;
    const changedAtMs = todo.path === "" ? 0 : Number(directory.stats.ctimeMs);
    const here = { ...todo, arrivedAtMs: Math.max(todo.arrivedAtMs, changedAtMs) };
    const listed = new Set<string>();
    for await (const entries of directory.entries()) {
      this.#entries += entries.length;
      this.cut = this.#whyCut();
      if (this.cut !== undefined) return;
      for (const entry of entries) {
        if (MARKS.has(entry.name)) listed.add(entry.name);
        // Most files are not watched and cost no await.
        const looking = this.#entry(directory, here, entry);
        if (looking !== undefined) await looking;
      }
    }
    if (listed.has("pyvenv.cfg") || listed.has("conda-meta")) this.#environment(todo.path);
    if (hasGitNames(listed))
      await this.#repository(here, here.real, joined(todo.path, "."), REASONS.bare);
  }

  /** Watches the programs of a virtual environment. */
  #environment(path: string): void {
    const at = this.#todo.findIndex((todo) => todo.path === joined(path, "bin"));
    const bin = this.#todo[at];
    if (bin !== undefined) this.#todo[at] = { ...bin, runs: bin.runs ?? ENVIRONMENT };
  }

  /** Records a failed look, which does not mean that nothing is there. */
  #missed({ path, real, arrivedAtMs }: Todo, cause: unknown): void {
    this.#options.signal?.throwIfAborted();
    if (!(cause instanceof UnreadableError)) {
      this.cut ??= `something in it could not be accessed (${String(cause)})`;
      return;
    }
    // In a directory without rights every file fails; the directory is named once.
    if (this.#isBelowUnreadable(parentOf(path)) && path !== "") return;
    this.unreadable.set(path, {
      ...{ runs: REASONS.unreadable, kind: "unreadable", why: cause.code, parts: undefined },
      ...{ inode: "", version: "", hash: `${cause.code} ${real}`, changedAtMs: arrivedAtMs },
      arrivedAtMs,
    });
  }

  #whyCut(): string | undefined {
    const { entries, watched, ms } = this.#bounds;
    if (this.#entries > entries) return `it has more than ${entries.toLocaleString("en-US")} files`;
    if (this.watched.size > watched)
      return `it has more than ${watched.toLocaleString("en-US")} such files`;
    return performance.now() > this.#until ? `it took more than ${ms / 1000} s` : undefined;
  }

  #entry(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> | undefined {
    const path = joined(todo.path, entry.name);
    const { matcher } = this.#options;
    if (entry.name.toLowerCase() === ".git") return this.#git(directory, todo, entry);
    if (entry.isDirectory()) {
      const runs = todo.runs ?? matcher.dirRuns(path);
      const real = joined(todo.real, entry.name);
      const isSkipped = SKIPPED.has(entry.name) || basename(todo.path) === PACKAGES;
      if (!isSkipped) this.#todo.push({ ...todo, path, real, runs });
      return undefined;
    }
    const runs = todo.runs ?? matcher.fileRuns(path);
    if (entry.isSymbolicLink()) return this.#link(directory, todo, entry, runs);
    if (runs !== undefined) return this.#add(directory, todo, entry, runs, "file");
    if (entry.isFile() && PROGRAM_DIRS.has(todo.path))
      return this.#addProgram(directory, todo, entry);
    if (entry.isFile() && todo.path === "parser") return this.#addParser(directory, todo, entry);
    return undefined;
  }

  async #git(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> {
    const path = joined(todo.path, entry.name);
    const { earlier } = this.#options;
    if (path === ".git" && (earlier === undefined || isOfUser(earlier.watched.get(path)))) {
      // It was there before the sandbox, so the agent cannot reach it, and it changes with each of
      // the user's commits.
      const stats = await directory.stat(entry.name);
      if (stats !== undefined)
        this.#set(path, todo, { runs: REASONS.nested, kind: "repository", stats, ...NO_CONTENT });
    } else if (entry.isDirectory())
      await this.#repository(todo, joined(todo.real, entry.name), path, REASONS.nested);
    else if (entry.isSymbolicLink()) await this.#link(directory, todo, entry, REASONS.nested);
    else await this.#add(directory, todo, entry, REASONS.nested, "repository");
  }

  async #addProgram(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> {
    const stats = await directory.stat(entry.name);
    if (stats === undefined || (stats.mode & 0o111n) === 0n) return;
    const path = joined(todo.path, entry.name);
    this.#set(path, todo, { runs: REASONS.program, kind: "program", stats, ...NO_CONTENT });
  }

  /** Neovim loads any name there; a parser differs from a source file by its first bytes. */
  async #addParser(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> {
    const magic = await directory.read(entry.name, ELF.length).catch(() => ELF);
    if (magic?.equals(ELF) === true)
      await this.#add(directory, todo, entry, REASONS.parser, "file");
  }

  /** Adds the files that git trusts in a repository: `real` is its directory, `at` its path here. */
  async #repository(todo: Todo, real: string, at: string, runs: string): Promise<void> {
    try {
      await using directory = await OpenDirectory.open(joined(this.#root, real));
      if (directory === undefined) return;
      const { stats } = directory;
      const look = await lookAtRepository(directory, this.#bounds.bytes);
      this.#set(at, todo, { runs, kind: "repository", stats, ...look });
    } catch (cause) {
      this.#missed({ ...todo, path: at, real }, cause);
    }
  }

  /**
   * A link counts if it is in the place of a watched file, or leads out of the project. Tools follow
   * a link that stays inside, so its target is read as if it were here.
   */
  async #link(
    directory: OpenDirectory,
    todo: Todo,
    entry: Dirent<string>,
    fileRuns: string | undefined,
  ): Promise<void> {
    const path = joined(todo.path, entry.name);
    const to = await directory.link(entry.name);
    const stats = await directory.stat(entry.name);
    if (to === undefined || stats === undefined) return;
    const { matcher } = this.#options;
    const dirRuns = todo.runs ?? matcher.dirRuns(path);
    const inside = await this.#inside(joined(todo.real, entry.name), to);
    const runs = fileRuns ?? dirRuns ?? (inside === undefined ? REASONS.out : undefined);
    if (inside !== undefined && todo.links < MAX_LINKS && (dirRuns ?? matcher.leads(path))) {
      const links = todo.links + 1;
      this.#todo.push({ ...todo, path, real: inside, links, runs: dirRuns });
    }
    if (runs === undefined) return;
    const content = fileRuns === undefined ? undefined : await this.#target(inside);
    this.#set(path, todo, {
      ...{ runs, kind: "link", stats, to, hash: `${to}\0${content?.hash ?? ""}`, parts: undefined },
      changedAtMs: Math.max(Number(stats.ctimeMs), content?.changedAtMs ?? 0),
    });
  }

  /** The content of a link's target, if that is a file in the project. */
  async #target(
    inside: string | undefined,
  ): Promise<{ readonly hash: string; readonly changedAtMs: number } | undefined> {
    if (inside === undefined) return undefined;
    let version = "";
    try {
      await using directory = await OpenDirectory.open(joined(this.#root, parentOf(inside)));
      const stats = await directory?.stat(basename(inside));
      if (directory === undefined || stats?.isFile() !== true) return undefined;
      version = versionOf(stats);
      const content = await directory.read(basename(inside), this.#bounds.bytes);
      return { hash: digest(content), changedAtMs: Number(stats.ctimeMs) };
    } catch (cause) {
      if (!(cause instanceof UnreadableError)) throw cause;
      return { hash: `${cause.code} ${version}`, changedAtMs: 0 };
    }
  }

  /** A link's target, from the project's top; undefined if it leads out. */
  async #inside(real: string, target: string): Promise<string | undefined> {
    const link = joined(this.#root, real);
    const named = resolve(dirname(link), target);
    const end = await realpath(bytesOf(link), "latin1").catch(() => resolved(named));
    const isInside = [named, end].every(
      (path) => path === this.#root || path.startsWith(`${this.#root}${sep}`),
    );
    return isInside ? end.slice(this.#root.length + 1) : undefined;
  }

  async #add(
    directory: OpenDirectory,
    todo: Todo,
    entry: Dirent<string>,
    runs: string,
    kind: Watched["kind"],
  ): Promise<void> {
    const path = joined(todo.path, entry.name);
    const stats = await directory.stat(entry.name);
    if (stats === undefined) return;
    const { earlier } = this.#options;
    const known = earlier?.watched.get(path);
    const isSame = known?.version === versionOf(stats) && known.runs === runs;
    if (earlier !== undefined && known !== undefined && isSame && isSettled(known, earlier)) {
      this.watched.set(path, { ...known, arrivedAtMs: arrived(todo, known.changedAtMs) });
      return;
    }
    try {
      const content = await directory.read(entry.name, this.#bounds.bytes);
      const isLong = stats.size > BigInt(this.#bounds.bytes);
      const text = content === undefined || isLong ? undefined : content.toString("utf8");
      this.#set(path, todo, {
        runs,
        kind: content === undefined ? "other" : kind,
        stats,
        hash: `${digest(content)}${isLong ? ` ${versionOf(stats)}` : ""}`,
        parts: text === undefined ? undefined : partsOf(entry.name, text),
      });
    } catch (cause) {
      if (!(cause instanceof UnreadableError)) throw cause;
      const seen = known?.kind === "unreadable" ? known.seen : known;
      const hash = `${cause.code} ${versionOf(stats)}`;
      const found = { runs, kind: "unreadable", stats, hash, seen, why: cause.code } as const;
      this.#set(path, todo, { ...found, parts: undefined });
    }
  }

  #set(path: string, todo: Pick<Todo, "arrivedAtMs">, { stats, ...found }: Found): void {
    const changedAtMs = found.changedAtMs ?? Number(stats.ctimeMs);
    this.watched.set(path, {
      ...found,
      inode: `${stats.dev} ${stats.ino}`,
      version: versionOf(stats),
      changedAtMs,
      arrivedAtMs: arrived(todo, changedAtMs),
    });
  }
}

const NO_CONTENT = { hash: "", parts: undefined } as const;
const ELF = Buffer.from("\x7fELF", "latin1");

function arrived({ arrivedAtMs }: Pick<Todo, "arrivedAtMs">, changedAtMs: number): number {
  return Math.max(arrivedAtMs, changedAtMs);
}

/** The project's own repository, as it was before anything ran. */
function isOfUser(earlier: Watched | undefined): boolean {
  return earlier?.kind === "repository" && earlier.hash === "";
}

/** A path with links resolved, as far as it exists. */
async function resolved(path: string): Promise<string> {
  const real = await realpath(bytesOf(path), "latin1").catch(() => undefined);
  const parent = dirname(path);
  if (real !== undefined || parent === path) return real ?? path;
  return joined(await resolved(parent), basename(path));
}

function digest(content: Buffer | undefined): string {
  return content === undefined ? "" : createHash("sha256").update(content).digest("hex");
}
