import { join } from "node:path";
import type { Audit } from "../../audit/index.ts";
import type { Log, Progress } from "../../log.ts";
import { isLoopback } from "../../loopback.ts";
import { ownUser } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  acceptsWeaker,
  type CheckedRuntime,
  checkRuntime,
  type Engine,
  findEngine,
} from "../../sandbox/engine/index.ts";
import {
  ensureImage,
  findCodexPackage,
  type ImageOptions,
  type SandboxImage,
} from "../../sandbox/image/index.ts";
import { sweep } from "../../sandbox/ownership/index.ts";
import { type SelfTestReport, selfTest } from "../../sandbox/self-test/index.ts";
import { type Failure, failureOf } from "../failure.ts";
import { pluginDir } from "../plugin-dir.ts";
import type { Settings } from "../settings/index.ts";
import { findDockerfile } from "./dockerfile.ts";
import { canFetchPackages, fetchPackages, packagesCommand } from "./image-packages.ts";

/** Options for preparing the engine. */
export type PrepareEngineOptions = {
  /** The project, whose Dockerfile is used. */
  readonly root: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly audit: Audit;
  readonly onProgress: (what: Progress) => void;
  readonly signal: AbortSignal;
  /** Rebuilds the image without the engine's cache. */
  readonly rebuild?: boolean;
  /** Runs the self-test even if a result is stored. */
  readonly fresh?: boolean;
};

/** An engine that has passed the self-test, and the image for its containers. */
export type PreparedEngine = {
  readonly engine: Engine;
  readonly runtime: CheckedRuntime;
  readonly image: SandboxImage;
  readonly report: SelfTestReport;
  /** Sentences for the user. */
  readonly notes: readonly string[];
  /** The user that the sandbox runs as. */
  readonly uid: number;
  readonly gid: number;
};

/**
 * Prepares everything that a container needs: finds the engine, removes orphans of earlier crashes,
 * checks the runtime, builds the image, runs the self-test.
 */
export async function prepareEngine(
  options: PrepareEngineOptions,
): Promise<Result<PreparedEngine, Failure>> {
  const { settings, log, audit, signal, onProgress, fresh = false } = options;
  const found = await findRuntime(options);
  if (!found.ok) return found;
  const { engine, runtime } = found.value;
  const left: string[] = [];
  try {
    const removed = await sweep(engine, signal, (why) => left.push(why));
    if (removed.length > 0)
      log.info({ part: "sandbox", removed }, "removed containers of dead hosts");
  } catch (thrown) {
    signal.throwIfAborted();
    return err(failureOf("engine_unreachable", "The engine stopped answering", thrown));
  }
  const made = await findOrBuild(engine, options);
  if (!made.ok) return made;
  const { image } = made.value;
  const notes = [...left, ...made.value.notes];

  onProgress("Testing the sandbox");
  const { uid, gid } = ownUser();
  const report = await selfTest(engine, {
    runtime,
    image,
    cacheDir: join(settings.state_dir, "self-test"),
    uid,
    gid,
    // A runtime may be weaker than gVisor only if the user's settings name it.
    acceptWeaker: acceptsWeaker(settings.sandbox.runtime),
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
          tried: report.value.checks.map((check) => `${check.name}: ${check.verdict}`),
        }
      : { reason: report.error.message }),
  });
  if (!report.ok) return report;
  return ok({ engine, runtime, image, report: report.value, notes, uid, gid });
}

/** Finds the engine and the runtime that the settings name. */
export async function findRuntime({
  settings,
  env,
  signal,
  onProgress,
}: Pick<PrepareEngineOptions, "settings" | "env" | "signal" | "onProgress">): Promise<
  Result<{ readonly engine: Engine; readonly runtime: CheckedRuntime }, Failure>
> {
  onProgress("Looking for the engine");
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
  { root, settings, log, onProgress, signal, rebuild = false }: PrepareEngineOptions,
): Promise<Result<{ readonly image: SandboxImage; readonly notes: readonly string[] }, Failure>> {
  onProgress("Looking for the image");
  let recipe = await imageOptions(settings, root);
  if (!recipe.ok && recipe.error.kind === "codex_missing" && canFetchPackages(pluginDir)) {
    const isThere = async () => (await findCodexPackage(import.meta.url)).ok;
    const how = { dir: pluginDir, stateDir: settings.state_dir, signal, onProgress, isThere };
    const fetched = await fetchPackages(how);
    if (!fetched.ok) return fetched;
    recipe = await imageOptions(settings, root);
  }
  if (!recipe.ok) return recipe;
  const { notes, ...what } = recipe.value;
  const image = await ensureImage(engine, {
    ...what,
    rebuild,
    onProgress,
    onOutput: (line) => log.info({ part: "image", line }, "the image's build"),
    signal,
  });
  return image.ok ? ok({ image: image.value, notes }) : image;
}

/** The settings of the image, and notes for the user. */
export async function imageOptions(
  settings: Settings,
  root: string,
): Promise<Result<ImageOptions & { readonly notes: readonly string[] }, Failure>> {
  const codex = await findCodexPackage(import.meta.url);
  if (!codex.ok) return err({ ...codex.error, fix: packagesCommand(pluginDir) });
  const dockerfile = await findDockerfile({ settings, root });
  if (!dockerfile.ok) return dockerfile;
  const { base_image: baseImage, image, build_network: buildNetwork } = settings.sandbox;
  const { file, note } = dockerfile.value ?? {};
  return ok({
    containerDir: join(pluginDir, "container"),
    codex: codex.value,
    stateDir: settings.state_dir,
    baseImage,
    ...(image === undefined ? {} : { image }),
    ...(file === undefined ? {} : { dockerfile: file }),
    ...(buildNetwork === undefined ? {} : { buildNetwork }),
    buildArgs: proxyArgs(settings),
    notes: note === undefined ? [] : [note],
  });
}

/**
 * The proxy variables of a build. SECURITY: a proxy with a password is left out, since the
 * installed packages could read it. A proxy on this machine is reachable only from the host's
 * network.
 */
function proxyArgs({ network, sandbox }: Settings): Readonly<Record<string, string>> {
  const { proxy, proxy_auth_cmd: command } = network;
  if (proxy === undefined || command !== undefined) return {};
  if (isLoopback(new URL(proxy).hostname) && sandbox.build_network !== "host") return {};
  return { http_proxy: proxy, https_proxy: proxy };
}
