/**
 * The only place where the host starts git.
 *
 * Git is run in two ways. `runGit` works in a repository of our own making, with no configuration
 * but that repository's. `askGit` asks a question in a directory of the user's, with the
 * configuration that the user's own git has there; the three commands that can be asked run nothing
 * that a configuration names. Both share one set of settings and start from an environment without
 * any `GIT_*` variable.
 *
 * SECURITY: a git that was killed, that could not be started, that took too long or that ended with
 * a code nobody expected has not answered. Callers pass that on as an error; they take an answer
 * for "nothing is there" only by its exit code and its words.
 */

import { dirname } from "node:path";
import type { execa as Execa } from "execa";
import { quoteForShell } from "./look.ts";
import { findProgram, program, searchPath } from "./programs.ts";
import { err, ok, type Result } from "./result.ts";

/** Why git did not answer. */
export type GitError = {
  /** `git_missing`: no git is installed; `git_too_much`: it wrote more than was allowed. */
  readonly kind: "git_failed" | "git_missing" | "git_too_slow" | "git_too_much";
  /** What failed, as a part of a sentence for the user, without a full stop. */
  readonly message: string;
  /** The code that git itself ended with; undefined if it never ran or was killed. */
  readonly exitCode?: number;
  /** What git wrote about it, in English, trimmed. */
  readonly stderr: string;
};

/** The oldest git on the host that this works with: 2.32 knows GIT_CONFIG_GLOBAL. */
export const OLDEST_GIT = "2.32";

const TIMEOUT_MS = 60_000;
const MAX_BYTES = 16 * 1024 ** 2;
/** A question takes milliseconds; listing an index of a million files takes a second. */
const QUESTION_MS = 20_000;
/** The list of an index of a few million files. */
const QUESTION_BYTES = 512 * 1024 ** 2;
const VERSION_MS = 10_000;

/**
 * Bounds of one run, in words that dash and bash know: 4 GiB of address space and 2 minutes of
 * processor time. An object of a few kilobytes may unpack to as many gigabytes.
 */
const BOUNDED = 'ulimit -v 4194304; ulimit -t 120; exec "$0" "$@"';
/** The shell's own exit codes for a program that is there and cannot be started. */
const NOT_STARTED: ReadonlySet<number | undefined> = new Set([126, 127]);

/** Settings of every run; they outrank all files. */
const SETTINGS = [
  // A program that git runs to find out what has changed.
  "core.fsmonitor=false",
  // Programs that git runs at its own events.
  "core.hooksPath=/dev/null",
  // Nothing is fetched, by whatever program or network.
  "protocol.allow=never",
] as const;

/** Settings of a run in a repository of our own. */
const OWN_SETTINGS = [
  // Attributes choose filters and drivers, which are programs.
  "core.attributesFile=/dev/null",
  // Signatures are checked by a program.
  "log.showSignature=false",
  // Caches beside the objects: one that is wrong changes what git sees of the commits.
  "core.commitGraph=false",
  "core.multiPackIndex=false",
  "pack.writeReverseIndex=false",
  // Memory, within the bounds of one run.
  "core.packedGitWindowSize=32m",
  "core.packedGitLimit=256m",
  "core.bigFileThreshold=16m",
  "pack.threads=1",
  // No process that outlives the run.
  "gc.auto=0",
  "maintenance.auto=false",
] as const;

/** Settings of a question. */
const QUESTION_SETTINGS = [
  // A repository of another user's is asked as well: the user's git may work in it.
  "safe.directory=*",
] as const;

const VARIABLES = {
  // Messages are read by their words.
  LC_ALL: "C",
  // Of a partial clone git would fetch what is missing, by a program that the configuration names.
  GIT_ALLOW_PROTOCOL: "",
  GIT_NO_LAZY_FETCH: "1",
  // Nothing is written while something is only read.
  GIT_OPTIONAL_LOCKS: "0",
  // A ref in refs/replace would show another object than the one that is named.
  GIT_NO_REPLACE_OBJECTS: "1",
  // Nobody is asked for a password.
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "/bin/false",
} as const;

/** Variables of a run in a repository of our own: no configuration of the system's or the user's. */
const OWN_VARIABLES = {
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
} as const;

/** Variables that a question takes from the environment: where the user's settings are. */
const SETTINGS_VARIABLES =
  /^(?:HOME|XDG_CONFIG_HOME|GIT_CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|PARAMETERS|KEY_\d+|VALUE_\d+))$/;
/** Variables that lead the user's git to another repository than the one that it would find. */
const LOCATION_VARIABLES =
  /^GIT_(?:DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)$/;

/** A run of git in a repository of our own. */
export type GitRun = {
  readonly args: readonly string[];
  /** A git directory of our own making; never the agent's, and never the project's. */
  readonly gitDir: string;
  /** The directory that objects are written to, if it is not that of `gitDir`. */
  readonly objects?: string;
  readonly input?: string | AsyncIterable<Uint8Array> | { readonly file: string };
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

/** Runs git in a repository of our own, and gives what it writes. Rejects with `signal.reason`. */
export async function runGit(run: GitRun): Promise<Result<Buffer, GitError>> {
  const { gitDir, objects } = run;
  return start({
    ...{ maxBytes: MAX_BYTES, timeoutMs: TIMEOUT_MS, ...run },
    cwd: gitDir,
    args: [...flags([...SETTINGS, ...OWN_SETTINGS]), ...run.args],
    what: `git ${run.args.find((arg) => !arg.startsWith("-"))}`,
    source: process.env,
    env: {
      ...OWN_VARIABLES,
      GIT_DIR: gitDir,
      ...(objects === undefined ? {} : { GIT_OBJECT_DIRECTORY: objects }),
    },
  });
}

/** A question to git in a directory of the user's. */
export type GitQuestion = {
  readonly dir: string;
  /** Commands that read, and run nothing that a configuration names. */
  readonly command: "config" | "ls-files" | "rev-parse";
  readonly args: readonly string[];
  /** The repository that is asked; without it, the one that git finds in `dir` itself. */
  readonly gitDir?: string;
  /**
   * Whether the environment may name another repository or work tree, as it does for the user.
   * Without it git looks in `dir` alone: the directories above are not part of the project.
   */
  readonly asUser?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
};

/**
 * Asks git a question in a directory of the user's, with the settings that are in force there.
 *
 * SECURITY: the agent may have made the repository, where there was none or where the user has
 * taken one over.
 */
export async function askGit(question: GitQuestion): Promise<Result<string, GitError>> {
  const { dir, asUser = false, env = process.env } = question;
  const kept = Object.entries(env).filter(
    ([name]) => SETTINGS_VARIABLES.test(name) || (asUser && LOCATION_VARIABLES.test(name)),
  );
  const answer = await start({
    maxBytes: question.maxBytes ?? QUESTION_BYTES,
    timeoutMs: question.timeoutMs ?? QUESTION_MS,
    cwd: dir,
    args: questionArgs(question),
    what: `git ${question.command} in ${dir}`,
    source: env,
    env: {
      ...(asUser ? {} : { GIT_CEILING_DIRECTORIES: dirname(dir) }),
      ...Object.fromEntries(kept),
    },
  });
  return answer.ok ? ok(answer.value.toString("utf8")) : answer;
}

/** The same question for the user to ask, as safe as it is here. */
export function questionForUser(question: GitQuestion): string {
  const { GIT_ALLOW_PROTOCOL, GIT_NO_LAZY_FETCH } = VARIABLES;
  const variables = Object.entries({ GIT_ALLOW_PROTOCOL, GIT_NO_LAZY_FETCH });
  const words = ["git", "-C", question.dir, "--no-optional-locks", ...questionArgs(question)];
  return [...variables.map((pair) => pair.join("=")), ...words.map(quoteForShell)].join(" ");
}

/** Whether this setting is in force for a question only because every question is asked with it. */
export function isQuestionSetting(key: string, value: string): boolean {
  const setting = `${key}=${value}`.toLowerCase();
  return [...SETTINGS, ...QUESTION_SETTINGS].some((own) => own.toLowerCase() === setting);
}

/** Whether git has answered that there is no repository where it was asked. */
export function isNoRepository({ exitCode, stderr }: GitError): boolean {
  return exitCode === 128 && /^fatal: not a git repository/m.test(stderr);
}

/** The version of the installed git, such as "2.39.5". */
export async function gitVersion(env: NodeJS.ProcessEnv): Promise<Result<string, GitError>> {
  const limits = { maxBytes: MAX_BYTES, timeoutMs: VERSION_MS };
  const what = "git --version";
  const run = { ...limits, cwd: "/", args: ["--version"], what, source: env, env: OWN_VARIABLES };
  const answer = await start(run);
  if (!answer.ok) return answer;
  const text = answer.value.toString("utf8").trim();
  const version = /\d+\.\d+[.\d]*/.exec(text)?.[0];
  if (version !== undefined) return ok(version);
  return err({ kind: "git_failed", message: `${what} names no version: ${text}`, stderr: "" });
}

/** Whether a version is not older than `OLDEST_GIT`. */
export function isNewEnough(version: string): boolean {
  return version.localeCompare(OLDEST_GIT, "en", { numeric: true }) >= 0;
}

function questionArgs({ command, args, gitDir }: GitQuestion): string[] {
  const from = gitDir === undefined ? [] : [`--git-dir=${gitDir}`];
  return [...flags([...SETTINGS, ...QUESTION_SETTINGS]), ...from, command, ...args];
}

function flags(settings: readonly string[]): string[] {
  // Output goes to no pager, which the configuration may name.
  return ["--no-pager", ...settings.flatMap((setting) => ["-c", setting])];
}

type Start = {
  readonly args: readonly string[];
  readonly cwd: string;
  /** The run's name in messages. */
  readonly what: string;
  /** The environment that git is found by. */
  readonly source: NodeJS.ProcessEnv;
  /** Variables of this run besides `VARIABLES`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly input?: GitRun["input"];
  readonly signal?: AbortSignal;
};

/** Loaded with the first run, because a chat that is only read asks git nothing. */
let loading: Promise<{ readonly execa: typeof Execa }> | undefined;

async function start(run: Start): Promise<Result<Buffer, GitError>> {
  const { args, cwd, what, source, env, maxBytes, timeoutMs, signal } = run;
  const git = findProgram("git", source);
  if (!git.ok) return err(notFound(git.error));
  loading ??= import("execa");
  const { execa } = await loading;
  const result = await execa(program("sh", source), ["-c", BOUNDED, git.value, ...args], {
    cwd,
    env: { ...env, ...VARIABLES, PATH: searchPath(source) },
    extendEnv: false,
    // Neovim's SIGTERM to the host's process group does not end it; see machine-lock.ts.
    detached: true,
    ...stdinOf(run.input),
    encoding: "buffer",
    stripFinalNewline: false,
    maxBuffer: maxBytes,
    timeout: timeoutMs,
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (!result.failed) return ok(Buffer.from(result.stdout));
  const stderr = Buffer.from(result.stderr).toString("utf8").trim();
  if (result.timedOut)
    return err({
      kind: "git_too_slow",
      message: `${what} took longer than ${timeoutMs / 1000} s`,
      stderr,
    });
  if (result.isMaxBuffer)
    return err({
      kind: "git_too_much",
      message: `${what} wrote more than ${maxBytes} bytes`,
      stderr,
    });
  const said = stderr.split("\n").slice(-2).join(" ");
  const message = `${what} failed: ${said || result.shortMessage}`;
  const isGits = result.exitCode !== undefined && !NOT_STARTED.has(result.exitCode);
  return err({
    ...{ kind: "git_failed", message, stderr },
    ...(isGits ? { exitCode: result.exitCode } : {}),
  });
}

/**
 * SECURITY: a git that is there and is not run, as one in a project, does not count as absent, nor
 * does one that a directory which cannot be read may hide.
 */
function notFound(reason: string): GitError {
  return reason === "there is no such program"
    ? { kind: "git_missing", message: "git is not installed", stderr: "" }
    : {
        kind: "git_failed",
        message: `git cannot be run on this machine: ${reason}`,
        stderr: "",
      };
}

function stdinOf(input: GitRun["input"]) {
  if (input === undefined) return { stdin: "ignore" } as const;
  if (typeof input === "string") return { input };
  return "file" in input ? { inputFile: input.file } : { stdin: input };
}
