import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { hasGitNames } from "../../git-layout.ts";
import { LookError, present } from "../../look.ts";
import { err, ok, type Result } from "../../result.ts";

/** Git directories in a project, package directories with hard links, and virtual environments. */
export type GitDirs = {
  readonly found: readonly GitDir[];
  /** Sentences about those that cannot be made read-only. */
  readonly notes: readonly string[];
  /** Installed packages whose files have names outside of the project; relative paths. */
  readonly hardLinked: readonly string[];
  /** Virtual environments of Python and conda, of any name; relative paths. */
  readonly environments: readonly string[];
};

/** A directory whose configuration a version control system trusts; paths are relative to the project. */
type GitDir = {
  /** The git directory, or the `.git` file that points to it; also `.hg` and the like. */
  readonly name: string;
  /** Where git uses it: the work tree, or the directory itself if it is bare. */
  readonly usedIn: string | undefined;
};

/** Why the walk was given up, or a repository that cannot be protected. */
export type WalkProblem = { readonly reason: string; readonly fix: string };

/** Some ten seconds of walking on a slow disk; Chromium's checkout has 500,000 entries. */
const MAX_ENTRIES = 2_000_000;
const MAX_MS = 120_000;
/** Directories that are read at once: as many as Node has threads for. */
const LANES = 4;
/** How many files of a package directory are checked for hard links. */
const MAX_SAMPLE = 40;

/** Mercurial, Jujutsu and Sapling run what their directories configure, as git does. */
const OTHER_REPOSITORIES: ReadonlySet<string> = new Set([".hg", ".jj", ".sl"]);
const PACKAGE_DIRS: ReadonlySet<string> = new Set([".venv", "venv", "node_modules"]);
/** Names that make a directory with a `bin` a virtual environment: Python's (PEP 405) and conda's. */
const ENVIRONMENT_MARKS = ["pyvenv.cfg", "conda-meta"] as const;

/** How a project is walked. */
export type WalkOptions = {
  /** Whether to ignore the git directory at this path from the top. */
  readonly isIgnored?: (name: string) => Promise<boolean>;
  /** For tests; the defaults fit any real project. */
  readonly bounds?: { readonly entries?: number; readonly ms?: number };
  readonly signal?: AbortSignal | undefined;
};

/**
 * Finds every git directory in a project, at any depth, except for the project's own `.git`: nested
 * repositories, `.git` files, bare repositories and separate git directories. Links are not
 * followed.
 *
 * A directory of this user that cannot be read is an error, since the agent may have closed it. One
 * of another user is ignored: neither the agent nor the user's git can enter it.
 *
 * Rejects with `LookError`, and with `signal.reason`.
 */
export async function findGitDirs(
  root: string,
  options: WalkOptions = {},
): Promise<Result<GitDirs, WalkProblem>> {
  return new Walk(root, options).run();
}

class Walk {
  readonly #root: string;
  readonly #maxEntries: number;
  readonly #maxMs: number;
  readonly #until: number;
  readonly #signal: AbortSignal | undefined;
  readonly #isIgnored: (name: string) => Promise<boolean>;
  readonly #found: GitDir[] = [];
  readonly #hardLinked: string[] = [];
  readonly #environments: string[] = [];
  readonly #notes: string[] = [];
  /** Relative paths; each character is one byte (latin1), because names need not be UTF-8. */
  #todo: string[] = [""];
  #entries = 0;
  #problem: WalkProblem | undefined;

  constructor(root: string, { bounds = {}, signal, isIgnored }: WalkOptions) {
    this.#isIgnored = isIgnored ?? (async () => false);
    this.#root = Buffer.from(root).toString("latin1");
    this.#maxEntries = bounds.entries ?? MAX_ENTRIES;
    this.#maxMs = bounds.ms ?? MAX_MS;
    this.#until = performance.now() + this.#maxMs;
    this.#signal = signal;
  }

  async run(): Promise<Result<GitDirs, WalkProblem>> {
    while (this.#todo.length > 0 && this.#problem === undefined) {
      const next = this.#todo.values();
      this.#todo = [];
      await Promise.all(
        Array.from({ length: LANES }, async () => {
          for (const path of next) {
            if (this.#problem !== undefined) return;
            await this.#directory(path);
          }
        }),
      );
    }
    if (this.#problem !== undefined) return err(this.#problem);
    const byName = (a: GitDir, b: GitDir) => (a.name < b.name ? -1 : 1);
    const [found, notes] = [this.#found.sort(byName), this.#notes.sort()];
    const environments = this.#environments.sort();
    return ok({ found, notes, hardLinked: this.#hardLinked.sort(), environments });
  }

  async #directory(path: string): Promise<void> {
    this.#signal?.throwIfAborted();
    const entries = await this.#read(path);
    this.#entries += entries.length;
    if (this.#entries > this.#maxEntries || performance.now() > this.#until) {
      this.#problem = this.#tooMuch();
      return;
    }
    const names = new Set(entries.map((entry) => entry.name));
    // The walk goes on in an ignored one, and in the project itself: an agent needs no more than two
    // files to make a directory look like a git directory.
    if (hasGitNames(names) && path !== "" && (await this.#add(path, path))) return;
    const isEnvironment =
      path !== "" && names.has("bin") && ENVIRONMENT_MARKS.some((mark) => names.has(mark));
    if (isEnvironment && isUtf8(Buffer.from(path, "latin1"))) this.#environments.push(shown(path));
    if (isEnvironment || PACKAGE_DIRS.has(baseOf(path))) await this.#sample(path);
    for (const entry of entries) {
      const inner = path === "" ? entry.name : `${path}/${entry.name}`;
      // A file system may ignore case.
      if (entry.name.toLowerCase() === ".git") {
        if (path !== "") await this.#addNested(inner, path, entry);
      } else if (entry.isDirectory() && OTHER_REPOSITORIES.has(entry.name)) {
        if (path !== "") await this.#add(inner, undefined);
      } else if (entry.isDirectory()) this.#todo.push(inner);
    }
  }

  async #addNested(name: string, usedIn: string, entry: Dirent): Promise<void> {
    if (!entry.isSymbolicLink()) await this.#add(name, usedIn);
    else if (!(await this.#isIgnored(shown(name))))
      this.#notes.push(
        `${shown(name)} is a symbolic link: it cannot be made read-only, and the agent can replace it by a repository that your git trusts.`,
      );
  }

  /** Adds a git directory, or the problem with it; returns false if it is ignored. */
  async #add(name: string, usedIn: string | undefined): Promise<boolean> {
    if (isUtf8(Buffer.from(name, "latin1"))) {
      if (await this.#isIgnored(shown(name))) return false;
      this.#found.push({ name: shown(name), usedIn: usedIn && shown(usedIn) });
      return true;
    }
    this.#problem = {
      reason: `the path of the repository at ${shown(name)} is not valid UTF-8, so it cannot be made read-only`,
      fix: "Rename that directory (mv), or open a project without it.",
    };
    return true;
  }

  async #read(path: string): Promise<readonly Dirent[]> {
    const bytes = Buffer.from(path === "" ? this.#root : `${this.#root}/${path}`, "latin1");
    try {
      const read = () => readdir(bytes, { withFileTypes: true, encoding: "latin1" });
      return (await present(shown(bytes.toString("latin1")), read)) ?? [];
    } catch (cause) {
      if (cause instanceof LookError && (await this.#isAnothers(bytes))) return [];
      throw cause;
    }
  }

  async #isAnothers(path: Buffer): Promise<boolean> {
    const own = process.getuid?.();
    const stats = await lstat(path).catch(() => undefined);
    return stats !== undefined && own !== 0 && stats.uid !== own;
  }

  /** Notes a package directory in which some file has a hard link. */
  async #sample(path: string): Promise<void> {
    const todo = [path];
    for (let looked = 0; todo.length > 0 && looked < MAX_SAMPLE; ) {
      const dir = todo.pop() ?? "";
      for (const entry of await this.#read(dir)) {
        const inner = `${dir}/${entry.name}`;
        if (entry.isDirectory()) todo.push(inner);
        if (!entry.isFile() || looked >= MAX_SAMPLE) continue;
        looked++;
        const stats = await lstat(Buffer.from(`${this.#root}/${inner}`, "latin1")).catch(() => {});
        if (stats === undefined || stats.nlink < 2) continue;
        this.#hardLinked.push(shown(path));
        return;
      }
    }
  }

  #tooMuch(): WalkProblem {
    const bound =
      this.#entries > this.#maxEntries
        ? `it has more than ${this.#maxEntries.toLocaleString("en-US")} files`
        : `reading its directories took more than ${this.#maxMs / 1000} s`;
    return {
      reason: `${bound}, too many to find every repository in it that git would trust`,
      fix: "Open a smaller directory as the project, or move large directories out of this one.",
    };
  }
}

/** The last name of a path. */
function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A path as text, for people and for the engine. */
function shown(path: string): string {
  return Buffer.from(path, "latin1").toString("utf8");
}
