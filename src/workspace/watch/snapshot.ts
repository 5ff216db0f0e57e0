import { createHash } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import {
  bytesOf,
  joined,
  OpenDirectory,
  parentOf,
  pathOf,
  UnreadableError,
} from "./open-directory.ts";
import { partsOf } from "./part.ts";
import { lookAtRepository } from "./repository.ts";
import type { PathMatcher } from "./rules.ts";
import { findSetId } from "./set-id.ts";
import { ENVIRONMENT, PACKAGES, SKIPPED } from "./table.ts";
import { isSettled, versionOf, type Watched, type WatchSnapshot } from "./watched.ts";

/** Bounds of one look at a project; beyond them it says that it has not seen all. */
const BOUNDS = {
  /** A project of this many files is looked at in some seconds. */
  entries: 400_000,
  watched: 5000,
  ms: 15_000,
  /** How much of a file is compared; of a longer one its times count besides. */
  bytes: 1024 * 1024,
} as const;

/** The directories in which a program that is new may be run by its name. */
const PROGRAM_DIRS = new Set(["", "bin", ".bin"]);

/** How many directories are looked at at once: as many as Node has threads for it. */
const LANES = 4;

/** How many links to directories may lie on one path. */
const MAX_LINKS = 3;

/** What a snapshot is taken of. */
export type SnapshotOptions = {
  readonly root: string;
  readonly matcher: PathMatcher;
  /** An earlier one, whose unchanged files are not read again. */
  readonly earlier?: WatchSnapshot | undefined;
  readonly bounds?: Partial<Record<keyof typeof BOUNDS, number>>;
  readonly signal?: AbortSignal;
};

/** Looks at all that is watched in a project. Rejects with `signal.reason`. */
export async function snapshotWatched(options: SnapshotOptions): Promise<WatchSnapshot> {
  const root = await realpath(options.root).catch(() => options.root);
  const takenAtMs = Date.now();
  const began = performance.now();
  const walk = new Walk({ ...options, root });
  await walk.run();
  const { watched, unseen, cut } = walk;
  return { watched, unseen, cut, takenAtMs, tookMs: performance.now() - began };
}

/** A directory that is to be looked at. */
type Todo = {
  readonly path: string;
  /** Where it lies, if a link leads there from `path`. */
  readonly real: string;
  /** How many links led here. */
  readonly links: number;
  /** What runs all in it, where something does. */
  readonly runs?: string | undefined;
  /** The latest change of a directory above it, the project's top left out. */
  readonly arrivedAtMs: number;
};

const BARE = "git obeys its configuration and hooks wherever it is run inside";
const NESTED = `it makes a repository of its directory: ${BARE}, and by \`git status\` above it once \`git add\` has taken it in`;
const OUT = "it leads out of the project: what follows it on your machine reads or writes there";
const PROGRAM = "it can be run by its name now";
const PARSER =
  "Neovim loads it into itself to show that language, where the project is on its 'runtimepath'";
const SET_ID = "whoever runs it on your machine has your rights in it, another user too";
const UNSEEN = "what your machine would run of it is not known";
/** What git knows a repository by, and Python and conda an environment. */
const MARKS = new Set(["HEAD", "objects", "refs", "commondir", "pyvenv.cfg", "conda-meta"]);

/** What of something that is watched is told to the walk. */
type Found = Omit<Watched, "inode" | "version" | "changedAtMs" | "arrivedAtMs"> & {
  readonly stats: BigIntStats;
  readonly changedAtMs?: number;
};

class Walk {
  readonly watched = new Map<string, Watched>();
  readonly unseen = new Map<string, Watched>();
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
    this.#root = pathOf(options.root);
    this.#until = performance.now() + this.#bounds.ms;
  }

  /** Looks at what is higher up first, so that a bound that is met cuts off what is deep. */
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
    this.#keepUnseen();
  }

  async #setId(paths: readonly string[] | undefined): Promise<void> {
    if (paths === undefined) this.cut ??= "programs that run with your rights could not be found";
    for (const path of paths ?? []) {
      const todo = { path: parentOf(path), arrivedAtMs: 0 };
      try {
        await using directory = await OpenDirectory.open(joined(this.#root, todo.path));
        const stats = await directory?.stat(basename(path));
        if (stats?.isFile() && (stats.mode & 0o6000n) !== 0n)
          this.#set(path, todo, { runs: SET_ID, kind: "set-id", stats, ...NO_CONTENT });
      } catch (cause) {
        this.#missed({ ...todo, real: todo.path, links: 0 }, cause);
      }
    }
  }

  /**
   * SECURITY: what could not be looked at is what it was, so that what was changed meanwhile is found
   * out by the next look that can.
   */
  #keepUnseen(): void {
    for (const [path, was] of this.#options.earlier?.watched ?? [])
      if (!this.watched.has(path) && (this.cut !== undefined || this.#isBelowUnseen(path)))
        this.watched.set(path, was);
  }

  #isBelowUnseen(path: string): boolean {
    if (this.unseen.size === 0) return false;
    for (let above = path; ; above = parentOf(above)) {
      if (this.unseen.has(above)) return true;
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
        // Most files are nobody's concern and cost no wait.
        const looking = this.#entry(directory, here, entry);
        if (looking !== undefined) await looking;
      }
    }
    if (listed.has("pyvenv.cfg") || listed.has("conda-meta")) this.#environment(todo.path);
    const isBare = listed.has("objects") && listed.has("refs");
    if (listed.has("HEAD") && (isBare || listed.has("commondir")))
      await this.#repository(here, here.real, joined(todo.path, "."), BARE);
  }

  /** Of a virtual environment the programs count. */
  #environment(path: string): void {
    const at = this.#todo.findIndex((it) => it.path === joined(path, "bin"));
    const bin = this.#todo[at];
    if (bin !== undefined) this.#todo[at] = { ...bin, runs: bin.runs ?? ENVIRONMENT };
  }

  /** A look that failed is not one that found nothing. */
  #missed({ path, real, arrivedAtMs }: Todo, cause: unknown): void {
    this.#options.signal?.throwIfAborted();
    if (!(cause instanceof UnreadableError)) {
      this.cut ??= `something in it could not be looked at (${String(cause)})`;
      return;
    }
    // Of a directory without rights each one in it says so again.
    if (this.#isBelowUnseen(parentOf(path)) && path !== "") return;
    this.unseen.set(path, {
      ...{ runs: UNSEEN, kind: "unseen", why: cause.code, parts: undefined },
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
      // It was there before the sandbox, so that what is in it is out of the agent's reach, and it
      // changes with each of the user's commits.
      const stats = await directory.stat(entry.name);
      if (stats !== undefined)
        this.#set(path, todo, { runs: NESTED, kind: "repository", stats, ...NO_CONTENT });
    } else if (entry.isDirectory())
      await this.#repository(todo, joined(todo.real, entry.name), path, NESTED);
    else if (entry.isSymbolicLink()) await this.#link(directory, todo, entry, NESTED);
    else await this.#add(directory, todo, entry, NESTED, "repository");
  }

  async #addProgram(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> {
    const stats = await directory.stat(entry.name);
    if (stats === undefined || (stats.mode & 0o111n) === 0n) return;
    const path = joined(todo.path, entry.name);
    this.#set(path, todo, { runs: PROGRAM, kind: "program", stats, ...NO_CONTENT });
  }

  /** Neovim takes any name there; a parser is known by its first bytes from a source of that folder. */
  async #addParser(directory: OpenDirectory, todo: Todo, entry: Dirent<string>): Promise<void> {
    const magic = await directory.read(entry.name, ELF.length).catch(() => ELF);
    if (magic?.equals(ELF) === true) await this.#add(directory, todo, entry, PARSER, "file");
  }

  /** What git obeys of a repository: `real` is its own directory, `at` what stands for it. */
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
   * A link counts where it is in the place of what is watched, and where it leads out. Tools follow
   * one that stays inside, so that what it leads to is looked at as if it were here.
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
    const runs = fileRuns ?? dirRuns ?? (inside === undefined ? OUT : undefined);
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

  /** The content of the file in the project that a link leads to. */
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

  /** Where a link in the project leads to in it, from its top; undefined where it leads out. */
  async #inside(real: string, target: string): Promise<string | undefined> {
    const link = joined(this.#root, real);
    const named = resolve(dirname(link), target);
    const end = await realpath(bytesOf(link), "latin1").catch(() => resolved(named));
    const isInside = [named, end].every(
      (it) => it === this.#root || it.startsWith(`${this.#root}${sep}`),
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
      const seen = known?.kind === "unseen" ? known.seen : known;
      const hash = `${cause.code} ${versionOf(stats)}`;
      const it = { runs, kind: "unseen", stats, hash, seen, why: cause.code } as const;
      this.#set(path, todo, { ...it, parts: undefined });
    }
  }

  #set(path: string, todo: Pick<Todo, "arrivedAtMs">, { stats, ...it }: Found): void {
    const changedAtMs = it.changedAtMs ?? Number(stats.ctimeMs);
    this.watched.set(path, {
      ...it,
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

/** The project's own repository, as it was when nothing ran yet. */
function isOfUser(earlier: Watched | undefined): boolean {
  return earlier?.kind === "repository" && earlier.hash === "";
}

/** Where a path leads to, as far as it exists. */
async function resolved(path: string): Promise<string> {
  const real = await realpath(bytesOf(path), "latin1").catch(() => undefined);
  const parent = dirname(path);
  if (real !== undefined || parent === path) return real ?? path;
  return joined(await resolved(parent), basename(path));
}

function digest(content: Buffer | undefined): string {
  return content === undefined ? "" : createHash("sha256").update(content).digest("hex");
}
