import type { Readable } from "node:stream";
import { err, ok, type Result } from "../result.ts";
import type { SandboxError } from "./error.ts";
import type { ExecOptions, SandboxProcess } from "./process.ts";
import { type BindMount, contains } from "./project.ts";

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
): Promise<Result<void, SandboxError>> {
  if (dirs.length === 0) return ok();
  const started = await exec({
    argv: ["unshare", "-Urm", "sh", "/opt/codex-chat/let-go.sh", ...dirs],
    cwd: "/",
  });
  // The sandbox has ended, and what it held open with it.
  if (!started.ok) return ok();
  const process = started.value;
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    process.kill();
  }, LET_GO_MS);
  process.stdin.end();
  process.stdout.resume();
  const said = beginningOf(process.stderr);
  const { exitCode } = await process.exited;
  clearTimeout(late);
  if (exitCode === 0 || (exitCode === null && !isLate)) return ok();
  const reason = isLate
    ? `it took longer than ${LET_GO_MS / 1000} s`
    : said().trim() || `it ended with exit code ${exitCode}`;
  return err({
    kind: "exec_failed",
    message: `gVisor could not be made to close the files that were written: ${reason}.`,
    mend: 'Your machine may refuse to run them ("Text file busy") until the sandbox stops: :CodexChat sandbox stop',
  });
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
