import { dirname, join, resolve } from "node:path";
import { execa } from "execa";
import {
  entriesOf,
  lookOutside,
  quoteForShell,
  readSmallFile,
  realPathOf,
  statsAt,
} from "../../look.ts";
import { program } from "../../programs.ts";
import { err, ok, type Result } from "../../result.ts";

/** Why git did not answer, and a command for the user. */
export type GitProblem = {
  readonly reason: string;
  readonly fix: string;
  /** There is no git on this machine. */
  readonly isNoGit?: boolean;
  /** Git ran and refused to answer, as in a repository that is broken. */
  readonly isRefusal?: boolean;
};

/** One setting that is in force. */
export type GitSetting = {
  /** In small letters. */
  readonly key: string;
  /** The key's middle part as it is written, such as an address; empty where it has none. */
  readonly middle: string;
  /** As it is written. */
  readonly value: string;
  /**
   * For a key whose value is a path: `~`, `~user` and `%(prefix)` as git expands them; null where
   * git cannot, and so cannot use it.
   */
  readonly path?: string | null;
  /** The file that says so, absolute; undefined for the environment. */
  readonly origin: string | undefined;
};

/** Git answers in milliseconds; an index of a million files takes a second. */
const GIT_MS = 20_000;
/** Nobody's configuration is spread over more. */
const MAX_FILES = 100;
/** Git's own limit for a pointer file is a path. */
const MAX_POINTER = 8 * 1024;

/** Keys whose value git itself takes for a path, and expands. */
const PATH_KEYS =
  "^(core\\.(hookspath|attributesfile|excludesfile)|init\\.templatedir|include\\.path|includeif\\..*\\.path|commit\\.template|blame\\.ignorerevsfile|mailmap\\.file|diff\\.orderfile|(|fetch\\.|receive\\.)fsck\\.skiplist|gpg\\.ssh\\.(allowedsignersfile|revocationfile)|http\\.(.*\\.)?(sslcainfo|sslcapath|sslcert|sslkey|cookiefile)|format\\.signaturefile|user\\.signingkey)$";

/** Whether git takes a key's value for a path. */
export function isPathKey(key: string): boolean {
  return new RegExp(PATH_KEYS).test(key);
}

/** How a directory's settings are asked for. */
export type SettingsOptions = {
  readonly isRepository: boolean;
  /** Whether the environment may name another git directory or work tree, as it does for the user. */
  readonly asUser?: boolean;
};

/**
 * All settings in force in a directory: the system's, the user's, the repository's where there is
 * one, and those of the environment, and all that would be in force on another branch, with another
 * remote or in another directory. Git runs nothing for this.
 *
 * Rejects with `LookError`.
 */
export async function settingsIn(
  dir: string,
  { isRepository, asUser = false }: SettingsOptions,
): Promise<Result<readonly GitSetting[], GitProblem>> {
  // Where there is none, git would go up, and fail at a `.git` that leads nowhere.
  const from = isRepository || asUser ? [] : ["--git-dir=/nonexistent"];
  const options = { asUser };
  const listed = await ask(dir, [...from, "config", "--list", "-z", "--show-origin"], options);
  if (!listed.ok) return listed;
  const settings = await expanded(dir, settingsOf(listed.value, dir));
  if (!settings.ok) return settings;
  const others: GitSetting[] = [];
  const todo = [...settings.value];
  const seen = new Set(todo.flatMap(({ origin }) => origin ?? []));
  // What a file includes may include more.
  for (const setting of todo) {
    const path = includedBy(setting);
    if (path === undefined || seen.has(path)) continue;
    seen.add(path);
    if (seen.size > MAX_FILES)
      return err({
        reason: `the configuration of git in ${dir} includes more than ${MAX_FILES} files`,
        fix: shown(dir, ["config", "--list", "--show-origin", "--name-only"]),
      });
    if (!(await isReadable(path))) continue;
    const args = ["config", "-f", path, "--includes", "--list", "-z", "--show-origin"];
    const included = await ask(dir, [...from, ...args], options);
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

/** Whether a file is there for this user; git passes over one that is not. */
async function isReadable(path: string): Promise<boolean> {
  if (path.includes("\0")) return false;
  const real = await lookOutside(realPathOf(path));
  return real !== undefined && (await lookOutside(statsAt(real)))?.isFile() === true;
}

/** Settings with those paths that begin with `~` as git expands them, one by one. */
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
      const args = ["--git-dir=/nonexistent", "config", "--type=path"];
      const path = await ask(dir, [...args, "--default", value, "--get", "codexchat.absent"], {
        alsoGood: [1, 128],
      });
      if (!path.ok) return path;
      // Where it fails, git prints nothing.
      known.set(value, path.value.replace(/\n$/, "") || null);
    }
    all.push({ ...setting, path: known.get(value) ?? null });
  }
  return ok(all);
}

/**
 * The top of the work tree that git uses in a directory, which the configuration may put elsewhere;
 * undefined where there is none.
 */
export async function topOf(
  dir: string,
  { asUser = false }: { readonly asUser?: boolean } = {},
): Promise<string | undefined> {
  const said = await ask(dir, ["rev-parse", "--show-toplevel"], { asUser });
  if (!said.ok) return undefined;
  return said.value.replace(/\n$/, "") || undefined;
}

/** The paths of submodules in a work tree's index, from its top. */
export async function gitlinksIn(dir: string): Promise<Result<readonly string[], GitProblem>> {
  const listed = await ask(dir, ["ls-files", "--stage", "-z"]);
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
  const said = await ask(dir, ["rev-parse", "--git-common-dir"]);
  if (!said.ok) return said;
  const named = resolve(dir, said.value.replace(/\n$/, ""));
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
    if (origin === undefined && OWN.has(`${key}=${value}`)) continue;
    const middle = name.slice(name.indexOf(".") + 1, Math.max(name.lastIndexOf("."), 0));
    settings.push({ key, middle, value, origin });
  }
  return settings;
}

/** What every question is asked with; a repository of another user's is asked as well. */
const OFF = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.directory=*"];
const OWN: ReadonlySet<string> = new Set(OFF.map((it) => it.toLowerCase()));
/** Nothing is fetched, in whatever way. */
const NO_FETCH = { GIT_ALLOW_PROTOCOL: "", GIT_NO_LAZY_FETCH: "1" };

/** The command of a question; what the configuration names runs at none of these. */
function safely(args: readonly string[]): string[] {
  return ["--no-pager", "--no-optional-locks", ...OFF.flatMap((it) => ["-c", it]), ...args];
}

/** The same question for the user to ask, as safe as it is here. */
function shown(dir: string, args: readonly string[]): string {
  const variables = Object.entries(NO_FETCH).map(([name, value]) => `${name}=${value}`);
  return [...variables, ...["git", "-C", dir, ...safely(args)].map(quoteForShell)].join(" ");
}

type AskOptions = {
  /** Exit codes that are answers as well. */
  readonly alsoGood?: readonly number[];
  /** Whether the environment's git directory and work tree count. */
  readonly asUser?: boolean;
};

/**
 * Asks git in a directory; it runs nothing for these questions. An exit code other than 0 and
 * `alsoGood` is a problem: the agent may have broken a file that the configuration includes, and
 * no answer is not the answer that nothing is set.
 *
 * SECURITY: the agent may have made the repository, where there was none or where the user has taken
 * one over. Of a partial clone git fetches what is missing, by a program that the configuration
 * names, so nothing may be fetched in any way. The user is shown the question with the same bounds.
 */
async function ask(
  dir: string,
  args: readonly string[],
  { alsoGood = [], asUser = false }: AskOptions = {},
): Promise<Result<string, GitProblem>> {
  const own = {
    GIT_DIR: undefined,
    GIT_WORK_TREE: undefined,
    GIT_INDEX_FILE: undefined,
    GIT_COMMON_DIR: undefined,
    GIT_OBJECT_DIRECTORY: undefined,
    GIT_NAMESPACE: undefined,
    // What is above is no part of the project, and paths here are its own.
    GIT_CEILING_DIRECTORIES: dirname(dir),
  };
  const asked = await execa(program("git"), safely(args), {
    cwd: dir,
    reject: false,
    stdin: "ignore",
    stripFinalNewline: false,
    timeout: GIT_MS,
    maxBuffer: 512 * 1024 ** 2,
    // `git config` would read that file alone.
    env: { LC_ALL: "C", GIT_CONFIG: undefined, ...NO_FETCH, ...(asUser ? {} : own) },
  });
  if (!asked.failed || (asked.exitCode !== undefined && alsoGood.includes(asked.exitCode)))
    return ok(asked.stdout);
  const question = `git ${args.find((it) => !it.startsWith("-"))}`;
  const again = shown(dir, args);
  if (asked.timedOut)
    return err({
      reason: `${question} in ${dir} did not answer within ${GIT_MS / 1000} s`,
      fix: again,
    });
  const isMissing = asked.code === "ENOENT";
  if (isMissing)
    return err({ reason: "git is not installed", fix: "sudo apt-get install git", isNoGit: true });
  const said = asked.stderr.trim().split("\n").slice(0, 2).join(" ");
  const reason = `${question} failed in ${dir}: ${said || asked.shortMessage}`;
  return err({ reason, fix: again, isRefusal: asked.exitCode !== undefined });
}
