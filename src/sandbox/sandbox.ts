import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { LookError } from "../look.ts";
import { err, ok, type Result } from "../result.ts";
import { type Cache, type CacheOptions, planCaches } from "./caches.ts";
import { containerLock, findContainer, removeContainer } from "./container.ts";
import { containerName, projectHash } from "./container-name.ts";
import type { Engine } from "./engine.ts";
import type { SandboxError } from "./error.ts";
import { type GivenMounts, type GivenPath, prepareGiven } from "./given.ts";
import { type Guard, watchGuarded } from "./guard.ts";
import { type GuardRecord, readGuardRecord, writeGuardRecord } from "./guard-record.ts";
import type { SandboxImage } from "./image-build.ts";
import {
  giveUp,
  joinOrStart,
  type Opening,
  openingFailure,
  otherHolders,
  type Running,
  recordPlace,
} from "./join.ts";
import { LABELS } from "./labels.ts";
import { type Late, obeyedSince } from "./late.ts";
import { dropLease, writeLease } from "./lease.ts";
import { type SandboxEnd, watchLife } from "./life.ts";
import { takeLock } from "./lock.ts";
import { areHeld } from "./mounted.ts";
import { type Owner, ownerLabel } from "./owner.ts";
import { type ExecOptions, type SandboxProcess, startProcess } from "./process.ts";
import { type BindMount, inspectProject, resolved, unseen } from "./project.ts";
import { dropRecord } from "./record.ts";
import {
  type ContainerSpec,
  containerUser,
  effectiveLimits,
  KEEPER_SOCKET,
  type Limits,
  limitNotes,
  pathEnv,
  specHash,
  unmountable,
} from "./spec.ts";
import { prepareState, stateUnwritable } from "./state.ts";
import { withUmask } from "./umask.ts";
import { prepareUserMounts, type UserMount } from "./user-mounts.ts";
import { ensureVolumes } from "./volumes.ts";

/** What a project's sandbox is made from. */
export type SandboxOptions = {
  /** The project's directory; links in it are resolved. */
  readonly root: string;
  /** The project's own state directory, outside of every project; made where it is absent. */
  readonly stateDir: string;
  readonly image: SandboxImage;
  readonly runtime: string;
  readonly uid: number;
  readonly gid: number;
  /** This host, as `ownOwner()` names it. */
  readonly owner: Owner;
  /** The user's home directory, which is refused as a project. */
  readonly home?: string;
  /** Further directories that a project must neither contain nor lie in. */
  readonly outOfReach?: readonly string[];
  /** Directories that the host runs programs from; read-only where they lie in the project. */
  readonly neverWritable?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** Visible inside: no secrets. See `allowedEnv`. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the agent may read of the user's own. */
  readonly given?: readonly GivenPath[];
  /** The user's own mounts. */
  readonly mounts?: readonly UserMount[];
  /** What is kept between containers; nothing where it is absent. */
  readonly caches?: CacheOptions;
  /** Names in the top directory that are read-only inside. */
  readonly protectedNames?: readonly string[];
  /** What is mounted instead of the project's real git directory; without, that is read-only. */
  readonly gitMounts?: readonly BindMount[];
  /** How long the container lives with no relay connected: before the first one, and after. */
  readonly keeper?: { readonly firstMs?: number; readonly idleMs?: number };
  /** Of what runs inside; default: that of this process. */
  readonly umask?: number;
  readonly signal?: AbortSignal;
};

/** A project's running container, shared with other hosts on the same project. */
export type Sandbox = {
  readonly id: string;
  readonly name: string;
  /** The project's directory as it is inside and outside. */
  readonly root: string;
  /** CODEX_HOME inside and outside. */
  readonly codexHome: string;
  /** The keeper's socket inside, also in the container's CODEX_CHAT_KEEPER. */
  readonly keeperSocket: string;
  readonly protectedNames: readonly string[];
  /** Whether `gitMounts` are in force; a container that was joined may be without. */
  readonly gitReplaced: boolean;
  /** Resolved paths of what was given to be read in its own place. */
  readonly readable: readonly string[];
  /** Sentences for the user: what could not be protected, limited or mounted. */
  readonly notes: readonly string[];
  /** Whether the container was running already. */
  readonly joined: boolean;
  readonly exec: (options: ExecOptions) => Promise<Result<SandboxProcess, SandboxError>>;
  /** What the user's git obeys in the project by now, and did not when the sandbox was opened. */
  readonly obeyedSince: () => Promise<Late>;
  /** Resolves once, when the sandbox is no longer usable; never rejects. */
  readonly died: Promise<SandboxEnd>;
  /** Drops this host's lease and removes the container if nobody else holds one. Idempotent. */
  readonly release: () => Promise<void>;
  /** Removes the container also from under other hosts. */
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
  const planned = await plan(engine, options);
  if (!planned.ok) return planned;
  const { opening } = planned.value;
  const { stateDir, owner, name } = opening;
  using _lock = await takeLock(containerLock(engine, name), signal === undefined ? {} : { signal });
  try {
    await writeLease(stateDir, owner, { container: name, engine: engine.id });
    const notes = await fillCaches(engine, planned.value, options);
    const running = await joinOrStart(opening);
    signal?.throwIfAborted();
    if (!running.ok) {
      await giveUp(opening);
      return running;
    }
    const { id } = running.value.container;
    await writeLease(stateDir, owner, { container: name, engine: engine.id, id });
    const guard = await guardOf(opening, running.value);
    if (!guard.ok) {
      await giveUp(opening);
      return guard;
    }
    const opened = { ...planned.value, notes: [...planned.value.notes, ...notes] };
    return ok(present(opened, running.value, guard.value, options.umask));
  } catch (cause) {
    await giveUp(opening).catch(() => {});
    signal?.throwIfAborted();
    return err(openingFailure(cause, "Opening the sandbox", opening));
  }
}

/** A sandbox before it runs. */
type Plan = {
  readonly opening: Opening;
  readonly codexHome: string;
  readonly given: GivenMounts;
  readonly caches: readonly Cache[];
  readonly notes: readonly string[];
};

async function plan(engine: Engine, options: SandboxOptions): Promise<Result<Plan, SandboxError>> {
  try {
    return await planSandbox(engine, options);
  } catch (cause) {
    if (!(cause instanceof LookError)) throw cause;
    return err(unseen(options.root, cause));
  }
}

async function planSandbox(
  engine: Engine,
  options: SandboxOptions,
): Promise<Result<Plan, SandboxError>> {
  const outOfReach = [options.stateDir, engine.socketPath, ...(options.outOfReach ?? [])];
  const before = await readGuardRecord(options.stateDir);
  if (!before.ok) return before;
  const inspected = await inspectProject({
    root: options.root,
    home: options.home,
    outOfReach,
    neverWritable: options.neverWritable ?? [],
    before: before.value,
    signal: options.signal,
    unmountable: (path) => unmountable(engine, path),
    ...(options.protectedNames === undefined ? {} : { protectedNames: options.protectedNames }),
    ...(options.gitMounts === undefined ? {} : { gitMounts: options.gitMounts }),
  });
  if (!inspected.ok) return inspected;
  const user = containerUser(engine, options);
  const state = await prepareState(options.stateDir, user);
  if (!state.ok) return state;
  const { codexHome } = state.value;
  const stateDir = await realpath(options.stateDir);
  const unwritten = await keepRecord(stateDir, inspected.value.record);
  if (unwritten !== undefined) return err(unwritten);
  const places = {
    root: inspected.value.root,
    codexHome,
    home: options.home === undefined ? undefined : await resolved(options.home),
    outOfReach: await Promise.all(outOfReach.map(resolved)),
    unmountable: (path: string) => unmountable(engine, path),
  };
  const given = await prepareGiven(options.given ?? [], places);
  const own = await prepareUserMounts(options.mounts ?? [], places);
  const taken = new Set(own.mounts.map((it) => it.target));
  const mounts = [
    ...state.value.mounts,
    ...given.mounts.filter((it) => !taken.has(it.target)),
    ...own.mounts,
  ];

  const hash = projectHash(inspected.value.root, stateDir);
  const kept = await planCaches(
    inspected.value.root,
    hash,
    options.caches ?? { tools: false, dirs: [] },
    options,
  );
  const project = {
    ...inspected.value,
    guarded: [...inspected.value.guarded, ...kept.guarded],
  };
  const name = containerName(project.root, hash);
  const { firstMs, idleMs } = options.keeper ?? {};
  const spec: ContainerSpec = {
    name,
    image: options.image.id,
    runtime: options.runtime,
    ...user,
    env: {
      ...kept.env,
      ...options.env,
      ...pathEnv(options.env?.["PATH"] ?? options.image.path),
      CODEX_HOME: codexHome,
      ...(firstMs === undefined ? {} : { CODEX_CHAT_KEEPER_FIRST_MS: String(firstMs) }),
      ...(idleMs === undefined ? {} : { CODEX_CHAT_KEEPER_IDLE_MS: String(idleMs) }),
    },
    labels: {},
    limits: effectiveLimits(engine, options.limits),
    mounts: [...project.mounts, ...mounts],
    volumes: kept.caches.map(({ volume, target }) => ({ volume, target })),
    workingDir: project.root,
  };
  // Which protected files and caches there are may change while it runs; all else must be the
  // same to join.
  const root = { source: project.root, target: project.root, readOnly: false };
  const labels: Record<string, string> = {
    [LABELS.plugin]: "1",
    [LABELS.project]: hash,
    [LABELS.root]: project.root,
    [LABELS.owner]: ownerLabel(options.owner),
    [LABELS.scope]: options.owner.scope,
    [LABELS.uid]: String(process.getuid?.() ?? 0),
    [LABELS.state]: stateDir,
    [LABELS.spec]: specHash({ ...spec, mounts: [root, ...mounts], volumes: [] }),
    [LABELS.guarded]: JSON.stringify(project.guarded),
  };
  const opening: Opening = {
    engine,
    name,
    spec: { ...spec, labels },
    imageTag: options.image.tag,
    project,
    stateDir,
    owner: options.owner,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const shared = inspected.value.hardLinked.filter(
    (dir) => !kept.caches.some((cache) => cache.target === join(project.root, dir)),
  );
  const notes = [...given.notes, ...own.notes, ...kept.notes, ...shared.map(sharedNote)];
  return ok({ opening, codexHome, given, caches: kept.caches, notes });
}

/** Keeps what is protected from now on, before anything runs; the error where it cannot. */
async function keepRecord(
  stateDir: string,
  record: GuardRecord,
): Promise<SandboxError | undefined> {
  try {
    await writeGuardRecord(stateDir, record);
    return undefined;
  } catch (cause) {
    return stateUnwritable(stateDir, cause);
  }
}

/** Installed packages whose files are a store's as well, where no volume is in their place. */
function sharedNote(dir: string): string {
  return `${dir} shares files with places outside of the project (hard links), such as a package manager's store: what the agent writes into them is changed there, too. To keep it apart, name it in \`sandbox.caches\`, or install again with copies.`;
}

/** Makes the volumes ready, unless the container runs with them. */
async function fillCaches(
  engine: Engine,
  { opening, caches }: Plan,
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

/** Watches what is mounted; it also sees what was replaced between the look and the mount. */
async function guardOf(
  { project, spec }: Opening,
  { guarded, container }: Running,
): Promise<Result<Guard, SandboxError>> {
  const isMounted = (names: readonly string[]) =>
    areHeld(
      container,
      names.map((name) => join(project.root, name)),
      spec.uid,
    );
  try {
    return ok(await watchGuarded(project.root, guarded, isMounted));
  } catch (cause) {
    return err({
      kind: "watch_failed",
      message: `${project.root} cannot be watched (${(cause as Error).message}), so a protected file that is replaced there would go unnoticed.`,
      mend: "sudo sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288",
      cause,
    });
  }
}

function present(
  { opening, codexHome, given, notes }: Plan,
  running: Running,
  guard: Guard,
  umask: number | undefined,
): Sandbox {
  const { engine, owner, project, name, stateDir } = opening;
  const { container } = running;
  const life = watchLife(engine, container, guard);
  const processes = new Set<SandboxProcess>();
  // The engine does not end the streams of what ran in a container that it removed (20.10).
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
  const leave = async (othersStay: boolean): Promise<void> => {
    life.release();
    using _lock = await takeLock(containerLock(engine, name));
    await dropLease(stateDir, owner);
    if (othersStay && (await otherHolders(opening, container.id)) > 0) return;
    await removeContainer(engine, container.id);
    await dropRecord(recordPlace(opening));
  };
  let leaving: Promise<void> | undefined;
  const release = () => {
    leaving ??= leave(true);
    return leaving;
  };
  return {
    id: container.id,
    name,
    root: project.root,
    codexHome,
    keeperSocket: KEEPER_SOCKET,
    protectedNames: running.guarded.filter((it) => !it.frame).map((it) => it.name),
    gitReplaced: running.guarded.some((it) => it.name === ".git" && it.replaced === true),
    readable: given.readable,
    notes: [...limitNotes(engine), ...project.notes, ...notes, ...running.notes],
    joined: running.joined,
    exec,
    obeyedSince: () => obeyedSince(project),
    died: life.ended,
    release,
    remove: async () => {
      leaving ??= leave(false);
      await leaving;
      await removeContainer(engine, container.id);
    },
    [Symbol.asyncDispose]: release,
  };
}
