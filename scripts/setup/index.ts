/**
 * Prepares a machine to try, test and lint the plugin: missing parts are fetched from Debian's
 * packages into `.cache`, and nothing else of the system is changed. If that is impossible, it says
 * what is missing and how to install it.
 *
 * It must not know what the plugin does with the parts.
 */

import { err, ok, type Result } from "../../src/result.ts";
import { whyNotSelfServed } from "./debian/index.ts";
import {
  findGoodEngine,
  setUpBaseImage,
  type UsedEngine,
  usePrivateEngine,
} from "./engine/index.ts";
import { failSetup, type SetupError, SetupFailure } from "./failure.ts";
import { type LintPrograms, setUpLintPrograms } from "./lint-programs.ts";
import { whatIsMissing } from "./missing.ts";
import { type NeovimVersion, setUpNeovim } from "./neovim.ts";
import { findNeovim, type Neovim } from "./programs.ts";
import { type Progress, step, toStderr } from "./progress.ts";

export {
  type PrivateEngine,
  type UsedEngine,
  useEngine,
  usePrivateEngine,
} from "./engine/index.ts";
export type { SetupError } from "./failure.ts";
export type { LintPrograms } from "./lint-programs.ts";
export { cacheDir, checkout } from "./paths.ts";

export { toStderr } from "./progress.ts";

/** Which parts are wanted. */
export type SetupParts = {
  /** `one`: the user's own Neovim or the newest; `tested`: both versions that the tests run on. */
  readonly neovim?: "one" | "tested";
  readonly engine?: boolean;
  readonly linters?: boolean;
  readonly progress?: Progress;
};

/** What is ready; a part that was not asked for is undefined. */
export type Ready = {
  /** The programs that run as `nvim`; the oldest first. */
  readonly neovims: readonly Neovim[];
  readonly engine: UsedEngine | undefined;
  /** A local base image for the sandbox's image; undefined if the engine pulls its own. */
  readonly baseImage: string | undefined;
  readonly linters: LintPrograms | undefined;
  /** Releases the engine. */
  readonly close: () => Promise<void>;
};

/**
 * Prepares the parts, all at once. Returns the first failure, and leaves nothing running then.
 */
export async function setUp(parts: SetupParts): Promise<Result<Ready, SetupError>> {
  const progress = parts.progress ?? toStderr;
  const why = await whyNotSelfServed();
  const missing = await whatIsMissing(parts, why);
  if (missing !== undefined) return err(missing);
  const [neovims, engine, linters] = await Promise.allSettled([
    neovimsFor(parts.neovim, why === undefined, progress),
    parts.engine === true ? step(progress, "engine with gVisor", readyEngine) : undefined,
    parts.linters === true ? step(progress, "linters", setUpLintPrograms) : undefined,
  ]);
  const close = async () => {
    if (engine.status === "fulfilled") await engine.value?.engine.close();
  };
  for (const part of [neovims, engine, linters]) {
    if (part.status === "fulfilled") continue;
    await close();
    if (part.reason instanceof SetupFailure) return err(part.reason.error);
    throw part.reason;
  }
  return ok({
    neovims: fulfilled(neovims) ?? [],
    engine: fulfilled(engine)?.engine,
    baseImage: fulfilled(engine)?.baseImage,
    linters: fulfilled(linters),
    close,
  });
}

/** The environment variables by which tests and benchmarks find the parts. */
export function environmentOf(ready: Ready): Record<string, string> {
  const env: Record<string, string> = {};
  if (ready.engine !== undefined) env["CODEX_CHAT_ENGINE"] = ready.engine.host;
  if (ready.baseImage !== undefined) env["CODEX_CHAT_BASE_IMAGE"] = ready.baseImage;
  for (const { program, version } of ready.neovims) {
    env[`CODEX_CHAT_NVIM_${version.replace(".", "_")}`] = program;
  }
  return env;
}

/** Formats an error for the terminal: what failed, then what fixes it. */
export function formatSetupError(error: SetupError): string {
  return [error.message, ...error.fix.map((line) => `  ${line}`)].join("\n");
}

async function neovimsFor(
  wanted: SetupParts["neovim"],
  selfServed: boolean,
  progress: Progress,
): Promise<Neovim[]> {
  if (wanted === undefined) return [];
  const own = wanted === "one" || !selfServed ? await findNeovim() : undefined;
  if (own !== undefined) return [own];
  if (wanted === "one") return [await step(progress, "Neovim 0.12", () => tested("0.12"))];
  return await step(progress, "Neovim 0.10 and 0.12", async () => [
    await tested("0.10"),
    await tested("0.12"),
  ]);
}

async function tested(version: NeovimVersion): Promise<Neovim> {
  return { program: await setUpNeovim(version), version };
}

async function readyEngine(): Promise<{ engine: UsedEngine; baseImage: string | undefined }> {
  const given = process.env["CODEX_CHAT_BASE_IMAGE"];
  const found = await findGoodEngine();
  if (found !== undefined) return { engine: found, baseImage: given };
  const engine = await usePrivateEngine();
  try {
    return { engine, baseImage: given ?? (await setUpBaseImage(engine.host)) };
  } catch (cause) {
    await engine.close();
    if (cause instanceof SetupFailure) throw cause;
    const words = cause instanceof Error ? cause.message : String(cause);
    return failSetup("engine", `The private engine refused the base image: ${words}`, [], cause);
  }
}

function fulfilled<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === "fulfilled" ? settled.value : undefined;
}
