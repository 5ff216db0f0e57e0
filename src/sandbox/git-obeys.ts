import { lstat, realpath } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { execa } from "execa";
import { err, ok, type Result } from "../result.ts";

/** What in a project's working tree the host's git obeys; relative paths without links in them. */
export type ObeyedPaths = {
  /** To be read-only inside. */
  readonly names: readonly string[];
  /** Directories above those: renamed, they would take what is read-only out of git's way. */
  readonly frames: readonly string[];
  /** Sentences for the user about what cannot be protected. */
  readonly notes: readonly string[];
};

/** Git answers in milliseconds; an index of a million files takes a second. */
const GIT_MS = 20_000;
/** Submodules in submodules that are looked into. */
const MAX_DEPTH = 4;
/** How many repositories are looked into in all, at some 10 ms each. */
const MAX_REPOSITORIES = 1000;

/** Keys whose value is a file or directory that git reads or runs, by name in small letters. */
const PATH_KEYS = /^(core\.(hookspath|attributesfile)|include\.path|includeif\..*\.path)$/;
/** Keys whose value is a command. */
const COMMAND_KEYS =
  /^(core\.(fsmonitor|sshcommand|editor|pager|askpass|gitproxy|alternaterefscommand)|sequence\.editor|pager\..*|diff\.external|diff\..*\.(command|textconv)|filter\..*\.(clean|smudge|process)|merge\..*\.driver|(merge|diff)tool\..*\.(cmd|path)|gpg\.(.*\.)?program|credential\.(.*\.)?helper|interactive\.difffilter|alias\..*|hook\..*\.command|trailer\..*\.(command|cmd)|remote\..*\.(uploadpack|receivepack)|uploadpack\.packobjectshook|submodule\..*\.update)$/;

/**
 * Finds what of a project's own files the user's git runs or obeys without being asked: hooks and
 * programs that its configuration names, files that it includes, and the git directories of
 * submodules and linked worktrees, which `git status` goes into. All of it is found from git's own
 * directory, which the agent cannot write.
 *
 * Errors: a sentence, where git did not answer.
 */
export async function obeyedByGit(
  root: string,
  depth = 0,
  counted = { repositories: 0 },
): Promise<Result<ObeyedPaths, string>> {
  if (++counted.repositories > MAX_REPOSITORIES)
    return err(`it has more than ${MAX_REPOSITORIES} submodules in submodules`);
  const config = await git(root, ["config", "--list", "-z", "--show-origin"]);
  if (!config.ok) return config;
  const listed = await git(root, ["ls-files", "--stage", "-z"]);
  if (!listed.ok) return listed;
  const worktrees = await git(root, ["worktree", "list", "--porcelain"]);
  if (!worktrees.ok) return worktrees;
  const found = new Found(root);
  for (const { key, value, origin } of entriesOf(config.value)) {
    const from = key.startsWith("include") ? dirname(resolve(root, origin)) : root;
    if (PATH_KEYS.test(key) && !value.startsWith("~"))
      await found.addNamed(key, resolve(from, value));
    else if (COMMAND_KEYS.test(key))
      for (const word of wordsOf(value)) await found.addProgram(resolve(root, word));
  }
  for (const path of submodulesOf(listed.value)) {
    await found.addRepository(join(root, path), true);
    if (depth >= MAX_DEPTH) continue;
    const inner = await obeyedByGit(join(root, path), depth + 1, counted);
    if (!inner.ok) return inner;
    for (const name of inner.value.names) await found.add(join(root, path, name));
    found.notes.push(...inner.value.notes);
  }
  for (const path of worktreesOf(worktrees.value)) await found.addRepository(path, false);
  return ok(found.paths());
}

/** Collects paths that lie in the project, exist, and are what they are called. */
class Found {
  readonly notes: string[] = [];
  readonly #root: string;
  readonly #names = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Adds a path that the configuration names by `key`; tells of one that is not there. */
  async addNamed(key: string, path: string): Promise<void> {
    if (!this.#isInside(path) || (await this.add(path))) return;
    this.notes.push(
      `git's ${key} leads to ${this.#name(path)}, which is not there or is reached by a link: it cannot be made read-only, and git obeys what the agent puts there.`,
    );
  }

  /** Adds a word of a command, where it is a file of the project. */
  async addProgram(path: string): Promise<void> {
    if (!this.#isInside(path)) return;
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isFile()) await this.add(path);
  }

  /** Adds the git directory, or the pointer to it, of a repository in the project. */
  async addRepository(path: string, isSubmodule: boolean): Promise<void> {
    if (!this.#isInside(path) || (await this.add(join(path, ".git"))) || !isSubmodule) return;
    // Not checked out: an empty directory, in which git would obey a git directory all the same.
    if (await this.add(path)) return;
    this.notes.push(
      `the submodule ${this.#name(path)} is not there: it cannot be made read-only, and git goes into what the agent puts there.`,
    );
  }

  /** Tells whether the path is there without links; then it will be read-only. */
  async add(path: string): Promise<boolean> {
    if (!this.#isInside(path)) return false;
    try {
      const stats = await lstat(path);
      if (!stats.isFile() && !stats.isDirectory()) return false;
      if ((await realpath(path)) !== path) return false;
    } catch {
      return false;
    }
    this.#names.add(this.#name(path));
    return true;
  }

  paths(): ObeyedPaths {
    const names = [...this.#names].filter((name) => !this.#isBelowAnother(name));
    const frames = new Set(names.flatMap(directoriesAbove));
    return { names, frames: [...frames].sort(), notes: this.notes };
  }

  #isBelowAnother(name: string): boolean {
    return directoriesAbove(name).some((above) => this.#names.has(above));
  }

  #isInside(path: string): boolean {
    const name = this.#name(path);
    // The top level's own git directory is guarded by its name.
    return name !== "" && name.split(sep)[0] !== ".." && name.split(sep)[0] !== ".git";
  }

  #name(path: string): string {
    return relative(this.#root, path);
  }
}

/** `a/b/c` lies in `a` and `a/b`. */
function directoriesAbove(name: string): string[] {
  const parts = name.split(sep);
  return parts.slice(1).map((_, n) => parts.slice(0, n + 1).join(sep));
}

type Entry = { readonly key: string; readonly value: string; readonly origin: string };

/** Reads pairs of an origin, such as `file:.git/config`, and `key\nvalue`. */
function entriesOf(listed: string): Entry[] {
  const parts = listed.split("\0");
  const entries: Entry[] = [];
  for (let n = 0; n + 1 < parts.length; n += 2) {
    const [origin, pair] = [parts[n] ?? "", parts[n + 1] ?? ""];
    const end = pair.indexOf("\n");
    // A key without a value is a switch, and what has no file is from the command line below.
    if (end === -1 || !origin.startsWith("file:")) continue;
    const [key, value] = [pair.slice(0, end).toLowerCase(), pair.slice(end + 1)];
    entries.push({ key, value, origin: origin.slice("file:".length) });
  }
  return entries;
}

function wordsOf(command: string): string[] {
  return command.split(/[\s;&|()<>"'`!]+/).filter((word) => word !== "");
}

/** The paths of gitlinks in `mode id stage\tpath`. */
function submodulesOf(listed: string): string[] {
  return listed
    .split("\0")
    .filter((entry) => entry.startsWith("160000 "))
    .map((entry) => entry.slice(entry.indexOf("\t") + 1));
}

function worktreesOf(listed: string): string[] {
  const lines = listed.split("\n").filter((line) => line.startsWith("worktree "));
  return lines.map((line) => line.slice("worktree ".length));
}

/**
 * Asks git, which runs nothing for these questions.
 *
 * SECURITY: the agent may have made the repository, where there was none or where the user has taken
 * one over. Of a partial clone git fetches what is missing, by a program that the configuration
 * names, so nothing may be fetched in any way.
 *
 * The text is empty where there is no git or no
 * repository: then the user's git obeys nothing here either.
 */
async function git(root: string, args: readonly string[]): Promise<Result<string, string>> {
  const off = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
  const asked = await execa("git", ["--no-optional-locks", ...off, ...args], {
    cwd: root,
    reject: false,
    stdin: "ignore",
    stripFinalNewline: false,
    timeout: GIT_MS,
    maxBuffer: 512 * 1024 ** 2,
    env: {
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      GIT_COMMON_DIR: undefined,
      GIT_ALLOW_PROTOCOL: "",
      GIT_NO_LAZY_FETCH: "1",
      // What is above is no part of the project, and paths here are its own.
      GIT_CEILING_DIRECTORIES: dirname(root),
    },
  });
  if (asked.timedOut || asked.isMaxBuffer)
    return err(`git ${args[0]} in ${root} did not answer within ${GIT_MS / 1000} s`);
  return ok(asked.failed ? "" : asked.stdout);
}
