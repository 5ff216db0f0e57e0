import { join } from "node:path";
import type Docker from "dockerode";
import * as z from "zod";
import type { Owner } from "../process/index.ts";
import { err, ok, type Result } from "../result.ts";
import {
  type AttachedOutput,
  attachOutput,
  findContainer,
  LABELS,
  removeContainer,
} from "./container/index.ts";
import { type ContainerSpec, containerOptions } from "./container-spec.ts";
import { type Engine, startProcess } from "./engine/index.ts";
import { containerFailure, type SandboxError } from "./error.ts";
import { areStillMounted, type GuardedFile } from "./guard/index.ts";
import { dropLease, liveLeases } from "./locks/index.ts";
import type { ProjectMounts } from "./mounts/index.ts";
import { beginRecord, isRecorded, type RecordPlace } from "./ownership/index.ts";
import { StateFault } from "./state-fault.ts";

/** Everything about a sandbox that is known before its container runs. */
export type ContainerPlan = {
  readonly engine: Engine;
  readonly name: string;
  /** With its labels. */
  readonly spec: ContainerSpec;
  readonly imageTag: string;
  readonly project: ProjectMounts;
  /** Resolved. */
  readonly stateDir: string;
  readonly owner: Owner;
  readonly signal?: AbortSignal;
};

/** A container that runs, and which protected files are mounted in it. */
export type RunningContainer = {
  readonly container: Docker.Container;
  readonly joined: boolean;
  readonly guarded: readonly GuardedFile[];
  readonly notes: readonly string[];
};

/** How long the keeper may take to be ready; it takes 30 ms on two shared cores. */
const READY_MS = 30_000;

const Guarded = z.array(
  z.object({
    name: z.string(),
    identity: z.string(),
    isParentDir: z.literal(true).optional(),
    replaced: z.literal(true).optional(),
  }),
);

/**
 * Joins the project's container if it is running and was made with the same options, else starts
 * one. The caller holds the lock and a lease.
 *
 * Errors: `sandbox_in_use` and those of starting a container.
 */
export async function joinOrStart(
  opening: ContainerPlan,
): Promise<Result<RunningContainer, SandboxError>> {
  const { engine, name, spec, project } = opening;
  const existing = await findContainer(engine, name);
  if (existing !== undefined && !(await isRecorded(recordPlace(opening), existing))) {
    return err(notOurs(opening));
  }
  if (existing !== undefined) {
    const others = await otherHolders(opening, existing.id);
    const isAlike = existing.labels[LABELS.spec] === spec.labels[LABELS.spec];
    if (existing.running && !isAlike && others > 0) return err(inUse(opening, others));
    const mounted = mountedFiles(existing.labels) ?? [];
    const isKnown = mountedFiles(existing.labels) !== undefined;
    const isIntact =
      isKnown && mounted.every((then) => project.guarded.some((now) => isSame(then, now)));
    const added = project.guarded.filter((now) => !mounted.some((then) => then.name === now.name));
    if (existing.running && isAlike && isIntact && (added.length === 0 || others > 0)) {
      const container = engine.docker.getContainer(existing.id);
      const paths = mounted.map((file) => join(project.root, file.name));
      // A mount may be gone although the same file is in its place; see mount-guard.ts.
      if (
        (await areStillMounted(container, paths, spec.uid)) &&
        (await answers(container, opening))
      ) {
        return ok({ container, joined: true, guarded: mounted, notes: added.map(writableNote) });
      }
      // It ended meanwhile, or its mounts cannot be shown to hold: a new one is started below.
    }
    await removeContainer(engine, existing.id);
  }
  return start(opening);
}

/** How many other live hosts hold a lease on this container; `id` is the container's present id. */
export async function otherHolders(opening: ContainerPlan, id?: string): Promise<number> {
  const { stateDir, name, engine, owner } = opening;
  const holders = await liveLeases(stateDir, {
    container: name,
    engine: engine.id,
    ...(id === undefined ? {} : { id }),
  });
  return holders.filter(
    (holder) => holder.pid !== owner.pid || holder.startTime !== owner.startTime,
  ).length;
}

/** Undoes a failed opening: nothing is left behind unless another host uses the container. */
export async function releaseAfterFailure(opening: ContainerPlan): Promise<void> {
  await dropLease(opening.stateDir, opening.owner);
  if ((await otherHolders(opening)) > 0) return;
  const left = await findContainer(opening.engine, opening.name);
  if (left !== undefined && (await isRecorded(recordPlace(opening), left)))
    await removeContainer(opening.engine, left.id);
}

/** Where the project's container is recorded. */
export function recordPlace({ stateDir, engine, name }: ContainerPlan): RecordPlace {
  return { stateDir, engine: engine.id, name };
}

/** The error for a failure of the engine during `what`. */
export function openingFailure(cause: unknown, what: string, opening: ContainerPlan): SandboxError {
  if (cause instanceof StateFault) return cause.error;
  const { spec, imageTag } = opening;
  return containerFailure(cause, { what, runtime: spec.runtime, image: imageTag });
}

async function start(opening: ContainerPlan): Promise<Result<RunningContainer, SandboxError>> {
  const { engine, spec, signal, project } = opening;
  let id: string | undefined;
  try {
    const record = await beginRecord(recordPlace(opening));
    const labels = { ...spec.labels, [LABELS.token]: record.token };
    // Not abortable: the engine would go on creating the container, which would be left behind.
    const container = await engine.docker.createContainer(containerOptions({ ...spec, labels }));
    id = container.id;
    await record.made(id);
    signal?.throwIfAborted();
    const keeper = await attachOutput(container);
    await container.start();
    const fault = await keeperFault(keeper, signal);
    if (fault !== undefined) throw new Error(fault);
    return ok({ container, joined: false, guarded: project.guarded, notes: [] });
  } catch (cause) {
    if (id !== undefined) await removeContainer(engine, id).catch(() => {});
    signal?.throwIfAborted();
    return err(openingFailure(cause, "Starting the sandbox", opening));
  }
}

/** Waits for the keeper: undefined once it is ready, else why it is not. */
async function keeperFault(
  keeper: AttachedOutput,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const timeout = AbortSignal.timeout(READY_MS);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  stop.addEventListener("abort", keeper.close, { once: true });
  let said = "";
  keeper.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-500);
  });
  try {
    // SECURITY: only the keeper is running yet, so nothing else can have written this.
    for await (const chunk of keeper.stdout) {
      if ((chunk as Buffer).toString("utf8").includes("ready")) return undefined;
    }
    if (timeout.aborted) return `its keeper was not ready within ${READY_MS / 1000} s`;
    return `its keeper ended at once${said === "" ? "" : `: ${said.trim()}`}`;
  } finally {
    stop.removeEventListener("abort", keeper.close);
    keeper.close();
  }
}

/** Whether a program can be started in the container, which the keeper may just have ended. */
async function answers(container: Docker.Container, opening: ContainerPlan): Promise<boolean> {
  const { project, signal } = opening;
  const probe = await startProcess(container, {
    argv: ["true"],
    cwd: project.root,
    ...(signal === undefined ? {} : { signal }),
  });
  if (!probe.ok) return false;
  probe.value.stdin.end();
  probe.value.stdout.resume();
  probe.value.stderr.resume();
  return (await probe.value.exited).exitCode === 0;
}

/** The protected files that a container was made with; undefined if its label does not say. */
function mountedFiles(labels: Readonly<Record<string, string>>): GuardedFile[] | undefined {
  try {
    return Guarded.parse(JSON.parse(labels[LABELS.guarded] ?? ""));
  } catch {
    return undefined;
  }
}

function isSame(a: GuardedFile, b: GuardedFile): boolean {
  return (
    a.name === b.name &&
    a.identity === b.identity &&
    a.isParentDir === b.isParentDir &&
    a.replaced === b.replaced
  );
}

function writableNote({ name }: GuardedFile): string {
  return `${name} appeared after the sandbox was started, and the agent can write in it until the sandbox is started again.`;
}

function notOurs({ name }: ContainerPlan): SandboxError {
  return {
    kind: "container_failed",
    message: `The engine has a container named ${name} that was not made from this state directory, so it is neither used nor removed.`,
    fix: `docker inspect ${name}\nIf nobody needs it: docker rm --force ${name}`,
  };
}

function inUse({ project }: ContainerPlan, others: number): SandboxError {
  return {
    kind: "sandbox_in_use",
    message: `${others === 1 ? "Another Neovim uses" : `${others} other Neovims use`} the sandbox of ${project.root}, and it was made with other settings (image, runtime, limits or environment) than this one's.`,
    fix: "Close the chat there, or give both the same configuration and restart them.",
  };
}
