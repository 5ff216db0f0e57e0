import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, stat } from "node:fs/promises";
import { release as hostRelease } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { err, ok, type Result } from "../result.ts";
import { attachOutput, containerEnd, removeContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { containerFailure, runtimeSetup, type SandboxError } from "./error.ts";
import { LABELS } from "./labels.ts";
import {
  isGvisor,
  judgeProbe,
  PROBE,
  PROBE_SCRIPT,
  type ProbeFailure,
  parseProbe,
} from "./probe.ts";
import { inspectTree, plantTree, type Tree } from "./probe-tree.ts";
import type { CheckedRuntime } from "./runtime.ts";
import { containerOptions, containerUser, defaultLimits } from "./spec.ts";

/** How long the probe may take; it takes about 3 s. */
const PROBE_MS = 60_000;
const OUTPUT_MAX_BYTES = 64 * 1024;

/** What was proven, and of what: kept in the cache directory. */
const SelfTestReport = z.object({
  gvisor: z.boolean(),
  runtime: z.string(),
  /** The kernel release seen inside. */
  kernel: z.string(),
  /** The attacks that were tried and did no harm, with their exit codes. */
  tried: z.array(z.string()),
});

/** The report of a passed self-test; `cached` where it was proven before for the same engine. */
export type SelfTestReport = z.infer<typeof SelfTestReport> & { readonly cached: boolean };

/** What is tested. */
export type SelfTestOptions = {
  readonly runtime: CheckedRuntime;
  /** Any image with a shell, util-linux and coreutils; the product's own. */
  readonly image: { readonly id: string; readonly tag: string };
  /** A directory of the plugin's own, out of reach of every project. */
  readonly cacheDir: string;
  readonly uid: number;
  readonly gid: number;
  /** The user's configuration names this runtime though it may be no gVisor. */
  readonly acceptWeaker?: boolean;
  /** Tests anew even where it passed before. */
  readonly fresh?: boolean;
  readonly signal?: AbortSignal;
};

/**
 * Proves by attack that the engine's containers are what the product relies on. A pass is cached
 * for the same engine, runtime (name, arguments, binary), image, kernel, user and probe.
 *
 * Errors: `self_test_failed` and those of starting a container. Rejects with `signal.reason`.
 */
export async function selfTest(
  engine: Engine,
  options: SelfTestOptions,
): Promise<Result<SelfTestReport, SandboxError>> {
  options.signal?.throwIfAborted();
  const { cacheDir } = options;
  try {
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    return err({
      kind: "state_unwritable",
      message: `The cache directory ${cacheDir} cannot be written (${(cause as Error).message}).`,
      mend: `ls -ld ${JSON.stringify(cacheDir)}`,
      path: cacheDir,
      cause,
    });
  }
  const cachePath = join(cacheDir, `self-test-${await cacheKey(engine, options)}.json`);
  const cached = options.fresh === true ? undefined : await readReport(cachePath);
  if (cached !== undefined) return ok({ ...cached, cached: true });
  const dir = await realpath(await mkdtemp(join(cacheDir, "probe-")));
  try {
    const report = await runProbe(engine, options, dir);
    if (!report.ok) return report;
    await writeFileAtomic(cachePath, `${JSON.stringify(report.value)}\n`, { mode: 0o600 });
    return ok({ ...report.value, cached: false });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function runProbe(
  engine: Engine,
  options: SelfTestOptions,
  dir: string,
): Promise<Result<z.infer<typeof SelfTestReport>, SandboxError>> {
  const { runtime, acceptWeaker = false } = options;
  const user = containerUser(engine, options);
  const tree = await plantTree(dir, user);
  const control = randomUUID();
  const output = await runContainer(engine, options, tree, [
    "/bin/sh",
    "-c",
    PROBE_SCRIPT,
    "probe",
    tree.path,
    control,
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    engine.socketPath,
  ]);
  if (!output.ok) return output;
  const facts = parseProbe(output.value);
  const failure = judgeProbe(facts, await inspectTree(tree), {
    hostKernel: engine.kernel || hostRelease(),
    canary: tree.canary,
    control,
    uid: options.uid,
    gid: options.gid,
    acceptWeaker,
  });
  if (failure !== null) return err(failed(engine, runtime, failure));
  return ok({
    gvisor: isGvisor(facts, engine.kernel || hostRelease()),
    runtime: runtime.name,
    kernel: facts.release,
    tried: [...facts.tried],
  });
}

/** Runs the probe in a container made as the product's are, and returns what it wrote. */
async function runContainer(
  engine: Engine,
  { runtime, image, uid, gid, signal }: SelfTestOptions,
  tree: Tree,
  entrypoint: readonly string[],
): Promise<Result<string, SandboxError>> {
  const timeout = AbortSignal.timeout(PROBE_MS);
  const abort = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  let id: string | undefined;
  try {
    const container = await engine.docker.createContainer(
      containerOptions({
        image: image.id,
        runtime: runtime.name,
        ...containerUser(engine, { uid, gid }),
        env: {},
        labels: { [LABELS.plugin]: "probe" },
        limits: defaultLimits(engine),
        mounts: [
          { source: tree.path, target: tree.path, readOnly: false },
          ...[PROBE.guardedDir, PROBE.guardedFile].map((name) => ({
            source: join(tree.path, name),
            target: join(tree.path, name),
            readOnly: true,
          })),
        ],
        workingDir: "/",
        entrypoint,
      }),
    );
    id = container.id;
    abort.throwIfAborted();
    const { stdout, stderr, close } = await attachOutput(container);
    abort.addEventListener("abort", close, { once: true });
    stderr.resume();
    const output = readBounded(stdout);
    const ended = containerEnd(container, abort);
    await container.start();
    const text = await output;
    await Promise.race([ended, aborted(abort)]);
    return ok(text);
  } catch (cause) {
    signal?.throwIfAborted();
    const what = "Starting the probe container";
    if (!timeout.aborted) {
      return err(containerFailure(cause, { what, runtime: runtime.name, image: image.tag }));
    }
    const detail = `the probe did not end within ${PROBE_MS / 1000} s`;
    return err(failed(engine, runtime, { part: "start", detail }));
  } finally {
    if (id !== undefined) await removeContainer(engine, id).catch(() => {});
  }
}

/** SECURITY: bounded, because a hostile image could write without end. */
async function readBounded(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length;
    if (bytes > OUTPUT_MAX_BYTES) throw new Error("the probe wrote too much");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function cacheKey(engine: Engine, options: SelfTestOptions): Promise<string> {
  const { runtime, image, uid, gid, acceptWeaker = false } = options;
  // A new binary under the same path is another runtime.
  const binary = await stat(runtime.path).then(
    ({ size, mtimeMs }) => [size, mtimeMs],
    () => null,
  );
  const parts = [engine.id, engine.version, engine.kernel, runtime, binary];
  const all = [...parts, image.id, uid, gid, acceptWeaker, PROBE_SCRIPT];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 24);
}

async function readReport(path: string): Promise<z.infer<typeof SelfTestReport> | undefined> {
  try {
    return SelfTestReport.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

function failed(engine: Engine, runtime: CheckedRuntime, failure: ProbeFailure): SandboxError {
  const args = runtime.args.join(" ") || "none";
  return {
    kind: "self_test_failed",
    message: `The sandbox does not hold, so nothing is run in it: ${SAYS[failure.part]} (${failure.detail}). Tested: ${engine.product} ${engine.version}, runtime "${runtime.name}", runtimeArgs: ${args}.`,
    mend: mend(runtime, failure),
    ...failure,
  };
}

const SAYS: Record<ProbeFailure["part"], string> = {
  start: "the probe container did not run",
  gvisor: "the container does not run on gVisor's kernel",
  network: "the container has a network device besides loopback",
  sockets: "the container engine can be reached from inside",
  ownership: "files made inside do not belong to this user",
  read_only: "a read-only mount was not shown to stay read-only under attack",
};

function mend(runtime: CheckedRuntime, { part }: ProbeFailure): string {
  const setup = `Have in /etc/docker/daemon.json:\n${runtimeSetup(runtime.name)}`;
  switch (part) {
    case "read_only":
      return `Give the runtime --directfs=false, or install gVisor release-20250707 or newer (best 20260810).\n${setup}`;
    case "gvisor":
      return `Set runtime = "runsc" in the configuration, or correct the path of "${runtime.name}".\n${setup}`;
    case "network":
    case "start":
      return setup;
    case "sockets":
      return "Use an image that holds no engine socket.";
    case "ownership":
      return "Switch off userns-remap in /etc/docker/daemon.json and restart Docker.";
    default:
      return part satisfies never;
  }
}
