import { execa } from "execa";
import { program } from "../../../programs.ts";
import { err, ok, type Result } from "../../../result.ts";

/** Why git on the host did not do what it was asked for. */
export type GitError = {
  readonly kind: "git_failed" | "git_missing" | "git_too_slow" | "git_too_much";
  readonly message: string;
};

/** What is asked of git. */
export type GitRun = {
  readonly args: readonly string[];
  /** A git directory of our own making; never the agent's, and never the project's. */
  readonly gitDir: string;
  /** Where objects are written, instead of in `gitDir`. */
  readonly objects?: string;
  readonly input?: string | AsyncIterable<Uint8Array> | { readonly file: string };
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

const MAX_BYTES = 16 * 1024 ** 2;
const TIMEOUT_MS = 60_000;

/**
 * What one run may take, for dash and bash: 4 GiB of addresses, 2 minutes of processor time. An
 * object of some kilobytes may unpack to as many gigabytes.
 */
const BOUNDED = 'ulimit -v 4194304; ulimit -t 120; exec "$0" "$@"';

/** Settings that count whatever any file says. */
const FIXED = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "core.commitGraph=false",
  "core.multiPackIndex=false",
  "core.packedGitWindowSize=32m",
  "core.packedGitLimit=256m",
  "core.bigFileThreshold=16m",
  "pack.threads=1",
  "pack.writeReverseIndex=false",
  "protocol.allow=never",
  "gc.auto=0",
  "maintenance.auto=false",
  "log.showSignature=false",
].flatMap((it) => ["-c", it]);

/**
 * Runs git on the host in a git directory of our own making, with nothing of the user's, the
 * system's, the project's or the agent's configuration in force.
 */
export async function runGit(run: GitRun): Promise<Result<Buffer, GitError>> {
  const { args, gitDir, objects, input, maxBytes = MAX_BYTES, timeoutMs = TIMEOUT_MS } = run;
  const what = `git ${args[0]}`;
  const argv = ["-c", BOUNDED, program("git"), "--no-pager", ...FIXED, ...args];
  const result = await execa(program("sh"), argv, {
    cwd: gitDir,
    env: {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      LC_ALL: "C",
      GIT_DIR: gitDir,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_ATTR_NOSYSTEM: "1",
      GIT_NO_REPLACE_OBJECTS: "1",
      GIT_NO_LAZY_FETCH: "1",
      GIT_OPTIONAL_LOCKS: "0",
      GIT_TERMINAL_PROMPT: "0",
      GIT_ASKPASS: "/bin/false",
      ...(objects === undefined ? {} : { GIT_OBJECT_DIRECTORY: objects }),
    },
    extendEnv: false,
    ...stdinOf(input),
    encoding: "buffer",
    stripFinalNewline: false,
    maxBuffer: maxBytes,
    timeout: timeoutMs,
    reject: false,
    ...(run.signal === undefined ? {} : { cancelSignal: run.signal }),
  });
  run.signal?.throwIfAborted();
  if (!result.failed) return ok(Buffer.from(result.stdout));
  if (result.code === "ENOENT" || result.exitCode === 127)
    return err({ kind: "git_missing", message: "git is not installed" });
  if (result.timedOut)
    return err({ kind: "git_too_slow", message: `${what} took longer than ${timeoutMs / 1000} s` });
  if (result.isMaxBuffer)
    return err({ kind: "git_too_much", message: `${what} said more than ${maxBytes} bytes` });
  const said = Buffer.from(result.stderr).toString("utf8").trim().split("\n").slice(-2).join(" ");
  return err({ kind: "git_failed", message: `${what}: ${said || result.shortMessage}` });
}

function stdinOf(input: GitRun["input"]) {
  if (input === undefined) return { stdin: "ignore" } as const;
  if (typeof input === "string") return { input };
  return "file" in input ? { inputFile: input.file } : { stdin: input };
}
