import { createHash } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import { bytesOf, Directory, pathOf } from "./directory.ts";
import { type Parts, partsOf } from "./part.ts";
import type { Matcher } from "./rules.ts";
import { findSetId } from "./set-id.ts";
import { SKIPPED } from "./table.ts";

/** Bounds of one look at a project; beyond them it says that it has not seen all. */
export const BOUNDS = {
  /** A project of this many files is looked at in some seconds. */
  entries: 400_000,
  watched: 5000,
  ms: 15_000,
  /** How much of a file is compared; of a longer one its times count besides. */
  bytes: 1024 * 1024,
} as const;

/** How many directories are looked at at once: as many as Node has threads for it. */
const LANES = 4;

/** Something that is watched. `runs` says by what. */
export type Watched = {
  readonly runs: string;
  /** Of what it is: a file's content, a link's target, a directory that is a repository. */
  readonly kind: "file" | "link" | "repository" | "program" | "set-id" | "other";
  /** Changes with every write, and cannot be set from inside: inode, size, times. */
  readonly version: string;
  /** Of the content, or where a link leads to. */
  readonly hash: string;
  readonly parts: Parts | undefined;
  /** When it was last changed in any way, milliseconds; the kernel's word. */
  readonly changedAtMs: number;
};

/** What is watched in a project, by path from its top. */
export type Snapshot = {
  readonly watched: ReadonlyMap<string, Watched>;
  /** Why not all was looked at; undefined where all was. */
  readonly cut: string | undefined;
};

/** What a snapshot is taken of. */
export type SnapshotOptions = {
  readonly root: string;
  readonly matcher: Matcher;
  /** An earlier one, whose unchanged files are not read again. */
  readonly earlier?: Snapshot | undefined;
  readonly bounds?: Partial<Record<keyof typeof BOUNDS, number>>;
  readonly signal?: AbortSignal;
};

/** Looks at all that is watched in a project. Rejects with `signal.reason`. */
export async function takeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const root = await realpath(options.root).catch(() => options.root);
  const walk = new Walk({ ...options, root });
  await walk.run();
  return { watched: walk.watched, cut: walk.cut };
}

/** A directory that is to be looked at; what runs all in it, where something does. */
type Todo = { readonly path: string; readonly runs?: string | undefined };

const BARE = "git obeys its configuration and hooks wherever it is run inside";
const NESTED = `it makes a repository of its directory: ${BARE}, and by \`git status\` above it once \`git add\` has taken it in`;
const OUT = "it leads out of the project: what follows it on your machine reads or writes there";
const PROGRAM = "it can be run by its name now";
const SET_ID = "whoever runs it on your machine has your rights in it, another user too";
/** What git knows a repository by. */
const OF_REPOSITORY = new Set(["HEAD", "objects", "refs", "commondir"]);

class Walk {
  readonly watched = new Map<string, Watched>();
  cut: string | undefined;
  readonly #options: SnapshotOptions;
  readonly #bounds;
  readonly #root: string;
  readonly #until: number;
  #entries = 0;
  readonly #todo: Todo[] = [{ path: "" }];

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
            await this.#directory(todo).catch((cause) => this.#missed(cause));
        }),
      );
    }
    await this.#setId(await setId);
  }

  async #setId(paths: readonly string[] | undefined): Promise<void> {
    if (paths === undefined) this.cut ??= "programs that run with your rights could not be found";
    for (const path of paths ?? []) {
      await using directory = await Directory.open(join(this.#root, parentOf(path)));
      const stats = await directory?.stat(basename(path));
      if (stats?.isFile() && (stats.mode & 0o6000n) !== 0n)
        this.#set(path, { runs: SET_ID, kind: "set-id", stats, hash: "", parts: undefined });
    }
  }

  async #directory(todo: Todo): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (this.cut !== undefined) return;
    await using directory = await Directory.open(join(this.#root, todo.path));
    if (directory === undefined) return;
    const listed = new Set<string>();
    for await (const entries of directory.entries()) {
      this.#entries += entries.length;
      this.cut = this.#whyCut();
      if (this.cut !== undefined) return;
      for (const entry of entries) {
        if (OF_REPOSITORY.has(entry.name)) listed.add(entry.name);
        // Most files are nobody's concern and cost no wait.
        const looking = this.#entry(directory, todo, entry);
        if (looking !== undefined) await looking;
      }
    }
    const isBare = listed.has("objects") && listed.has("refs");
    if (listed.has("HEAD") && (isBare || listed.has("commondir")))
      await this.#repository(todo.path, join(todo.path, "."), BARE);
  }

  /** A look that failed is not one that found nothing. */
  #missed(cause: unknown): void {
    this.#options.signal?.throwIfAborted();
    this.cut ??= `something in it could not be looked at (${String(cause)})`;
  }

  #whyCut(): string | undefined {
    const { entries, watched, ms } = this.#bounds;
    if (this.#entries > entries) return `it has more than ${entries.toLocaleString("en-US")} files`;
    if (this.watched.size > watched)
      return `it has more than ${watched.toLocaleString("en-US")} such files`;
    return performance.now() > this.#until ? `it took more than ${ms / 1000} s` : undefined;
  }

  #entry(directory: Directory, todo: Todo, entry: Dirent<string>): Promise<void> | undefined {
    const path = join(todo.path, entry.name);
    if (entry.name.toLowerCase() === ".git") return this.#git(directory, path, entry);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name))
        this.#todo.push({ path, runs: todo.runs ?? this.#options.matcher.dirRuns(path) });
      return undefined;
    }
    const runs = todo.runs ?? this.#options.matcher.fileRuns(path);
    if (runs !== undefined) return this.#add(directory, path, entry, runs, "file");
    if (entry.isSymbolicLink()) return this.#addLink(directory, path, entry);
    if (entry.isFile() && isOfPrograms(todo.path)) return this.#addProgram(directory, path, entry);
    return undefined;
  }

  async #git(directory: Directory, path: string, entry: Dirent<string>): Promise<void> {
    if (path === ".git") {
      // What is in it is out of the agent's reach, and changes with each of the user's commits.
      const stats = await directory.stat(entry.name);
      if (stats !== undefined)
        this.#set(path, { runs: NESTED, kind: "repository", stats, hash: "", parts: undefined });
    } else if (entry.isDirectory()) await this.#repository(path, path, NESTED);
    else await this.#add(directory, path, entry, NESTED, "repository");
  }

  async #addProgram(directory: Directory, path: string, entry: Dirent<string>): Promise<void> {
    const stats = await directory.stat(entry.name);
    if (stats !== undefined && (stats.mode & 0o111n) !== 0n)
      this.#set(path, { runs: PROGRAM, kind: "program", stats, hash: "", parts: undefined });
  }

  /** What git obeys of a repository: `path` is that of its own directory, `at` what stands for it. */
  async #repository(path: string, at: string, runs: string): Promise<void> {
    await using directory = await Directory.open(join(this.#root, path));
    if (directory === undefined) return;
    const hash = createHash("sha256");
    const parts = new Map<string, string>();
    for (const name of ["config", "config.worktree", "commondir"])
      parts.set(`file \0${name}`, digest(await directory.read(name, this.#bounds.bytes)));
    for (const [below, names] of [
      ["info", ["attributes"]],
      ["objects/info", ["alternates"]],
      ["hooks", undefined],
    ] as const)
      for (const [name, text] of await this.#files(join(path, below), names))
        parts.set(`file \0${below}/${name}`, text);
    for (const [name, text] of parts) {
      if (text === "") parts.delete(name);
      hash.update(`${name}\0${text}\0`);
    }
    const stats = await directory.stat(".");
    if (stats !== undefined)
      this.#set(at, {
        runs,
        kind: "repository",
        stats,
        hash: hash.digest("hex"),
        parts,
      });
  }

  /** The digests of the files in a small directory: of these names, or of all but samples. */
  async #files(
    path: string,
    names: readonly string[] | undefined,
  ): Promise<readonly (readonly [string, string])[]> {
    await using directory = await Directory.open(join(this.#root, path));
    if (directory === undefined) return [];
    const found: [string, string][] = [];
    for await (const entries of directory.entries())
      for (const { name } of entries) {
        if (names === undefined ? name.endsWith(".sample") : !names.includes(name)) continue;
        if (found.length >= 100) return found;
        const stats = await directory.stat(name);
        const text = await directory.read(name, this.#bounds.bytes);
        found.push([name, `${stats === undefined ? "" : stats.mode & 0o111n} ${digest(text)}`]);
      }
    return found;
  }

  async #addLink(directory: Directory, path: string, entry: Dirent<string>): Promise<void> {
    const target = await directory.link(entry.name);
    if (target === undefined || (await this.#staysInside(path, target))) return;
    const stats = await directory.stat(entry.name);
    if (stats !== undefined)
      this.#set(path, { runs: OUT, kind: "link", stats, hash: target, parts: undefined });
  }

  async #staysInside(path: string, target: string): Promise<boolean> {
    const link = join(this.#root, path);
    const named = resolve(dirname(link), target);
    const real = await realpath(bytesOf(link), "latin1").catch(() => resolved(named));
    return [named, real].every((it) => it === this.#root || it.startsWith(`${this.#root}${sep}`));
  }

  async #add(
    directory: Directory,
    path: string,
    entry: Dirent<string>,
    runs: string,
    kind: Watched["kind"],
  ): Promise<void> {
    const stats = await directory.stat(entry.name);
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) {
      const hash = (await directory.link(entry.name)) ?? "";
      this.#set(path, { runs, kind: "link", stats, hash, parts: undefined });
      return;
    }
    const known = this.#options.earlier?.watched.get(path);
    if (known !== undefined && known.version === versionOf(stats) && known.runs === runs) {
      this.watched.set(path, known);
      return;
    }
    const content = await directory.read(entry.name, this.#bounds.bytes);
    const isLong = stats.size > BigInt(this.#bounds.bytes);
    const text = content === undefined || isLong ? undefined : content.toString("utf8");
    this.#set(path, {
      runs,
      kind: content === undefined ? "other" : kind,
      stats,
      hash: isLong ? versionOf(stats) : digest(content),
      parts: text === undefined ? undefined : partsOf(entry.name, text),
    });
  }

  #set(path: string, it: Omit<Watched, "version" | "changedAtMs"> & { stats: BigIntStats }): void {
    const { stats, ...rest } = it;
    this.watched.set(path, {
      ...rest,
      version: versionOf(stats),
      changedAtMs: Number(stats.ctimeMs),
    });
  }
}

/** The directories in which a program that is new may be run by its name. */
function isOfPrograms(path: string): boolean {
  return path === "" || path === "bin" || path === ".bin";
}

/** Where a path leads to, as far as it exists. */
async function resolved(path: string): Promise<string> {
  const real = await realpath(bytesOf(path), "latin1").catch(() => undefined);
  const parent = dirname(path);
  if (real !== undefined || parent === path) return real ?? path;
  return join(await resolved(parent), basename(path));
}

function versionOf({ ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mode} ${mtimeNs} ${ctimeNs}`;
}

function digest(content: Buffer | undefined): string {
  return content === undefined ? "" : createHash("sha256").update(content).digest("hex");
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function join(path: string, name: string): string {
  return path === "" ? name : name === "" ? path : `${path}/${name}`;
}
