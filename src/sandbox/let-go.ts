import type { Readable } from "node:stream";
import { contains } from "../paths.ts";
import { err, ok, type Result } from "../result.ts";
import type { ExecOptions, SandboxProcess } from "./engine/index.ts";
import type { SandboxError } from "./error.ts";
import type { BindMount } from "./mount.ts";

/** More than it takes on a machine that is busy; container/let-go.mjs ends by itself before. */
const LET_GO_MS = 20_000;
/** How much of what it says is kept. */
const MAX_SAID = 300;

type Exec = (options: ExecOptions) => Promise<Result<SandboxProcess, SandboxError>>;

/** Where the user's own files are that the sandbox writes; the project's state is none of those. */
export function writtenIn(mounts: readonly BindMount[], stateDir: string): string[] {
  return mounts
    .filter((it) => !it.readOnly && !contains(stateDir, it.source))
    .map((it) => it.target);
}

/**
 * Has gVisor close the files that were written in these directories and are no longer in use
 * there: while one is open for writing, the host cannot execute it ("Text file busy"). See
 * container/let-go.mjs.
 *
 * Errors: `exec_failed`; none where the sandbox has ended.
 */
export async function letGo(
  exec: Exec,
  dirs: readonly string[],
  patienceMs = LET_GO_MS,
): Promise<Result<void, SandboxError>> {
  if (dirs.length === 0) return ok();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), patienceMs);
  // The engine may take as long with its part, and an end of the turn must not wait for that either.
  const isLate = new Promise<string>((resolve) => {
    const reason = `it took longer than ${patienceMs / 1000} s`;
    late.signal.addEventListener("abort", () => resolve(reason));
  });
  const reason = await Promise.race([run(exec, dirs, late.signal), isLate]);
  clearTimeout(timer);
  if (reason === undefined) return ok();
  return err({
    kind: "exec_failed",
    message: `gVisor could not be made to close the files that were written: ${reason}.`,
    fix: 'Your machine may refuse to run them ("Text file busy") until the sandbox stops: :CodexChat sandbox stop',
  });
}

/** Why it failed; undefined where it is done, or the sandbox has ended and what it held open with it. */
async function run(
  exec: Exec,
  dirs: readonly string[],
  late: AbortSignal,
): Promise<string | undefined> {
  const started = await exec({
    argv: ["unshare", "-Urm", "sh", "/opt/codex-chat/let-go.sh", ...dirs],
    cwd: "/",
  });
  if (!started.ok) return undefined;
  const process = started.value;
  late.addEventListener("abort", process.kill);
  if (late.aborted) process.kill();
  process.stdin.end();
  process.stdout.resume();
  const said = beginningOf(process.stderr);
  const { exitCode } = await process.exited;
  if (exitCode === 0 || exitCode === null) return undefined;
  return said().trim() || `it ended with exit code ${exitCode}`;
}

/** SECURITY: any program inside may write there, and as much as it likes. */
function beginningOf(stream: Readable): () => string {
  let said = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    said += chunk.slice(0, MAX_SAID - said.length);
  });
  stream.on("error", () => {});
  return () => said;
}
