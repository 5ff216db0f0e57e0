import { dirname, join, resolve } from "node:path";
import {
  askGit,
  type GitError,
  type GitQuestion,
  isNoRepository,
  isQuestionSetting,
  questionForUser,
} from "../../git.ts";
import {
  entriesOf,
  lookOutside,
  quoteForShell,
  readSmallFile,
  realPathOf,
  statsAt,
} from "../../look.ts";
import { err, ok, type Result } from "../../result.ts";

/** Why git did not answer, and a command for the user. */
export type GitProblem = {
  readonly reason: string;
  readonly fix: string;
  /** There is no git on this machine. */
  readonly isNoGit?: boolean;
  /** Git answered that it does not work here, in words that are known: the repository is broken. */
  readonly isBroken?: boolean;
};

/** One setting that is in force. */
export type GitSetting = {
  /** In lower case. */
  readonly key: string;
  /** The key's middle part as written, such as an address; empty if it has none. */
  readonly middle: string;
  /** As written. */
  readonly value: string;
  /**
   * The value of a path key with `~`, `~user` and `%(prefix)` expanded; null if git cannot expand it,
   * and so cannot use it.
   */
  readonly path?: string | null;
  /** The file that it is in, absolute; undefined for the environment. */
  readonly origin: string | undefined;
};

/** Configuration files that are read for one directory; real configurations have a handful. */
const MAX_FILES = 100;
/** Git's own limit for a pointer file is a path. */
const MAX_POINTER = 8 * 1024;

/**
 * How git says that a configuration, an index or a format is broken (git 2.32 to 2.51). The user's
 * git stops at these too, so that it runs nothing there.
 *
 * SECURITY: only errors about what the files say. A file that could not be opened or memory that
 * ran out is no such error: the user's git may get further a moment later.
 */
const BROKEN = new RegExp(
  `^(?:fatal|error): (?:${[
    "bad (?:config|boolean config|numeric config|index version|index file|signature)",
    "(?:invalid|unknown|malformed|missing|bad) value for",
    "failed to expand user dir in",
    "exceeded maximum include depth",
    "Expected git repo version",
    "unknown repository (?:extension|version)",
    "invalid gitfile format",
    "no path in gitfile",
    "index file corrupt",
    "[^\\n]*index: index file smaller than expected$",
    "index uses .* extension, which we do not understand",
    "unknown index entry format",
    "(?:unordered|multiple) stage entries",
    "broken index, expect",
    "malformed name field in the index",
  ].join("|")})`,
  "m",
);

/** Keys whose value git itself expands as a path. */
const PATH_KEYS =
  "^(core\\.(hookspath|attributesfile|excludesfile)|init\\.templatedir|include\\.path|includeif\\..*\\.path|commit\\.template|blame\\.ignorerevsfile|mailmap\\.file|diff\\.orderfile|(|fetch\\.|receive\\.)fsck\\.skiplist|gpg\\.ssh\\.(allowedsignersfile|revocationfile)|http\\.(.*\\.)?(sslcainfo|sslcapath|sslcert|sslkey|cookiefile)|format\\.signaturefile|user\\.signingkey)$";

/** Whether git expands a key's value as a path. */
export function isPathKey(key: string): boolean {
  return new RegExp(PATH_KEYS).test(key);
}

/** How to ask for a directory's settings. */
export type SettingsOptions = {
  readonly isRepository: boolean;
  /** Whether the environment may name another git directory or work tree, as for the user's git. */
  readonly asUser?: boolean;
};

/**
 * All settings in force in a directory: the system's, the user's, the repository's if there is one,
 * the environment's, and all that would be in force on another branch, with another remote or in
 * another directory.
 *
 * Rejects with `LookError`.
 */
export async function settingsIn(
  dir: string,
  { isRepository, asUser = false }: SettingsOptions,
): Promise<Result<readonly GitSetting[], GitProblem>> {
  const question = {
    ...{ dir, command: "config" as const, asUser },
    // Where there is none, git would fail at a `.git` that leads nowhere.
    ...(isRepository || asUser ? {} : { gitDir: NO_REPOSITORY }),
  };
  const list = ["--list", "-z", "--show-origin"];
  const listed = await ask({ ...question, args: list });
  if (!listed.ok) return listed;
  const settings = await expanded(dir, settingsOf(listed.value, dir));
  if (!settings.ok) return settings;
  const others: GitSetting[] = [];
  const todo = [...settings.value];
  const seen = new Set(todo.flatMap(({ origin }) => origin ?? []));
  // Included files may include others.
  for (const setting of todo) {
    const path = includedBy(setting);
    if (path === undefined || seen.has(path)) continue;
    seen.add(path);
    if (seen.size > MAX_FILES)
      return err({
        reason: `the configuration of git in ${dir} includes more than ${MAX_FILES} files`,
        fix: questionForUser({ ...question, args: ["--list", "--show-origin", "--name-only"] }),
      });
    if (!(await isReadable(path))) continue;
    const included = await ask({ ...question, args: ["-f", path, "--includes", ...list] });
    if (!included.ok) return included;
    const more = await expanded(dir, settingsOf(included.value, dir));
    if (!more.ok) return more;
    todo.push(...more.value);
    // Git takes these two from the repository's own file alone.
    others.push(...more.value.filter(({ key }) => !/^core\.(bare|worktree)$/.test(key)));
  }
  // The last of a key is the one that counts now.
  return ok([...others, ...settings.value]);
}

/** The file that a setting includes if its condition is met, absolute. */
function includedBy({ key, value, path, origin }: GitSetting): string | undefined {
  if (!/^includeif\..*\.path$|^include\.path$/s.test(key) || path === null) return undefined;
  return resolve(origin === undefined ? "/" : dirname(origin), path ?? value);
}

/** A path with no repository: settings are read without one. */
const NO_REPOSITORY = "/nonexistent";

/** Whether a file exists for this user; git ignores an included file that does not. */
async function isReadable(path: string): Promise<boolean> {
  if (path.includes("\0")) return false;
  const real = await lookOutside(realPathOf(path));
  return real !== undefined && (await lookOutside(statsAt(real)))?.isFile() === true;
}

/** Settings with their paths expanded by git. */
async function expanded(
  dir: string,
  settings: readonly GitSetting[],
): Promise<Result<readonly GitSetting[], GitProblem>> {
  const known = new Map<string, string | null>();
  const all: GitSetting[] = [];
  for (const setting of settings) {
    const value = setting.value.replace(/^:\(optional\)/, "");
    if (!isPathKey(setting.key) || !/^(~|%\(prefix\))/.test(value)) {
      all.push(
        value === setting.value || !isPathKey(setting.key) ? setting : { ...setting, path: value },
      );
      continue;
    }
    if (!known.has(value)) {
      const path = await expandedPath(dir, value);
      if (!path.ok) return path;
      known.set(value, path.value);
    }
    all.push({ ...setting, path: known.get(value) ?? null });
  }
  return ok(all);
}

/** A path as git expands it; null where git says that it cannot. */
async function expandedPath(
  dir: string,
  value: string,
): Promise<Result<string | null, GitProblem>> {
  const args = ["--type=path", "--default", value, "--get", "codexchat.absent"];
  const question = { dir, command: "config", args, gitDir: NO_REPOSITORY } as const;
  const answer = await askGit(question);
  if (answer.ok) return ok(answer.value.replace(/\n$/, "") || null);
  const { exitCode, stderr } = answer.error;
  return exitCode === 128 && /failed to expand user dir in/.test(stderr)
    ? ok(null)
    : err(problemOf(answer.error, question));
}

/**
 * The top of the work tree that git uses in a directory, which the configuration may put elsewhere;
 * undefined where git says that there is none.
 */
export async function topOf(
  dir: string,
  { asUser = false }: { readonly asUser?: boolean } = {},
): Promise<Result<string | undefined, GitProblem>> {
  const question = { dir, command: "rev-parse", args: ["--show-toplevel"], asUser } as const;
  const answer = await askGit(question);
  if (answer.ok) return ok(answer.value.replace(/\n$/, "") || undefined);
  const { exitCode, stderr } = answer.error;
  const isNone =
    isNoRepository(answer.error) ||
    (exitCode === 128 && /this operation must be run in a work tree/.test(stderr));
  return isNone ? ok(undefined) : err(problemOf(answer.error, question));
}

/** The paths of submodules in a work tree's index, from its top. */
export async function gitlinksIn(dir: string): Promise<Result<readonly string[], GitProblem>> {
  const listed = await ask({ dir, command: "ls-files", args: ["--stage", "-z"] });
  if (!listed.ok) return listed;
  // `mode id stage\tpath`
  const links = listed.value.split("\0").filter((entry) => entry.startsWith("160000 "));
  return ok(links.map((entry) => entry.slice(entry.indexOf("\t") + 1)));
}

/**
 * All work trees of the repository in a directory, the main one first. They are read from its git
 * directory as git itself does: versions before 2.36 list no odd path in a way that can be read.
 *
 * Rejects with `LookError`.
 */
export async function worktreesOf(dir: string): Promise<Result<readonly string[], GitProblem>> {
  const answer = await ask({ dir, command: "rev-parse", args: ["--git-common-dir"] });
  if (!answer.ok) return answer;
  const named = resolve(dir, answer.value.replace(/\n$/, ""));
  const common = (await realPathOf(named)) ?? named;
  const trees = [common.replace(/\/\.git$/, "")];
  for (const { name } of (await entriesOf(join(common, "worktrees"))) ?? []) {
    const admin = join(common, "worktrees", name);
    const pointer = join(admin, "gitdir");
    if ((await statsAt(pointer)) === undefined) continue;
    const text = await readSmallFile(pointer, MAX_POINTER);
    // Git takes blanks off the end, too.
    const path = text?.replace(/[ \t\n\v\f\r]+$/, "");
    if (path === undefined || path === "")
      return err({
        reason: `${pointer} does not name a work tree`,
        fix: `cat ${quoteForShell(pointer)}\nIf that work tree is gone: git -C ${quoteForShell(common)} worktree prune`,
      });
    trees.push(resolve(admin, path.replace(/\/\.git$/, "")));
  }
  return ok(trees);
}

/** Reads pairs of an origin, such as `file:.git/config`, and `key\nvalue`. */
function settingsOf(listed: string, dir: string): GitSetting[] {
  const parts = listed.split("\0");
  const settings: GitSetting[] = [];
  for (let n = 0; n + 1 < parts.length; n += 2) {
    const [from, pair] = [parts[n] ?? "", parts[n + 1] ?? ""];
    const end = pair.indexOf("\n");
    // A key without a value is a switch.
    if (end === -1) continue;
    const [name, value] = [pair.slice(0, end), pair.slice(end + 1)];
    const key = name.toLowerCase();
    const origin = from.startsWith("file:") ? resolve(dir, from.slice("file:".length)) : undefined;
    if (origin === undefined && isQuestionSetting(key, value)) continue;
    const middle = name.slice(name.indexOf(".") + 1, Math.max(name.lastIndexOf("."), 0));
    settings.push({ key, middle, value, origin });
  }
  return settings;
}

/** Why a question was not answered, and the question for the user to ask. */
function problemOf(error: GitError, question: GitQuestion): GitProblem {
  if (error.kind === "git_missing")
    return { reason: error.message, fix: "sudo apt-get install git", isNoGit: true };
  return {
    reason: error.message,
    fix: questionForUser(question),
    isBroken: isNoRepository(error) || (error.exitCode === 128 && BROKEN.test(error.stderr)),
  };
}

/** Asks git in a directory; every failure is a problem, and none is taken for an answer. */
async function ask(question: GitQuestion): Promise<Result<string, GitProblem>> {
  const answer = await askGit(question);
  return answer.ok ? answer : err(problemOf(answer.error, question));
}
