import { dirname, join, relative, resolve, sep } from "node:path";
import { lookOutside, realPathOf, statsAt } from "../../look.ts";
import { err, ok, type Result } from "../../result.ts";
import { followLinks, linkedFrom } from "../links.ts";
import { commandWords, filesOfCommand, projectFile } from "./git-commands.ts";
import { gitDirsAt, type RepositoryAt, repositoryAt } from "./git-pointer.ts";
import {
  type GitProblem,
  type GitSetting,
  gitlinksIn,
  isPathKey,
  settingsIn,
  topOf,
  worktreesOf,
} from "./git-questions.ts";
import { directoriesAbove, outermost, parentDirsOf } from "./parent-dirs.ts";
import { COMMAND_VARIABLES, DATA_KEYS, isCommandKey, isKeyFile } from "./setting-keys.ts";

/** The paths in a project's work tree that the host's git trusts; relative, without links in them. */
export type TrustedPaths = {
  /** Paths that must be read-only inside. */
  readonly names: readonly string[];
  /** Their parent directories. Renaming one would move the read-only mount away from where git looks. */
  readonly parentDirs: readonly string[];
  /** The tops of work trees below the project's top. */
  readonly tops: readonly string[];
  /** Those of `names` that are directories of submodules that are not checked out. */
  readonly placeholders: readonly string[];
  /** Sentences for the user about paths that cannot be protected. */
  readonly notes: readonly string[];
};

/** How deep submodules in submodules are inspected. */
const MAX_DEPTH = 4;
/** How many repositories around the project are inspected. */
const MAX_ABOVE = 3;
/** How many work trees are inspected in all, at some 10 ms each. */
const MAX_WORK_TREES = 1000;

/** Variables that lead git to another repository than the one that is found. */
const USER_VARIABLES = ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"];
const PATH_VARIABLES = ["GIT_TEMPLATE_DIR", "GIT_EXEC_PATH", "GIT_CONFIG_GLOBAL"];

/** What else is inspected besides the project's own work tree. */
export type TrustedPathsOptions = {
  /** Directories with repositories of their own in them, relative. */
  readonly nested?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/**
 * Finds the files of a project that the user's git runs or reads its configuration from: hooks and
 * programs that the configuration names, files that it includes, and the git directories of
 * submodules and linked worktrees, which `git status` enters. They are found from git's own
 * directory, which the agent cannot write, for each work tree in the project.
 *
 * Errors: why git did not answer. Rejects with `LookError`.
 */
export async function gitTrustedPaths(
  root: string,
  { nested = [], env = process.env }: TrustedPathsOptions = {},
): Promise<Result<TrustedPaths, GitProblem>> {
  const search = new Search(root, env);
  const below = nested.map((name) => join(root, name));
  for (const top of [root, ...below, ...(await repositoriesAbove(root))]) {
    const problem = await search.inspect(top, { depth: 0, isOwn: top === root });
    if (problem !== undefined) return err(problem);
  }
  return ok(search.paths());
}

/** How a work tree is inspected. */
type Look = {
  readonly depth: number;
  /** It belongs to the project's own repository: a submodule, or one of its work trees. */
  readonly isOwn: boolean;
};

/** Collects paths that lie in the project, exist, and have no link in them. */
class Search {
  readonly #root: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #names = new Set<string>();
  readonly #notes = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #placeholders = new Set<string>();

  constructor(root: string, env: Readonly<Record<string, string | undefined>>) {
    this.#root = root;
    this.#env = env;
  }

  /** Collects the paths that git trusts in the work tree or bare repository at `top`, and below it. */
  async inspect(top: string, how: Look): Promise<GitProblem | undefined> {
    if (this.#seen.has(top) || how.depth > MAX_DEPTH) return undefined;
    this.#seen.add(top);
    if (this.#seen.size > MAX_WORK_TREES)
      return {
        reason: `it has more than ${MAX_WORK_TREES} work trees and submodules`,
        fix: "Open one of them as the project.",
      };
    const repository = await this.#addRepository(top);
    const isRepository = repository === "repository" || repository === "bare";
    // Asked at once: this delays each turn, and a question takes as long as git takes to start.
    const asked = isRepository
      ? { links: gitlinksIn(top), worktrees: worktreesOf(top) }
      : undefined;
    // They are awaited below, or not at all after a problem.
    for (const answer of Object.values(asked ?? {})) answer.catch(() => {});
    const settings = await settingsIn(top, { isRepository });
    // Without a repository and without a git, nothing is trusted.
    if (!settings.ok)
      return isRepository || settings.error.isNoGit !== true
        ? this.#broken(top, settings.error, how)
        : undefined;
    const problem = await this.#settings(top, settings.value);
    if (problem !== undefined) return this.#broken(top, problem, how);
    if (asked === undefined) return undefined;
    await this.#links(top, settings.value);
    const isBare = settings.value.findLast(({ key }) => key === "core.bare")?.value;
    if (!/^(true|yes|on|1)$/i.test(isBare ?? "")) {
      const links = await asked.links;
      if (!links.ok) return this.#broken(top, links.error, how);
      for (const path of links.value) {
        const problem = await this.#submodule(join(top, path), how);
        if (problem !== undefined) return problem;
      }
    }
    const worktrees = await asked.worktrees;
    if (!worktrees.ok) return this.#broken(top, worktrees.error, how);
    for (const path of worktrees.value) {
      if (path === top || !this.#isInside(path)) continue;
      await this.#add(join(path, ".git"));
      if ((await statsAt(path)) === undefined) continue;
      const problem = await this.inspect(path, how);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  paths(): TrustedPaths {
    const names = outermost([...this.#names]);
    const seen = [...this.#seen].filter((top) => this.#isInside(top));
    return {
      names,
      parentDirs: parentDirsOf(names),
      tops: seen.map((top) => this.#name(top)),
      placeholders: [...this.#placeholders],
      notes: [...this.#notes],
    };
  }

  /**
   * What becomes of a problem. A broken repository that has nothing to do with the project's own is
   * only noted: its git directory is read-only all the same, and no git works in it.
   */
  #broken(top: string, problem: GitProblem, { isOwn }: Look): GitProblem | undefined {
    if (isOwn || problem.isBroken !== true) return problem;
    this.#note(
      `git does not work in ${this.#name(top)} (${problem.reason.slice(0, 200)}), so files that its settings name are not protected`,
    );
    return undefined;
  }

  /** Adds the targets of links in git's directories, such as a hook that is a link to a script. */
  async #links(top: string, settings: readonly GitSetting[]): Promise<void> {
    const isInside = (path: string) => this.#isInside(path);
    const named = settings.findLast(({ key }) => key === "core.hookspath");
    const hooks = named === undefined ? [] : [resolve(top, named.path ?? named.value)];
    for (const gitDir of await gitDirsAt(top)) {
      hooks.push(join(gitDir, "hooks"));
      for (const part of ["hooks", "config", "config.worktree", "info", "info/attributes"])
        await this.#addIfThere(join(gitDir, part));
    }
    for (const dir of hooks) {
      const found = await linkedFrom(this.#root, dir, isInside);
      for (const name of found.ends) await this.#add(join(this.#root, name));
      for (const name of found.links) this.#noteLink("a hook", name);
    }
  }

  #noteLink(key: string, link: string): void {
    this.#note(
      `${key} leads through the link ${link}, which cannot be made read-only: git follows it wherever the agent points it`,
    );
  }

  /** Adds the git directory of a repository below the project's top; returns what is there. */
  async #addRepository(top: string): Promise<RepositoryAt["is"]> {
    const found = await repositoryAt(top, this.#root);
    if (found.is === "bare") await this.#add(top);
    else if (found.is !== "none") await this.#add(join(top, ".git"));
    if (found.is === "broken" && found.target !== undefined && this.#isInside(found.target))
      this.#note(
        `${this.#name(join(top, ".git"))} leads to ${this.#name(found.target)}, where there is no git directory: if the agent makes one there, git trusts it`,
      );
    return found.is;
  }

  async #submodule(path: string, how: Look): Promise<GitProblem | undefined> {
    if (!this.#isInside(path)) return undefined;
    if (await this.#add(join(path, ".git")))
      return this.inspect(path, { ...how, depth: how.depth + 1 });
    // Not checked out: an empty directory. Git would trust a git directory that the agent makes in it.
    if (await this.#add(path)) this.#placeholders.add(this.#name(path));
    else
      this.#note(
        `the submodule ${this.#name(path)} is not there: it cannot be made read-only, and git enters a repository that the agent makes there`,
      );
    return undefined;
  }

  async #settings(dir: string, settings: readonly GitSetting[]): Promise<GitProblem | undefined> {
    const top = await this.#topOf(dir, settings);
    if (!top.ok) return top.error;
    await this.#settingsAt(top.value, settings);
    if (dir !== this.#root || !USER_VARIABLES.some((name) => this.#env[name])) return undefined;
    // The user's git uses another git directory or work tree than the one that is found here.
    for (const name of ["GIT_DIR", "GIT_COMMON_DIR"]) {
      const value = this.#env[name];
      if (value) await this.#addNamed(name, resolve(dir, value));
    }
    const own = await settingsIn(dir, { isRepository: true, asUser: true });
    const ownTop = await topOf(dir, { asUser: true });
    if (own.ok && ownTop.ok) await this.#settingsAt(ownTop.value ?? dir, own.value);
    const problem = own.ok ? (ownTop.ok ? undefined : ownTop.error) : own.error;
    if (problem?.isBroken !== true) return problem;
    this.#note(
      `git cannot read the settings that are in force with the environment's GIT_DIR and GIT_WORK_TREE: files that they name are not protected (${problem.reason})`,
    );
    return undefined;
  }

  /** The directory that paths in settings are relative to; `core.worktree` may name another one. */
  async #topOf(dir: string, settings: readonly GitSetting[]): Promise<Result<string, GitProblem>> {
    const elsewhere = settings.findLast(({ key }) => key === "core.worktree");
    if (elsewhere === undefined) return ok(dir);
    const top = await topOf(dir);
    if (top.ok && top.value === undefined)
      this.#note(
        `git finds no work tree at core.worktree (${elsewhere.value}), and would use one that the agent makes there`,
      );
    return top.ok ? ok(top.value ?? dir) : top;
  }

  async #settingsAt(top: string, settings: readonly GitSetting[]): Promise<void> {
    const origins = new Set(settings.flatMap(({ origin }) => origin ?? []));
    for (const origin of origins) await this.#addNamed("settings", origin);
    const isSsh = settings.some(({ key, value }) => key === "gpg.format" && value === "ssh");
    for (const setting of settings)
      if (setting.key !== "user.signingkey" || isKeyFile(setting.value, isSsh))
        await this.#setting(top, setting);
    for (const name of COMMAND_VARIABLES) await this.#command(top, name, this.#env[name] ?? "");
    const [home, config] = [this.#env["HOME"], this.#env["XDG_CONFIG_HOME"]];
    for (const name of PATH_VARIABLES) {
      const value = this.#env[name];
      if (value) await this.#addNamed(name, resolve(top, value));
    }
    // Git always reads these; a project of dotfiles may have them in it.
    if (config || home)
      await this.#addIfThere(config ? join(config, "git") : join(home ?? "", ".config", "git"));
    if (home) await this.#addIfThere(join(home, ".gitconfig"));
  }

  async #setting(top: string, { key, middle, value, path, origin }: GitSetting): Promise<void> {
    // An address that replaces another may be a command as well.
    if (middle.startsWith("ext::")) await this.#command(top, key, middle);
    if (value.startsWith("ext::")) return this.#command(top, key, value);
    if (DATA_KEYS.test(key)) return;
    if (isPathKey(key)) {
      if (path === null)
        return this.#note(
          `git's ${key} is a path that git cannot expand and does not use (${value})`,
        );
      // An included path is relative to the file that includes it.
      const from = key.startsWith("include") && origin !== undefined ? dirname(origin) : top;
      const named = path ?? this.#atHome(value);
      return named === "" ? undefined : this.#addNamed(key, resolve(from, named));
    }
    // Any other alias is words for git itself, which may begin with `-c key=value`.
    if (key.startsWith("alias."))
      return this.#command(top, key, value.startsWith("!") ? value : `git ${value}`);
    if (isCommandKey(key)) return this.#command(top, key, value);
    // With any other key, a value that names a file of the project may be read or run. A word such
    // as "main" is more likely a branch than a file that a build makes.
    for (const word of commandWords(value))
      if (/[./]/.test(word)) await this.#addFile(key, resolve(top, this.#atHome(word)));
  }

  #atHome(path: string): string {
    const home = this.#env["HOME"];
    return home && path.startsWith("~/") ? join(home, path.slice(2)) : path;
  }

  /** Adds the files that a command names; adds a note if not all of them can be found. */
  async #command(top: string, key: string, command: string): Promise<void> {
    if (command === "") return;
    const isInProject = (path: string) => this.#isInside(path);
    const place = { root: this.#root, top, isInProject, env: this.#env };
    const found = await filesOfCommand(command, place);
    for (const path of found.files) await this.#add(path);
    for (const setting of found.settings)
      await this.#setting(top, { ...setting, middle: "", origin: undefined });
    if (found.isUnclear)
      this.#note(
        `git's ${key} runs a command in the project, and its files could not be found out: the agent can change them (${command.slice(0, 200)})`,
      );
  }

  /** Adds a path that `key` names, or the target of its links; adds a note if it is not there. */
  async #addNamed(key: string, path: string): Promise<void> {
    const { links, end } = await followLinks(path, (link) => this.#isInside(link));
    if (end !== undefined) await this.#add(end);
    const isProtected = directoriesAbove(this.#name(path)).some((dir) => this.#names.has(dir));
    if (isProtected || (links.length === 0 && (end !== undefined || !this.#isInside(path)))) return;
    const where = this.#name(this.#isInside(path) ? path : (links[0] ?? path));
    this.#note(
      `git's ${key} leads to ${where}, which is not there or is reached by a link: it cannot be made read-only, and git trusts a file that the agent puts there`,
    );
  }

  /** Adds a path's target if it lies in the project; adds notes for links in the project on the way. */
  async #addIfThere(path: string): Promise<void> {
    const { links, end } = await followLinks(path, (link) => this.#isInside(link));
    if (end !== undefined && end !== path) await this.#add(end);
    else if (end !== undefined && this.#isInside(path)) await this.#add(path);
    for (const link of links) this.#noteLink(path, this.#name(link));
  }

  async #addFile(key: string, path: string): Promise<void> {
    const file = await projectFile(path, (link) => this.#isInside(link));
    if (file === undefined) return;
    await this.#add(file.path);
    if (file.isByLink) await this.#addNamed(key, path);
  }

  /** Adds a path if it exists and has no links in it; returns whether it was added. */
  async #add(path: string): Promise<boolean> {
    if (!this.#isInside(path)) return false;
    const stats = await statsAt(path);
    if (stats === undefined || !(stats.isFile() || stats.isDirectory())) return false;
    if ((await realPathOf(path)) !== path) return false;
    this.#names.add(this.#name(path));
    return true;
  }

  #note(text: string): void {
    this.#notes.add(`${text}.`);
  }

  #isInside(path: string): boolean {
    const [first] = this.#name(path).split(sep);
    // The project's own git directory is protected by its name.
    return first !== undefined && first !== "" && first !== ".." && first !== ".git";
  }

  #name(path: string): string {
    return relative(this.#root, path);
  }
}

/** The repositories around the project: their settings may name files in it. */
async function repositoriesAbove(root: string): Promise<string[]> {
  const found: string[] = [];
  for (let dir = dirname(root); dir !== dirname(dir); dir = dirname(dir))
    if ((await lookOutside(statsAt(join(dir, ".git", "HEAD")))) !== undefined) found.push(dir);
  return found.slice(0, MAX_ABOVE);
}
