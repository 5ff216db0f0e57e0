import { userInfo } from "node:os";
import { join } from "node:path";
import type { Audit } from "../audit/index.ts";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import {
  type CheckedRuntime,
  checkRuntime,
  type Engine,
  ensureImage,
  findCodexPackage,
  findEngine,
  type SandboxImage,
  type SelfTestReport,
  selfTest,
  sweep,
} from "../sandbox/index.ts";
import { type Failure, failureOf } from "./failure.ts";
import { pluginDir } from "./plugin-dir.ts";
import type { Settings } from "./settings.ts";

/** What is to be proven, and who hears of it. */
export type ProveOptions = {
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly audit: Audit;
  readonly onProgress: (what: string) => void;
  readonly signal: AbortSignal;
  /** Builds the image anew, nothing of it from the engine's cache. */
  readonly rebuild?: boolean;
  /** Tests anew what has been proven before. */
  readonly fresh?: boolean;
};

/** An engine whose containers hold, and the image that they are made from. */
export type ProvenEngine = {
  readonly engine: Engine;
  readonly runtime: CheckedRuntime;
  readonly image: SandboxImage;
  readonly report: SelfTestReport;
  /** The user that the sandbox runs as. */
  readonly uid: number;
  readonly gid: number;
};

/**
 * Goes from nothing to what a container can be started from: engine, orphans of earlier crashes,
 * runtime, image, self-test.
 */
export async function proveEngine(options: ProveOptions): Promise<Result<ProvenEngine, Failure>> {
  const { settings, log, audit, signal, onProgress, fresh = false } = options;
  const found = await findRuntime(options);
  if (!found.ok) return found;
  const { engine, runtime } = found.value;
  try {
    const removed = await sweep(engine, signal);
    if (removed.length > 0)
      log.info({ part: "sandbox", removed }, "removed containers of hosts that had died");
  } catch (thrown) {
    signal.throwIfAborted();
    return err(failureOf("engine_unreachable", "The engine stopped answering", thrown));
  }
  const image = await findOrBuild(engine, options);
  if (!image.ok) return image;

  onProgress("testing the sandbox");
  const { uid, gid } = userInfo();
  const report = await selfTest(engine, {
    runtime,
    image: image.value,
    cacheDir: join(settings.state_dir, "self-test"),
    uid,
    gid,
    // Only a runtime that the user's own configuration names may be weaker than gVisor.
    acceptWeaker: settings.sandbox.runtime !== "runsc",
    fresh,
    signal,
  });
  audit.record({
    event: "self_test",
    passed: report.ok,
    runtime: runtime.name,
    ...(report.ok
      ? {
          gvisor: report.value.gvisor,
          cached: report.value.cached,
          kernel: report.value.kernel,
          tried: report.value.checks.map((it) => `${it.name}: ${it.verdict}`),
        }
      : { reason: report.error.message }),
  });
  if (!report.ok) return report;
  return ok({ engine, runtime, image: image.value, report: report.value, uid, gid });
}

/** Finds the engine and the runtime that the settings name. */
export async function findRuntime({
  settings,
  env,
  signal,
  onProgress,
}: Pick<ProveOptions, "settings" | "env" | "signal" | "onProgress">): Promise<
  Result<{ readonly engine: Engine; readonly runtime: CheckedRuntime }, Failure>
> {
  onProgress("looking for the engine");
  const engine = await findEngine({
    env,
    signal,
    ...(settings.sandbox.engine === undefined ? {} : { host: settings.sandbox.engine }),
  });
  if (!engine.ok) return engine;
  const runtime = await checkRuntime(engine.value, { runtime: settings.sandbox.runtime, signal });
  if (!runtime.ok) return runtime;
  return ok({ engine: engine.value, runtime: runtime.value });
}

async function findOrBuild(
  engine: Engine,
  { settings, onProgress, signal, rebuild = false }: ProveOptions,
): Promise<Result<SandboxImage, Failure>> {
  onProgress("looking for the image");
  const codex = await findCodexPackage(import.meta.url);
  if (!codex.ok) return codex;
  return ensureImage(engine, {
    containerDir: join(pluginDir, "container"),
    codex: codex.value,
    baseImage: settings.sandbox.base_image,
    rebuild,
    onProgress,
    signal,
    ...(settings.sandbox.build_network === undefined
      ? {}
      : { buildNetwork: settings.sandbox.build_network }),
  });
}
