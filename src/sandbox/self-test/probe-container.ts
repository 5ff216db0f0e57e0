import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { ContainerCreateOptions } from "dockerode";
import { ownUid } from "../../own-user.ts";
import { ownerLabel, ownOwner } from "../../process/index.ts";
import { err, ok, type Result } from "../../result.ts";
import {
  attachOutput,
  containerEnd,
  containerOutOfMemory,
  LABELS,
  removeContainer,
} from "../container/index.ts";
import { containerOptions, containerUser, defaultLimits, type Limits } from "../container-spec.ts";
import type { Engine } from "../engine/index.ts";
import { containerFailure, type SandboxError } from "../error.ts";
import type { BindMount } from "../mount.ts";
import { beginRecord, dropRecord } from "../ownership/index.ts";
import type { LimitOutcome } from "./probe.ts";
import { LIMIT_SCRIPT } from "./probe-attacks.ts";

/** How long a probe may take; it takes about 3 s. */
const PROBE_MS = 60_000;
const OUTPUT_MAX_BYTES = 64 * 1024;

/** How a probe's container is made. */
export type ProbeContainer = {
  readonly image: { readonly id: string; readonly tag: string };
  readonly runtime: string;
  readonly uid: number;
  readonly gid: number;
  readonly mounts: readonly BindMount[];
  readonly limits: Partial<Limits>;
  /** A limit on processes, which may be lower than a sandbox's minimum. */
  readonly pids?: number;
  readonly entrypoint: readonly string[];
  /** The directory, outside of every project, that records the container until it is removed. */
  readonly stateDir: string;
  readonly signal?: AbortSignal | undefined;
};

/** How a probe ended; `timedOut` if it did not end in time. */
export type ProbeRun = {
  readonly output: string;
  readonly timedOut: boolean;
  readonly outOfMemory: boolean;
};

/**
 * Runs a program in a container that is made like a sandbox, and removes the container.
 *
 * Errors: those of starting a container. Rejects with `signal.reason`.
 */
export async function runProbeContainer(
  engine: Engine,
  how: ProbeContainer,
): Promise<Result<ProbeRun, SandboxError>> {
  const { image, runtime, signal } = how;
  const timeout = AbortSignal.timeout(PROBE_MS);
  const done = new AbortController();
  const stop = AbortSignal.any([timeout, done.signal, ...(signal === undefined ? [] : [signal])]);
  const name = `codex-chat-probe-${randomUUID()}`;
  const place = { stateDir: how.stateDir, engine: engine.id, name };
  let id: string | undefined;
  try {
    const record = await beginRecord(place);
    const labels = { ...(await labelsOf(how)), [LABELS.token]: record.token };
    const container = await engine.docker.createContainer({
      ...optionsOf(engine, how),
      name: place.name,
      Labels: labels,
    });
    id = container.id;
    await record.made(id);
    signal?.throwIfAborted();
    const { stdout, stderr, close } = await attachOutput(container);
    stop.addEventListener("abort", close, { once: true });
    stderr.resume();
    const output = readBounded(stdout);
    output.catch(() => {});
    const ended = containerEnd(container, stop).then(() => false);
    // Not awaited: the end may never come, see `containerOutOfMemory`.
    const killed = containerOutOfMemory(engine, id, stop).then(() => true);
    await container.start();
    const stopped = aborted(stop).then(() => false);
    const outOfMemory = await Promise.race([ended, killed, stopped]);
    signal?.throwIfAborted();
    if (outOfMemory || timeout.aborted) close();
    return ok({ output: await output, timedOut: timeout.aborted, outOfMemory });
  } catch (cause) {
    signal?.throwIfAborted();
    const what = "Starting the probe container";
    return err(containerFailure(cause, { what, runtime, image: image.tag }));
  } finally {
    done.abort();
    if (id !== undefined) await removeContainer(engine, id).catch(() => {});
    await dropRecord(place).catch(() => {});
  }
}

/** How much more than the limit is taken. */
const BEYOND = 2;
const MEMORY_BYTES = 256 * 1024 ** 2;

/**
 * Exceeds a limit in a container that has a low one. The limit holds if the container ends (the kernel
 * kills gVisor as a whole) or the program in it is refused.
 *
 * Errors: those of starting a container. Rejects with `signal.reason`.
 */
export async function probeLimit(
  engine: Engine,
  which: "memory" | "processes",
  how: Pick<ProbeContainer, "image" | "runtime" | "uid" | "gid" | "stateDir" | "signal">,
): Promise<Result<LimitOutcome, SandboxError>> {
  // gVisor's own threads count as well, and grow with the CPUs of the machine.
  const pids = 256 + 4 * engine.cpus;
  const limits = which === "memory" ? { memoryBytes: MEMORY_BYTES } : {};
  const much = which === "memory" ? BEYOND * MEMORY_BYTES : pids + 100;
  const ran = await runProbeContainer(engine, {
    ...how,
    mounts: [],
    limits,
    ...(which === "processes" ? { pids } : {}),
    entrypoint: ["/bin/sh", "-c", LIMIT_SCRIPT, "probe", which, String(much)],
  });
  if (!ran.ok) return ran;
  const { output, timedOut, outOfMemory } = ran.value;
  if (output.includes("survived")) return ok("survived");
  // Without the first word nothing was tried; a program that hangs was not refused.
  return ok(output.includes("start") && (!timedOut || outOfMemory) ? "ended" : undefined);
}

/** Labels for the sweep: a probe whose host was killed may hang for ever (`containerOutOfMemory`). */
async function labelsOf({ stateDir }: ProbeContainer): Promise<Record<string, string>> {
  const owner = await ownOwner();
  return {
    [LABELS.plugin]: "probe",
    [LABELS.owner]: ownerLabel(owner),
    [LABELS.scope]: owner.scope,
    [LABELS.uid]: String(ownUid()),
    [LABELS.state]: stateDir,
  };
}

function optionsOf(engine: Engine, how: ProbeContainer): ContainerCreateOptions {
  const options = containerOptions({
    image: how.image.id,
    runtime: how.runtime,
    ...containerUser(engine, how),
    env: {},
    labels: {},
    limits: { ...defaultLimits(engine), ...how.limits },
    mounts: how.mounts,
    workingDir: "/",
    entrypoint: how.entrypoint,
  });
  if (how.pids === undefined) return options;
  return { ...options, HostConfig: { ...options.HostConfig, PidsLimit: how.pids } };
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
