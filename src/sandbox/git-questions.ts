import { dirname, resolve } from "node:path";
import { execa } from "execa";
import { quoteForShell } from "../look.ts";
import { program } from "../programs.ts";
import { err, ok, type Result } from "../result.ts";

/** Why git did not answer, and a command for the user. */
export type GitProblem = {
  readonly reason: string;
  readonly fix: string;
  /** Git ran and refused to answer, as in a repository that is broken. */
  readonly isRefusal?: boolean;
};

/** One setting that is in force. */
export type GitSetting = {
  /** In small letters. */
  readonly key: string;
  /** As it is written. */
  readonly value: string;
  /** For a key whose value is a path: `~`, `~user` and `%(prefix)` as git expands them. */
  readonly path?: string;
  /** The file that says so, absolute; undefined for the environment. */
  readonly origin: string | undefined;
};

/** Git answers in milliseconds; an index of a million files takes a second. */
const GIT_MS = 20_000;

/** Keys whose value git itself takes for a path, and expands. */
const PATH_KEYS =
  "^(core\\.(hookspath|attributesfile|excludesfile)|init\\.templatedir|include\\.path|includeif\\..*\\.path|commit\\.template|blame\\.ignorerevsfile|mailmap\\.file|diff\\.orderfile|(|fetch\\.|receive\\.)fsck\\.skiplist|gpg\\.ssh\\.(allowedsignersfile|revocationfile)|http\\.(.*\\.)?(sslcainfo|sslcapath|sslcert|sslkey|cookiefile)|format\\.signaturefile|user\\.signingkey)$";

/** Whether git takes a key's value for a path. */
export function isPathKey(key: string): boolean {
  return new RegExp(PATH_KEYS).test(key);
}

/**
 * All settings in force in a directory: the system's, the user's, the repository's where there is
 * one, and those of the environment. Git runs nothing for this.
 */
export async function settingsIn(
  dir: string,
  { isRepository }: { readonly isRepository: boolean },
): Promise<Result<readonly GitSetting[], GitProblem>> {
  // Where there is none, git would go up, and fail at a `.git` that leads nowhere.
  const from = isRepository ? [] : ["--git-dir=/nonexistent"];
  const listed = await ask(dir, [...from, "config", "--list", "-z", "--show-origin"]);
  if (!listed.ok) return listed;
  const settings = entriesOf(listed.value, dir);
  if (!settings.some(({ value }) => /^(~|%\(prefix\))/.test(value))) return ok(settings);
  const args = [...from, "config", "-z", "--show-origin", "--type=path", "--get-regexp", PATH_KEYS];
  // Exit code 1: none of these keys is set.
  const expanded = await ask(dir, args, [1]);
  if (!expanded.ok) return expanded;
  // Both list the same settings in the same order.
  const paths = entriesOf(expanded.value, dir);
  let next = 0;
  return ok(
    settings.map((setting) => {
      const path = isPathKey(setting.key) ? paths[next++]?.value : undefined;
      return path === undefined ? setting : { ...setting, path };
    }),
  );
}

/** The paths of submodules in a work tree's index, from its top. */
export async function gitlinksIn(dir: string): Promise<Result<readonly string[], GitProblem>> {
  const listed = await ask(dir, ["ls-files", "--stage", "-z"]);
  if (!listed.ok) return listed;
  // `mode id stage\tpath`
  const links = listed.value.split("\0").filter((entry) => entry.startsWith("160000 "));
  return ok(links.map((entry) => entry.slice(entry.indexOf("\t") + 1)));
}

/** All work trees of the repository in a directory, the main one first. */
export async function worktreesOf(dir: string): Promise<Result<readonly string[], GitProblem>> {
  const listed = await ask(dir, ["worktree", "list", "--porcelain", "-z"]);
  if (!listed.ok) return listed;
  const lines = listed.value.split("\0").filter((line) => line.startsWith("worktree "));
  return ok(lines.map((line) => line.slice("worktree ".length)));
}

/** Reads pairs of an origin, such as `file:.git/config`, and `key\nvalue`. */
function entriesOf(listed: string, dir: string): GitSetting[] {
  const parts = listed.split("\0");
  const settings: GitSetting[] = [];
  for (let n = 0; n + 1 < parts.length; n += 2) {
    const [from, pair] = [parts[n] ?? "", parts[n + 1] ?? ""];
    const end = pair.indexOf("\n");
    // A key without a value is a switch.
    if (end === -1) continue;
    const [key, value] = [pair.slice(0, end).toLowerCase(), pair.slice(end + 1)];
    const origin = from.startsWith("file:") ? resolve(dir, from.slice("file:".length)) : undefined;
    if (origin === undefined && OWN.has(`${key}=${value}`)) continue;
    settings.push({ key, value, origin });
  }
  return settings;
}

/** What every question is asked with; a repository of another user's is asked as well. */
const OFF = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.directory=*"];
const OWN: ReadonlySet<string> = new Set(OFF.map((it) => it.toLowerCase()));

/**
 * Asks git in a directory; it runs nothing for these questions. An exit code other than 0 and
 * `alsoGood` is a problem: the agent may have broken a file that the configuration includes, and
 * no answer is not the answer that nothing is set.
 *
 * SECURITY: the agent may have made the repository, where there was none or where the user has taken
 * one over. Of a partial clone git fetches what is missing, by a program that the configuration
 * names, so nothing may be fetched in any way.
 */
async function ask(
  dir: string,
  args: readonly string[],
  alsoGood: readonly number[] = [],
): Promise<Result<string, GitProblem>> {
  const off = OFF.flatMap((it) => ["-c", it]);
  const asked = await execa(program("git"), ["--no-optional-locks", ...off, ...args], {
    cwd: dir,
    reject: false,
    stdin: "ignore",
    stripFinalNewline: false,
    timeout: GIT_MS,
    maxBuffer: 512 * 1024 ** 2,
    env: {
      LC_ALL: "C",
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      GIT_COMMON_DIR: undefined,
      GIT_OBJECT_DIRECTORY: undefined,
      GIT_NAMESPACE: undefined,
      GIT_ALLOW_PROTOCOL: "",
      GIT_NO_LAZY_FETCH: "1",
      // What is above is no part of the project, and paths here are its own.
      GIT_CEILING_DIRECTORIES: dirname(dir),
    },
  });
  if (!asked.failed || (asked.exitCode !== undefined && alsoGood.includes(asked.exitCode)))
    return ok(asked.stdout);
  const question = `git ${args.find((it) => !it.startsWith("-"))}`;
  const again = `git -C ${quoteForShell(dir)} ${args.join(" ")}`;
  if (asked.timedOut)
    return err({
      reason: `${question} in ${dir} did not answer within ${GIT_MS / 1000} s`,
      fix: again,
    });
  const isMissing = asked.code === "ENOENT";
  if (isMissing) return err({ reason: "git is not installed", fix: "sudo apt-get install git" });
  const said = asked.stderr.trim().split("\n").slice(0, 2).join(" ");
  const reason = `${question} failed in ${dir}: ${said || asked.shortMessage}`;
  return err({ reason, fix: again, isRefusal: asked.exitCode !== undefined });
}
