import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { Audit } from "../audit/index.ts";
import { err, ok, type Result } from "../result.ts";
import {
  allowedEnv,
  checkRuntime,
  ensureImage,
  findCodexPackage,
  findEngine,
  openSandbox,
  ownOwner,
  type Sandbox,
  type SelfTestReport,
  selfTest,
  sweep,
} from "../sandbox/index.ts";
import type { BackendOptions } from "./backend.ts";
import { type Failure, failureOf } from "./failure.ts";
import { pluginDir } from "./plugin-dir.ts";

/** What the winbar calls the sandbox that was proven to be gVisor. */
export const GVISOR = "gVisor";

/** A sandbox that is proven to hold, and what the winbar calls it. */
export type PreparedSandbox = { readonly sandbox: Sandbox; readonly runtimeLabel: string };

/**
 * Goes from nothing to a running container: engine, orphans of earlier crashes, runtime, image,
 * self-test, container. The order is that of the messages a new user should see: what is missing
 * altogether comes before what needs a minute to find out.
 */
export async function prepareSandbox(
  options: BackendOptions,
): Promise<Result<PreparedSandbox, Failure>> {
  const { settings, env, log, audit, signal, onProgress } = options;
  onProgress("looking for the engine");
  const engine = await findEngine({
    env,
    signal,
    ...(settings.sandbox.engine === undefined ? {} : { host: settings.sandbox.engine }),
  });
  if (!engine.ok) return engine;
  try {
    const removed = await sweep(engine.value, signal);
    if (removed.length > 0) log.info({ removed }, "removed containers of hosts that had died");
  } catch (thrown) {
    signal.throwIfAborted();
    return err(failureOf("engine_unreachable", "The engine stopped answering", thrown));
  }
  const runtime = await checkRuntime(engine.value, { runtime: settings.sandbox.runtime, signal });
  if (!runtime.ok) return runtime;

  onProgress("looking for the image");
  const codex = await findCodexPackage(import.meta.url);
  if (!codex.ok) return codex;
  const image = await ensureImage(engine.value, {
    containerDir: join(pluginDir, "container"),
    codex: codex.value,
    baseImage: settings.sandbox.base_image,
    onProgress,
    signal,
    ...(settings.sandbox.build_network === undefined
      ? {}
      : { buildNetwork: settings.sandbox.build_network }),
  });
  if (!image.ok) return image;

  onProgress("testing the sandbox");
  const { uid, gid } = userInfo();
  const report = await selfTest(engine.value, {
    runtime: runtime.value,
    image: image.value,
    cacheDir: join(settings.state_dir, "self-test"),
    uid,
    gid,
    // Only a runtime that the user's own configuration names may be weaker than gVisor.
    acceptWeaker: settings.sandbox.runtime !== "runsc",
    signal,
  });
  recordSelfTest(audit, runtime.value.name, report);
  if (!report.ok) return report;

  onProgress("starting the sandbox");
  const { memory, cpus, pids } = settings.sandbox;
  const sandbox = await openSandbox(engine.value, {
    root: options.root,
    stateDir: options.projectDir,
    image: image.value,
    runtime: runtime.value.name,
    uid,
    gid,
    owner: await ownOwner(),
    home: homedir(),
    outOfReach: [settings.state_dir],
    given: [
      ...(settings.agents_md === undefined
        ? []
        : [{ source: settings.agents_md, codexHomeName: "AGENTS.md" }]),
      ...settings.skills_dirs.map((source) => ({ source })),
    ],
    limits: {
      pids,
      ...(memory === undefined ? {} : { memoryBytes: memory }),
      ...(cpus === undefined ? {} : { cpus }),
    },
    env: { ...allowedEnv(env), ...settings.sandbox.env },
    signal,
  });
  if (!sandbox.ok) {
    audit.record({ event: "sandbox", action: "failed", reason: sandbox.error.message });
    return sandbox;
  }
  const { name: container, joined } = sandbox.value;
  log.info({ container, joined }, "sandbox is up");
  audit.record({
    event: "sandbox",
    action: joined ? "joined" : "started",
    container,
    runtime: runtime.value.name,
    image: image.value.tag,
  });
  const runtimeLabel = report.value.gvisor ? GVISOR : `${runtime.value.name}, not gVisor`;
  return ok({ sandbox: sandbox.value, runtimeLabel });
}

function recordSelfTest(
  audit: Audit,
  runtime: string,
  report: Result<SelfTestReport, Failure>,
): void {
  audit.record({
    event: "self_test",
    passed: report.ok,
    runtime,
    ...(report.ok ? report.value : { reason: report.error.message }),
  });
}
