import { dirname, join, resolve } from "node:path";
import { askGit } from "../../../git.ts";
import { entriesOf, quoteForShell, readPlainFile, realPathOf, statsAt } from "../../../look.ts";
import { isWithin } from "../../../paths.ts";
import { err, ok, type Result } from "../../../result.ts";
import { looked } from "./looked.ts";
import type { ObjectFormat } from "./scratch-repository.ts";

/** The project's real repository as the host uses it; paths are resolved. */
export type Repository = {
  /** Where HEAD and the index are. */
  readonly gitDir: string;
  /** Where objects and branches are. */
  readonly commonDir: string;
  readonly format: ObjectFormat;
  /** Object directories: its own, and its alternates. */
  readonly objects: readonly [string, ...string[]];
  /** The content of the `shallow` file: commits whose parents a shallow clone lacks. */
  readonly shallow: string | undefined;
  /** The settings in force: the system's, the user's and its own, in git's order. */
  readonly config: readonly Setting[];
};

/** One setting; keys are lower case, except for the part between the first and the last dot. */
export type Setting = readonly [key: string, value: string, scope?: string];

/** The repository to inspect. */
export type RepositoryOptions = {
  readonly root: string;
  readonly gitDir: string;
  readonly commonDir: string;
  /** Directories that the agent may read and not write: alternates may lie in them. */
  readonly readable: readonly string[];
  readonly env: NodeJS.ProcessEnv;
};

/** The longest chain of alternates; git's own limit. */
const MAX_ALTERNATES = 5;
const MAX_ALTERNATES_BYTES = 64 * 1024;
const MAX_SHALLOW_BYTES = 1024 ** 2;
const MAX_CONFIG_BYTES = 1024 ** 2;
/** How many refs are checked, and how deep; the same limits as in refs.ts. */
const MAX_REFS = 200_000;
const MAX_REFS_DEPTH = 20;
/** Extensions of the repository format that are supported. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  "noop",
  "preciousobjects",
  "objectformat",
  "worktreeconfig",
  "relativeworktrees",
  "refstorage",
  "compatobjectformat",
]);

/**
 * Inspects the project's repository. Errors: why the agent cannot have a git directory of its own for
 * it, as a part of a sentence.
 *
 * SECURITY: an agent may have made this repository in an earlier session. So its directories must not
 * be links, which could lead to files that the agent must not see, and it may borrow objects only
 * from directories that the agent may read. A check that could not be made is a refusal.
 */
export async function inspectRepository(
  options: RepositoryOptions,
): Promise<Result<Repository, string>> {
  return looked(() => inspect(options));
}

async function inspect(options: RepositoryOptions): Promise<Result<Repository, string>> {
  const { root, gitDir, commonDir } = options;
  for (const name of ["objects", "objects/pack", "info", "refs", "refs/codex"]) {
    const found = await statsAt(join(commonDir, name));
    if (found === undefined && name !== "objects") continue;
    if (found?.isDirectory() !== true)
      return err(`${name} in its git directory is not a directory`);
  }
  const linked = await findLinkedRef(gitDir, commonDir);
  if (!linked.ok) return linked;
  const config = await readConfig(gitDir, options.env);
  if (!config.ok) return config;
  const problem = formatProblem(config.value);
  if (problem !== undefined) return err(problem);
  const format = last(config.value, "extensions.objectformat") ?? "sha1";
  if (format !== "sha1" && format !== "sha256") return err(`its object format is ${format}`);
  // SECURITY: the agent could change files elsewhere in the project while git on the host reads them.
  const own = [commonDir, join(root, ".git")];
  const objects = await findObjects(options, [...own, ...options.readable]);
  if (!objects.ok) return objects;
  const shallow = await readPlainFile(join(commonDir, "shallow"), MAX_SHALLOW_BYTES);
  return ok({
    ...{ gitDir, commonDir, format, config: config.value },
    objects: objects.value,
    shallow: shallow?.toString("utf8"),
  });
}

/** The last value of a setting, which is the one in force. */
function last(config: readonly Setting[], key: string): string | undefined {
  return config.findLast(([name]) => name === key)?.[1];
}

/**
 * A file that the user's own settings name. SECURITY: the project's settings do not count: they may
 * include a file that the agent writes, which could name a secret.
 */
export function namedFile(config: readonly Setting[], key: string): string | undefined {
  return last(
    config.filter(([, , scope]) => scope === "global" || scope === "system"),
    key,
  );
}

/** Reads all settings of files that are in force for the project. */
async function readConfig(
  gitDir: string,
  env: NodeJS.ProcessEnv,
): Promise<Result<readonly Setting[], string>> {
  const args = ["--show-scope", "--list", "-z"];
  // Named by its path, so that a repository of another owner's is not passed over in silence.
  const question = { dir: gitDir, gitDir, command: "config", args, env } as const;
  const listed = await askGit({ ...question, maxBytes: MAX_CONFIG_BYTES });
  if (!listed.ok) {
    const { exitCode, message } = listed.error;
    return err(exitCode === undefined ? message : `its configuration cannot be read (${message})`);
  }
  const config = parseConfig(listed.value);
  return last(config, "core.repositoryformatversion") === undefined
    ? err("git does not find its configuration")
    : ok(config);
}

function parseConfig(text: string): readonly Setting[] {
  const words = text.split("\0");
  const config: Setting[] = [];
  for (let n = 0; n + 1 < words.length; n += 2) {
    const [scope, pair] = [words[n] ?? "", words[n + 1] ?? ""];
    // Settings of the environment, and those that the question is asked with.
    if (scope === "command") continue;
    const end = pair.indexOf("\n");
    // A name alone is git's short form of true.
    config.push(end < 0 ? [pair, "true", scope] : [pair.slice(0, end), pair.slice(end + 1), scope]);
  }
  return config;
}

function formatProblem(config: readonly Setting[]): string | undefined {
  if (Number(last(config, "core.repositoryformatversion") ?? 0) > 1)
    return "its format is newer than this plugin knows";
  const refs = last(config, "extensions.refstorage") ?? "files";
  if (refs !== "files") return `it stores its branches in the format ${refs}`;
  for (const [key, value] of config) {
    if (
      key === "extensions.partialclone" ||
      (/^remote\..*\.promisor$/.test(key) && value !== "false")
    )
      return "it is a partial clone, whose missing objects git would fetch from the network";
    const extension = /^extensions\.(.*)$/.exec(key)?.[1];
    if (extension !== undefined && !KNOWN_EXTENSIONS.has(extension))
      return `it uses git's extension ${extension}, which is not supported`;
  }
  return undefined;
}

/** The object directories, its own first; none of them is a link. */
async function findObjects(
  { root, commonDir }: RepositoryOptions,
  readable: readonly string[],
): Promise<Result<readonly [string, ...string[]], string>> {
  const own = join((await realPathOf(commonDir)) ?? commonDir, "objects");
  const found: [string, ...string[]] = [own];
  let level: readonly string[] = [own];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_ALTERNATES) return err("it borrows objects through too many repositories");
    const next: string[] = [];
    for (const dir of level) {
      const linked = await findLink(dir);
      if (linked !== undefined)
        return err(`${linked} is a link, by which git would read another repository's objects`);
      for (const named of await alternatesOf(dir)) {
        if (named === undefined) return err("it borrows objects from a quoted path");
        const path = await realPathOf(named);
        // Git ignores an absent one.
        if (path === undefined || found.includes(path)) continue;
        if (!readable.some((dir) => isWithin(dir, path)))
          return err(borrowed(dirname(path), join(dir, "info/alternates"), root));
        found.push(path);
        next.push(path);
      }
    }
    level = next;
  }
  return ok(found);
}

/**
 * The refusal of a repository that borrows objects.
 *
 * SECURITY: an agent that made the repository could name any other repository of the user here. So no
 * command is recommended that copies the borrowed objects in, such as `git repack -a -d`: with a ref
 * to a commit of the other repository, of which the agent only needs the name, it would copy private
 * objects into the project. Nothing in the repository proves that the agent did not make it.
 */
function borrowed(from: string, named: string, root: string): string {
  return `it borrows objects from ${from}, as ${named} says, and the agent may not read those. If you did not set that up, the agent may have: see what is in it and remove ${quoteForShell(join(root, ".git"))}. If you did, as with \`git clone --reference\`, and the agent may read all that is in ${from}, name that directory in \`sandbox.mounts\``;
}

/** Refuses a link in the place of HEAD or a branch, which could lead to another repository's. */
async function findLinkedRef(gitDir: string, commonDir: string): Promise<Result<void, string>> {
  const link = (path: string) =>
    err(`${path} is a link, by which git would read another repository's branches`);
  for (const path of [join(gitDir, "HEAD"), join(commonDir, "packed-refs")])
    if ((await statsAt(path))?.isSymbolicLink() === true) return link(path);
  const dirs = [{ path: join(commonDir, "refs"), depth: 0 }];
  let count = 0;
  for (let dir = dirs.pop(); dir !== undefined; dir = dirs.pop()) {
    const { path, depth } = dir;
    const entries = (await entriesOf(path)) ?? [];
    count += entries.length;
    if (depth > MAX_REFS_DEPTH || count > MAX_REFS)
      return err(
        "it has more branches, or deeper ones, than are checked: run `git pack-refs --all`",
      );
    for (const entry of entries) {
      const inner = join(path, entry.name);
      if (entry.isSymbolicLink()) return link(inner);
      if (entry.isDirectory()) dirs.push({ path: inner, depth: depth + 1 });
    }
  }
  return ok();
}

/** A link at any place where git looks for objects. */
async function findLink(objects: string): Promise<string | undefined> {
  const top = (await entriesOf(objects)) ?? [];
  const loose = top.map((entry) => entry.name).filter((name) => /^[0-9a-f]{2}$/i.test(name));
  for (const name of ["", "pack", "info", ...loose]) {
    const entries = name === "" ? top : ((await entriesOf(join(objects, name))) ?? []);
    const link = entries.find((entry) => entry.isSymbolicLink());
    if (link !== undefined) return join(objects, name, link.name);
  }
  return undefined;
}

/** The alternates of an object directory; undefined for a path that is quoted as in C. */
async function alternatesOf(objects: string): Promise<readonly (string | undefined)[]> {
  const text = await readPlainFile(join(objects, "info/alternates"), MAX_ALTERNATES_BYTES);
  return (text?.toString("utf8") ?? "")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => (line.startsWith('"') ? undefined : resolve(objects, line)));
}
