/**
 * Commit messages: `type(scope): verb phrase` of at most 72 columns, then an empty line, then the
 * body. It checks the commits that no main branch of this clone has yet; on a main branch, or if
 * there is none, the last ones.
 */
import { spawnSync } from "node:child_process";

const TYPES = "build chore ci docs feat fix perf refactor revert style test".split(" ");
const SUBJECT = new RegExp(`^(?:${TYPES.join("|")})(?:\\([a-z0-9-]+\\))?: [^A-Z\\s].*[^.\\s]$`);
const MAX_COLUMNS = 72;

/** The main branch of a clone, and that of a local repository. */
const MAIN_BRANCHES = ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/heads/main"];

/** A longer branch was checked while it grew. */
const MOST = 50;
/** How many are checked if none is new. */
const RECENT = 10;

/** A line for each commit whose message is not of the form, the newest first. */
export function commitProblems(root: string): readonly string[] {
  try {
    const known = MAIN_BRANCHES.filter((ref) => exists(root, ref));
    const fresh = known.length === 0 ? [] : messages(root, MOST, ["--not", ...known]);
    return (fresh.length > 0 ? fresh : messages(root, RECENT, [])).flatMap(([hash, message]) =>
      messageProblems(message).map((problem) => `${hash}: ${problem}`),
    );
  } catch (cause) {
    return [cause instanceof Error ? cause.message : String(cause)];
  }
}

/** What is wrong with a message; empty if nothing is. */
export function messageProblems(message: string): readonly string[] {
  const [subject = "", second = ""] = message.split("\n");
  return [
    ...(SUBJECT.test(subject)
      ? []
      : [`"${subject}" is not of the form "type(scope): verb phrase"; types: ${TYPES.join(", ")}`]),
    ...(subject.length > MAX_COLUMNS
      ? [`"${subject}" has ${subject.length} columns, at most ${MAX_COLUMNS} are allowed`]
      : []),
    ...(second === "" ? [] : [`"${subject}" needs an empty line below it`]),
  ];
}

/** The newest commits as abbreviated hash and message, without merges, whose messages git writes. */
function messages(root: string, most: number, range: readonly string[]): [string, string][] {
  const format = ["--no-merges", "-z", "--format=%h %B"];
  const { stdout } = git(root, ["log", `--max-count=${most}`, ...format, "HEAD", ...range]);
  return stdout
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const space = entry.indexOf(" ");
      return [entry.slice(0, space), entry.slice(space + 1)];
    });
}

function exists(root: string, ref: string): boolean {
  const args = ["rev-parse", "--verify", "--quiet", `${ref}^{commit}`];
  return git(root, args, { mayFail: true }).status === 0;
}

function git(root: string, args: readonly string[], { mayFail = false } = {}) {
  const ran = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 ** 2 });
  if (ran.error !== undefined) throw ran.error;
  if (ran.status !== 0 && !mayFail) throw new Error(`git ${args[0]} failed: ${ran.stderr.trim()}`);
  return ran;
}
