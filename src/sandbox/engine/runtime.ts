import { isAbsolute } from "node:path";
import { execa } from "execa";
import { program, searchPath } from "../../programs.ts";
import { err, ok, type Result } from "../../result.ts";
import { runtimeAdvice, type SandboxError } from "../error.ts";
import type { Engine, EngineRuntime } from "./engine.ts";

/**
 * The oldest gVisor release that ran 60 turns in a row without a hang: under 20221219 commands
 * hang within 15 turns. Releases are named for their day.
 */
export const OLDEST_RELEASE = 20240729;

/** The runtime that the installation guide registers, so that others keep `runsc` as it is. */
const OWN_RUNTIME = "codex-chat";
const GVISOR_RUNTIME = "runsc";

/**
 * Whether a user who names this runtime accepts one that is weaker than gVisor. Without a name, and
 * with one of gVisor's, only gVisor will do.
 */
export function acceptsWeaker(runtime: string | undefined): boolean {
  return runtime !== undefined && runtime !== OWN_RUNTIME && runtime !== GVISOR_RUNTIME;
}

/** The engine's runtime of our own name if it can be used, else `runsc`. The self-test proves it. */
function defaultRuntime(engine: Engine): string {
  const hasOwn =
    engine.product === "Podman"
      ? engine.defaultRuntime === OWN_RUNTIME
      : engine.runtimes[OWN_RUNTIME] !== undefined;
  return hasOwn ? OWN_RUNTIME : GVISOR_RUNTIME;
}

/** A registered runtime; `release` is the day of the gVisor release, null if it is not known. */
export type CheckedRuntime = EngineRuntime & {
  readonly name: string;
  readonly release: number | null;
};

/**
 * Checks that the engine has the runtime (without a name: `codex-chat`, else `runsc`) and that its release is one that does not hang.
 * This proves nothing about isolation; the self-test does.
 *
 * Errors: `no_runtime`, `runtime_broken`.
 */
export async function checkRuntime(
  engine: Engine,
  {
    runtime: named,
    signal,
  }: { readonly runtime?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<Result<CheckedRuntime, SandboxError>> {
  signal?.throwIfAborted();
  const runtime = named ?? defaultRuntime(engine);
  const entry = engine.runtimes[runtime];
  if (entry === undefined) return err(noRuntime(engine, named));
  // Podman's Docker-compatible socket ignores the runtime that a container asks for (4.3).
  if (engine.product === "Podman" && engine.defaultRuntime !== runtime) {
    return err({
      kind: "no_runtime",
      message: `Podman starts every container of its socket with its default runtime, which is ${engine.defaultRuntime || "unknown"}; that must be "${named ?? OWN_RUNTIME}".`,
      fix: runtimeAdvice(engine, named ?? OWN_RUNTIME),
      runtime,
      known: Object.keys(engine.runtimes),
    });
  }
  const release = await releaseOf(entry.path, signal);
  if (release !== null && release < OLDEST_RELEASE) {
    return err({
      kind: "runtime_broken",
      message: `gVisor release ${release} (${entry.path}) hangs while commands run; ${OLDEST_RELEASE} or newer is needed, 20260810 or newer is best.`,
      fix: "Install a current release: https://gvisor.dev/docs/user_guide/install/ (on Debian bookworm: sudo apt-get install -t bookworm-backports runsc)",
      runtime,
      detail: String(release),
    });
  }
  return ok({ ...entry, name: runtime, release });
}

/** The day in the output of `runsc --version`: `release-20240729.0` or Debian's `0.0~20240729.0-4`. */
export function parseRelease(text: string): number | null {
  const match = /(?:release-|0\.0~)(\d{8})\b/.exec(text);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** Null if the binary cannot be run, for example because the engine is in a virtual machine. */
async function releaseOf(path: string, signal: AbortSignal | undefined): Promise<number | null> {
  if (!isAbsolute(path) && !/^runsc[\w.-]*$/.test(path)) return null;
  const { stdout, isCanceled } = await execa(program(path), ["--version"], {
    reject: false,
    timeout: 5_000,
    maxBuffer: 64 * 1024,
    stdin: "ignore",
    extendEnv: false,
    env: { PATH: searchPath() },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  if (isCanceled) signal?.throwIfAborted();
  return typeof stdout === "string" ? parseRelease(stdout) : null;
}

function noRuntime(engine: Engine, named: string | undefined): SandboxError {
  const known = Object.keys(engine.runtimes);
  const runtime = named ?? OWN_RUNTIME;
  const wanted = named === undefined ? `"${OWN_RUNTIME}" or "${GVISOR_RUNTIME}"` : `"${named}"`;
  return {
    kind: "no_runtime",
    message: `${engine.product} ${engine.version} has no runtime ${wanted} (it has: ${known.join(", ") || "none"}); gVisor is what keeps the agent's commands off this machine.`,
    fix: `Install gVisor (:help codex-chat-gvisor).\n${runtimeAdvice(engine, runtime)}`,
    runtime,
    known,
  };
}
