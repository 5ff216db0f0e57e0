import { join } from "node:path";
import { err, ok, type Result } from "../result.ts";
import { ensureVolumes } from "./caches/index.ts";
import { containerLock, findContainer, lockToEnd, removeContainer } from "./container/index.ts";
import { containerUser, KEEPER_FIFO, limitNotes } from "./container-spec.ts";
import { type SandboxEnd, watchContainer } from "./container-watch.ts";
import {
  type Engine,
  type ExecOptions,
  type SandboxProcess,
  startProcess,
  withUmask,
} from "./engine/index.ts";
import type { SandboxError } from "./error.ts";
import { areStillMounted, fileIdentity, type MountGuard, watchGuarded } from "./guard/index.ts";
import {
  type ContainerPlan,
  joinOrStart,
  openingFailure,
  otherHolders,
  type RunningContainer,
  recordPlace,
  releaseAfterFailure,
} from "./join-or-start.ts";
import { letGo, writtenIn } from "./let-go.ts";
import { dropLease, type MachineLock, takeLock, writeLease } from "./locks/index.ts";
import { type NewlyTrustedPaths, newlyTrustedSince } from "./mounts/index.ts";
import { dropRecord } from "./ownership/index.ts";
import { planSandbox, type SandboxOptions, type SandboxPlan } from "./sandbox-plan.ts";
import { StateFault } from "./state-fault.ts";
import { mayWrite } from "./writable.ts";

/** A project's running container, shared with other hosts on the same project. */
export type Sandbox = {
  readonly id: string;
  readonly name: string;
  /** The project's directory as it is inside and outside. */
  readonly root: string;
  /** CODEX_HOME inside and outside. */
  readonly codexHome: string;
  /** The keeper's FIFO inside, also in the container's CODEX_CHAT_KEEPER. */
  readonly keeperFifo: string;
  readonly protectedNames: readonly string[];
  /** Whether `gitMounts` are in force; a container that was joined may be without. */
  readonly gitReplaced: boolean;
  /** Resolved paths of the shared files that have the same path inside. */
  readonly readable: readonly string[];
  /** Sentences for the user: what could not be protected, limited or mounted. */
  readonly notes: readonly string[];
  /** Whether the container was running already. */
  readonly joined: boolean;
  readonly exec: (options: ExecOptions) => Promise<Result<SandboxProcess, SandboxError>>;
  /** Paths of the project that must be protected now and are still writable in the sandbox. */
  readonly lateSince: () => Promise<NewlyTrustedPaths>;
  /** Whether programs inside may write a file at this path, which is then in the project as well. */
  readonly mayWrite: (path: string) => boolean;
  /** Makes gVisor close the files that were written, so that the host can run them. */
  readonly letGo: () => Promise<Result<void, SandboxError>>;
  /** Resolves once, when the sandbox is no longer usable; never rejects. */
  readonly died: Promise<SandboxEnd>;
  /** Drops this host's lease and removes the container if nobody else holds one. Idempotent. */
  readonly release: () => Promise<void>;
  /** Removes the container even if other hosts use it. */
  readonly remove: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/**
 * Opens the project's sandbox: joins its running container or starts it.
 *
 * Errors: `project_refused`, `state_unwritable`, `sandbox_in_use`, `watch_failed`, `no_runtime`,
 * `runtime_broken`, `image_missing`, `disk_full`, `container_failed`. Rejects with `signal.reason`.
 */
export async function openSandbox(
  engine: Engine,
  options: SandboxOptions,
): Promise<Result<Sandbox, SandboxError>> {
  const { signal } = options;
  signal?.throwIfAborted();
  const planned = await planSandbox(engine, options);
  if (!planned.ok) return planned;
  const { opening } = planned.value;
  const { stateDir, owner, name } = opening;
  let lock: MachineLock | undefined;
  try {
    lock = await takeOpeningLock(opening, options);
    await writeLease(stateDir, owner, { container: name, engine: engine.id });
    const notes = await fillCaches(engine, planned.value, options);
    const running = await joinOrStart(opening);
    signal?.throwIfAborted();
    if (!running.ok) return err(await undone(opening, running.error));
    const { id } = running.value.container;
    await writeLease(stateDir, owner, { container: name, engine: engine.id, id });
    const guard = await guardOf(opening, running.value);
    if (!guard.ok) return err(await undone(opening, guard.error));
    const opened = { ...planned.value, notes: [...planned.value.notes, ...notes] };
    return ok(makeSandbox(opened, running.value, guard.value, options.umask));
  } catch (cause) {
    const error = openingFailure(cause, "Opening the sandbox", opening);
    const all = lock === undefined ? error : await undone(opening, error);
    signal?.throwIfAborted();
    return err(all);
  } finally {
    lock?.release();
  }
}

/** Undoes a failed opening; adds to its error why the container may be left behind. */
async function undone(opening: ContainerPlan, error: SandboxError): Promise<SandboxError> {
  try {
    await releaseAfterFailure(opening);
    return error;
  } catch (cause) {
    if (!(cause instanceof StateFault) || cause.message === error.message) return error;
    const message = `${error.message} Its container may be left behind: ${cause.message}`;
    return { ...error, message, fix: `${error.fix}\n${cause.fix}` };
  }
}

/** Takes the lock; reports who holds it while waiting, and when the wait is over. */
async function takeOpeningLock(
  { engine, name, stateDir }: ContainerPlan,
  { signal, onProgress = () => {} }: SandboxOptions,
): Promise<MachineLock> {
  let hasWaited = false;
  const onWait = (holder: string) => {
    hasWaited = true;
    onProgress(`Waiting to start the sandbox: ${holder}`);
  };
  const lock = await takeLock(containerLock(engine, name, stateDir), { signal, onWait });
  if (hasWaited) onProgress("Starting the sandbox");
  return lock;
}

/** Fills the volumes, unless the container is already running with them. */
async function fillCaches(
  engine: Engine,
  { opening, caches }: SandboxPlan,
  { signal, ...options }: SandboxOptions,
): Promise<readonly string[]> {
  if (caches.length === 0) return [];
  const { name, spec, stateDir } = opening;
  if ((await findContainer(engine, name))?.running === true) return [];
  const { uid, gid } = containerUser(engine, options);
  const { labels } = spec;
  return ensureVolumes(engine, caches, {
    ...{ stateDir, uid, gid, labels, signal },
    imageId: options.image.id,
  });
}

/** Watches the mounted paths; also notices one that was replaced between the check and the mount. */
async function guardOf(
  { project, spec }: ContainerPlan,
  { guarded, container }: RunningContainer,
): Promise<Result<MountGuard, SandboxError>> {
  const isMounted = (names: readonly string[]) =>
    areStillMounted(
      container,
      names.map((name) => join(project.root, name)),
      spec.uid,
    );
  try {
    return ok(await watchGuarded(project.root, guarded, isMounted));
  } catch (cause) {
    return err({
      kind: "watch_failed",
      message: `${project.root} cannot be watched (${(cause as Error).message}), so a replaced protected file would go unnoticed.`,
      fix: "sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288",
      cause,
    });
  }
}

/**
 * Remembers a directory; the returned function tells whether the same one is still there. A mount of
 * a removed directory leads nowhere, and a new directory of the same name is not mounted.
 */
function remember(dir: string): () => Promise<boolean> {
  const identity = () => fileIdentity(dir).catch(() => "unreadable");
  const first = identity();
  return async () => (await first) === (await identity());
}

function makeSandbox(
  { opening, inspect, codexHome, sharedFiles, notes }: SandboxPlan,
  running: RunningContainer,
  guard: MountGuard,
  umask: number | undefined,
): Sandbox {
  const { engine, owner, project, name, stateDir } = opening;
  const { container } = running;
  const life = watchContainer(engine, container, guard, project.root);
  const isStateKept = remember(stateDir);
  const processes = new Set<SandboxProcess>();
  // The engine (20.10) does not end the streams of processes in a container that it removed.
  void life.ended.then(() => {
    for (const process of processes) process.kill();
  });
  const exec = async (what: ExecOptions) => {
    const argv = withUmask(what.argv, umask);
    const started = await startProcess(container, { cwd: project.root, ...what, argv });
    if (!started.ok) return started;
    const process = started.value;
    processes.add(process);
    void process.exited.then(() => processes.delete(process));
    if (life.hasEnded()) process.kill();
    return started;
  };
  const end = async ({ force }: { readonly force: boolean }): Promise<void> => {
    life.release();
    using _lock = await lockToEnd(engine, name, stateDir);
    await dropLease(stateDir, owner);
    if (!force && (await otherHolders(opening, container.id)) > 0) return;
    await removeContainer(engine, container.id);
    await dropRecord(recordPlace(opening));
  };
  let ending: Promise<void> | undefined;
  const release = () => {
    ending ??= end({ force: false });
    return ending;
  };
  return {
    id: container.id,
    name,
    root: project.root,
    codexHome,
    keeperFifo: KEEPER_FIFO,
    protectedNames: running.guarded.filter((file) => !file.isParentDir).map((file) => file.name),
    gitReplaced: running.guarded.some((file) => file.name === ".git" && file.replaced === true),
    readable: sharedFiles.readable,
    notes: [...limitNotes(engine), ...project.notes, ...notes, ...running.notes],
    joined: running.joined,
    exec,
    lateSince: async () => {
      if (!(await isStateKept())) return { names: [], made: [], stateGone: stateDir };
      return newlyTrustedSince(running.guarded, inspect);
    },
    mayWrite: (path) => mayWrite(opening.spec, project.root, running.guarded, path),
    letGo: () => letGo(exec, writtenIn(opening.spec.mounts, stateDir)),
    died: life.ended,
    release,
    remove: async () => {
      ending ??= end({ force: true });
      await ending;
      await removeContainer(engine, container.id);
    },
    [Symbol.asyncDispose]: release,
  };
}
