import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { release as hostRelease } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { writePrivate } from "../../atomic-write.ts";
import { err, ok, type Result } from "../../result.ts";
import { containerUser } from "../container-spec.ts";
import type { CheckedRuntime, Engine } from "../engine/index.ts";
import {
  type Check,
  runtimeAdvice,
  type SandboxError,
  SELF_TEST_PARTS,
  type SelfTestPart,
} from "../error.ts";
import { ownDirectory, readOwnFile } from "../private-file.ts";
import { isGvisor, judgeProbe, parseProbe } from "./probe.ts";
import { LIMIT_SCRIPT, PROBE, PROBE_SCRIPT } from "./probe-attacks.ts";
import { probeLimit, runProbeContainer } from "./probe-container.ts";
import { inspectTree, listenAround, plantTree } from "./probe-tree.ts";

/** The size of the probe's /tmp, which it fills. */
const TMP_BYTES = 8 * 1024 ** 2;

/** What was proven; kept in the cache directory. */
const SelfTestReport = z.object({
  gvisor: z.boolean(),
  runtime: z.string(),
  /** The kernel release seen inside. */
  kernel: z.string(),
  /** All attempts with their results. */
  checks: z.array(
    z.object({
      name: z.string(),
      part: z.enum(SELF_TEST_PARTS),
      tries: z.string(),
      happened: z.string(),
      verdict: z.enum(["held", "weaker", "failed"]),
    }),
  ),
});

/** The report of a passed self-test; `cached` if it is from an earlier test of the same engine. */
export type SelfTestReport = z.infer<typeof SelfTestReport> & { readonly cached: boolean };

/** How to test. */
export type SelfTestOptions = {
  readonly runtime: CheckedRuntime;
  /** An image with a shell, util-linux and coreutils; in use, the plugin's own. */
  readonly image: { readonly id: string; readonly tag: string };
  /** A directory of the plugin, outside of every project. */
  readonly cacheDir: string;
  readonly uid: number;
  readonly gid: number;
  /** The user's configuration names this runtime although it may not be gVisor. */
  readonly acceptWeaker?: boolean;
  /** Tests again even if it passed before. */
  readonly fresh?: boolean;
  readonly signal?: AbortSignal;
};

/**
 * Proves by attacks that the engine's containers isolate as the plugin requires. A pass is cached
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
    const strange = await ownDirectory(cacheDir);
    if (strange !== null) return err(unusable(cacheDir, strange.what));
  } catch (cause) {
    return err(unusable(cacheDir, `cannot be written (${(cause as Error).message})`, cause));
  }
  const cachePath = join(cacheDir, `self-test-${await cacheKey(engine, options)}.json`);
  const cached = options.fresh === true ? undefined : await readReport(cachePath);
  if (cached !== undefined) return ok({ ...cached, cached: true });
  const dir = await realpath(await mkdtemp(join(cacheDir, "probe-")));
  try {
    const report = await runProbe(engine, options, dir);
    if (!report.ok) {
      // A pass from before must not be trusted at the next start.
      await rm(cachePath, { force: true });
      return report;
    }
    await writePrivate(cachePath, `${JSON.stringify(report.value)}\n`);
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
  const { runtime, image, uid, gid, signal, acceptWeaker = false } = options;
  const tree = await plantTree(dir, containerUser(engine, options));
  const control = randomUUID();
  const around = await listenAround(tree);
  const stateDir = await realpath(options.cacheDir);
  const how = { image, runtime: runtime.name, uid, gid, stateDir, signal };
  const [probed, memory, processes] = await Promise.all([
    runProbeContainer(engine, {
      ...how,
      mounts: [
        { source: tree.path, target: tree.path, readOnly: false },
        ...[PROBE.guardedDir, PROBE.guardedFile].map((name) => ({
          source: join(tree.path, name),
          target: join(tree.path, name),
          readOnly: true,
        })),
      ],
      limits: { tmpBytes: TMP_BYTES },
      entrypoint: [
        ...["/bin/sh", "-c", PROBE_SCRIPT, "probe", tree.path, control],
        ...[String(around.port), String(TMP_BYTES)],
        ...["/var/run/docker.sock", "/run/podman/podman.sock", engine.socketPath],
      ],
    }),
    probeLimit(engine, "memory", how),
    probeLimit(engine, "processes", how),
  ]).finally(() => around.close());
  if (!probed.ok) return probed;
  if (!memory.ok) return memory;
  if (!processes.ok) return processes;
  const facts = parseProbe(probed.value.output);
  const hostKernel = engine.kernel || hostRelease();
  const host = await inspectTree(tree);
  const { reached } = around;
  const checks = judgeProbe(
    { facts, host, reached, memory: memory.value, processes: processes.value },
    {
      ...{ hostKernel, canary: tree.canary, control, uid, gid, acceptWeaker },
      insideUid: containerUser(engine, options).uid,
      tmpBytes: TMP_BYTES,
    },
  );
  const worst = checks.find((check) => check.verdict === "failed");
  if (worst !== undefined) return err(failed(engine, runtime, worst, checks));
  return ok({
    gvisor: isGvisor(facts, hostKernel),
    runtime: runtime.name,
    kernel: facts.release,
    checks,
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
  const all = [...parts, image.id, uid, gid, acceptWeaker, PROBE_SCRIPT, LIMIT_SCRIPT];
  return createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 24);
}

/** SECURITY: a report lets the sandbox start, so only one that this user alone can have written counts. */
async function readReport(path: string): Promise<z.infer<typeof SelfTestReport> | undefined> {
  try {
    return SelfTestReport.parse(JSON.parse((await readOwnFile(path)) ?? ""));
  } catch {
    return undefined;
  }
}

function unusable(cacheDir: string, what: string, cause?: unknown): SandboxError {
  return {
    kind: "state_unwritable",
    message: `The cache directory ${cacheDir} ${what}; a directory of your own was expected.`,
    fix: `ls -ld ${JSON.stringify(cacheDir)}`,
    path: cacheDir,
    cause,
  };
}

function failed(
  engine: Engine,
  runtime: CheckedRuntime,
  worst: Check,
  checks: readonly Check[],
): SandboxError {
  const args = runtime.args.join(" ") || "none";
  const { part, happened: detail } = worst;
  return {
    kind: "self_test_failed",
    message: `The sandbox does not hold, so nothing is run in it: ${SAYS[part]} (${worst.name}: ${detail}). Tested: ${engine.product} ${engine.version}, runtime "${runtime.name}", runtimeArgs: ${args}.`,
    fix: fix(engine, runtime, part),
    part,
    detail,
    checks,
  };
}

const SAYS: Record<SelfTestPart, string> = {
  start: "the probe container did not run as it should",
  image: "the image cannot be tested",
  gvisor: "the container does not run on gVisor's kernel",
  devices: "the machine's devices are inside",
  network: "the container has a way out besides the relay",
  sockets: "sockets of this machine can be reached from inside",
  privileges: "programs inside can gain privileges",
  ownership: "files made inside do not belong to this user",
  read_only: "a read-only mount was not shown to stay read-only under attack",
  limits: "the limits on memory and processes are not enforced",
};

/** How to fix a part of the self-test that failed. */
function fix(
  engine: Pick<Engine, "product" | "rootless">,
  runtime: Pick<CheckedRuntime, "name">,
  part: SelfTestPart,
): string {
  const setup = runtimeAdvice(engine, runtime.name);
  switch (part) {
    case "read_only":
      return `Give the runtime --directfs=false, or install gVisor release-20250707 or newer (best 20260810).\n${setup}`;
    case "gvisor":
      return `Leave sandbox.runtime out of the configuration, or register gVisor as "${runtime.name}":\n${setup}`;
    case "network":
    case "start":
    case "devices":
      return setup;
    case "sockets":
      return `Use an image that holds no engine socket, and a runtime without --host-uds.\n${setup}`;
    case "privileges":
      return `Take --allow-suid and the like out of the runtime's arguments.\n${setup}`;
    case "ownership":
      return "Switch off userns-remap in /etc/docker/daemon.json and restart Docker.";
    case "image":
      return "Use an image that has sh, coreutils, findutils, util-linux and node, such as the plugin's own (leave sandbox.image out).";
    case "limits":
      return "docker info | grep -i -e cgroup -e limit\nBoot with cgroups for memory and pids; for a rootless engine: sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload\nThen log in again.";
    default:
      return part satisfies never;
  }
}
