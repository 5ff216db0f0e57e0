import type { Readable } from "node:stream";
import { contains } from "../paths.ts";
import { err, ok, type Result } from "../result.ts";
import type { ExecOptions, SandboxProcess } from "./engine/index.ts";
import type { SandboxError } from "./error.ts";
import type { BindMount } from "./mount.ts";

/** More than a busy machine takes; container/let-go.mjs ends by itself before that. */
const LET_GO_MS = 20_000;
/** How many characters of its error output are kept. */
const MAX_SAID = 300;

type Exec = (options: ExecOptions) => Promise<Result<SandboxProcess, SandboxError>>;

/** Directories of the user's files that the sandbox can write; the project's state is not one. */
export function writtenIn(mounts: readonly BindMount[], stateDir: string): string[] {
  return mounts
    .filter((mount) => !mount.readOnly && !contains(stateDir, mount.source))
    .map((mount) => mount.target);
}

/**
 * Makes gVisor close the files in these directories that were written and are no longer in use:
 * while one is open for writing, the host cannot execute it ("Text file busy"). See
 * container/let-go.mjs.
 *
 * Errors: `exec_failed`; none if the sandbox has ended.
 */
export async function letGo(
  exec: Exec,
  dirs: readonly string[],
  patienceMs = LET_GO_MS,
): Promise<Result<void, SandboxError>> {
  if (dirs.length === 0) return ok();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), patienceMs);
  // The engine may be slow as well, and the end of a turn must not wait for that either.
  const timedOut = new Promise<string>((resolve) => {
    const reason = `it took longer than ${patienceMs / 1000} s`;
    timeout.signal.addEventListener("abort", () => resolve(reason));
  });
  const reason = await Promise.race([run(exec, dirs, timeout.signal), timedOut]);
  clearTimeout(timer);
  if (reason === undefined) return ok();
  return err({
    kind: "exec_failed",
    message: `gVisor could not be made to close the files that were written: ${reason}.`,
    fix: 'Your machine may refuse to run them ("Text file busy") until the sandbox stops: :CodexChat sandbox stop',
  });
}

/** Why it failed; undefined if it is done, or if the sandbox has ended and closed all its files. */
async function run(
  exec: Exec,
  dirs: readonly string[],
  timeout: AbortSignal,
): Promise<string | undefined> {
  const started = await exec({
    argv: ["unshare", "-Urm", "sh", "/opt/codex-chat/let-go.sh", ...dirs],
    cwd: "/",
  });
  if (!started.ok) return undefined;
  const process = started.value;
  timeout.addEventListener("abort", process.kill);
  if (timeout.aborted) process.kill();
  process.stdin.end();
  process.stdout.resume();
  const said = beginningOf(process.stderr);
  const { exitCode } = await process.exited;
  if (exitCode === 0 || exitCode === null) return undefined;
  return said().trim() || `it ended with exit code ${exitCode}`;
}

/** SECURITY: any program inside can write to this stream, without end. */
function beginningOf(stream: Readable): () => string {
  let said = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    said += chunk.slice(0, MAX_SAID - said.length);
  });
  stream.on("error", () => {});
  return () => said;
}
