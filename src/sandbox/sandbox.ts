import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import type Docker from "dockerode";
import { err, ok, type Result } from "../result.ts";
import { containerEnd, findContainer, removeContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { containerFailure, type SandboxError } from "./error.ts";
import type { SandboxImage } from "./image.ts";
import { LABELS } from "./labels.ts";
import { dropLease, liveLeases, writeLease } from "./lease.ts";
import { takeLock } from "./lock.ts";
import { type Owner, ownerLabel } from "./owner.ts";
import { type ExecOptions, type SandboxProcess, startProcess } from "./process.ts";
import { inspectProject, type Project } from "./project.ts";
import {
  type ContainerSpec,
  containerOptions,
  containerUser,
  defaultLimits,
  KEEPER_SOCKET,
  type Limits,
  specHash,
} from "./spec.ts";
import { prepareState } from "./state.ts";

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
  readonly limits?: Partial<Limits>;
  /** Visible inside: no secrets. See `allowedEnv`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names in the top directory that are read-only inside. */
  readonly protectedNames?: readonly string[];
  /** How long the container lives with no relay connected: before the first one, and after. */
  readonly keeper?: { readonly firstMs?: number; readonly idleMs?: number };
  readonly signal?: AbortSignal;
};

/** Why a sandbox is no longer usable. */
export type SandboxEnd =
  /** The container ended: the keeper gave up, it was removed, or it ran out of memory (137). */
  | { readonly reason: "exited"; readonly exitCode: number | null }
  /** The connection to the engine broke. */
  | { readonly reason: "engine_lost" }
  /** It was released or removed from here. */
  | { readonly reason: "released" };

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
  /** Sentences for the user: what could not be protected, limited or mounted. */
  readonly notes: readonly string[];
  /** Whether the container was running already. */
  readonly joined: boolean;
  readonly exec: (options: ExecOptions) => Promise<Result<SandboxProcess, SandboxError>>;
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
 * Errors: `project_refused`, `state_unwritable`, `sandbox_in_use`, `no_runtime`, `runtime_broken`,
 * `image_missing`, `disk_full`, `container_failed`. Rejects with `signal.reason`.
 */
export async function openSandbox(
  engine: Engine,
  options: SandboxOptions,
): Promise<Result<Sandbox, SandboxError>> {
  const { signal } = options;
  signal?.throwIfAborted();
  const project = await inspectProject({
    root: options.root,
    home: options.home,
    outOfReach: [options.stateDir, engine.socketPath, ...(options.outOfReach ?? [])],
    ...(options.protectedNames === undefined ? {} : { protectedNames: options.protectedNames }),
  });
  if (!project.ok) return project;
  const user = containerUser(engine, options);
  const state = await prepareState(options.stateDir, user);
  if (!state.ok) return state;
  const stateDir = await realpath(options.stateDir);

  const hash = projectHash(project.value.root, stateDir);
  const name = containerName(project.value.root, hash);
  const keeper = options.keeper ?? {};
  const spec: ContainerSpec = {
    name,
    image: options.image.id,
    runtime: options.runtime,
    ...user,
    env: {
      ...options.env,
      CODEX_HOME: state.value.codexHome,
      ...(keeper.firstMs === undefined ? {} : { CODEX_CHAT_KEEPER_FIRST_MS: `${keeper.firstMs}` }),
      ...(keeper.idleMs === undefined ? {} : { CODEX_CHAT_KEEPER_IDLE_MS: `${keeper.idleMs}` }),
    },
    labels: {},
    limits: { ...defaultLimits(engine), ...options.limits },
    mounts: [...project.value.mounts, ...state.value.mounts],
    workingDir: project.value.root,
  };
  // What exists of the protected files may change while it runs; all else must be the same.
  const unprotected = [
    { source: project.value.root, target: project.value.root, readOnly: false },
    ...state.value.mounts,
  ];
  const labels: Record<string, string> = {
    [LABELS.plugin]: "1",
    [LABELS.project]: hash,
    [LABELS.root]: project.value.root,
    [LABELS.owner]: ownerLabel(options.owner),
    [LABELS.scope]: options.owner.scope,
    [LABELS.uid]: String(process.getuid?.() ?? 0),
    [LABELS.state]: stateDir,
    [LABELS.spec]: specHash({ ...spec, mounts: unprotected }),
    [LABELS.protected]: JSON.stringify(project.value.protectedNames),
  };
  const opening: Opening = {
    engine,
    options,
    project: project.value,
    spec: { ...spec, labels },
    name,
    stateDir,
  };
  using _lock = await takeLock(lockName(engine, name), signal === undefined ? {} : { signal });
  try {
    await writeLease(stateDir, options.owner, { container: name, engine: engine.id });
    const running = await joinOrStart(opening);
    signal?.throwIfAborted();
    if (!running.ok) {
      await giveUp(opening);
      return running;
    }
    return ok(present(opening, running.value, state.value.codexHome));
  } catch (cause) {
    await giveUp(opening).catch(() => {});
    signal?.throwIfAborted();
    return err(
      containerFailure(cause, { what: "Opening the sandbox", ...failureContext(opening) }),
    );
  }
}

/** The hash that names a project's container: two users' or two states' never meet. */
export function projectHash(root: string, stateDir: string): string {
  return createHash("sha256").update(`${root}\0${stateDir}`).digest("hex").slice(0, 12);
}

/** The lock under which a container of that name is opened, released or swept. */
export function lockName(engine: Engine, name: string): string {
  return `container ${engine.id} ${name}`;
}

type Opening = {
  readonly engine: Engine;
  readonly options: SandboxOptions;
  readonly project: Project;
  readonly spec: ContainerSpec;
  readonly name: string;
  readonly stateDir: string;
};

type Running = {
  readonly container: Docker.Container;
  readonly joined: boolean;
  readonly notes: readonly string[];
};

async function joinOrStart(opening: Opening): Promise<Result<Running, SandboxError>> {
  const { engine, name, spec } = opening;
  const existing = await findContainer(engine, name);
  if (existing !== undefined) {
    const others = await otherHolders(opening);
    const same = existing.labels[LABELS.spec] === spec.labels[LABELS.spec];
    const protectedSame = existing.labels[LABELS.protected] === spec.labels[LABELS.protected];
    if (existing.running && !same && others > 0) return err(inUse(opening, others));
    if (existing.running && same && (protectedSame || others > 0)) {
      const container = engine.docker.getContainer(existing.id);
      const notes = protectedSame ? [] : lateNotes(opening.project, existing.labels);
      if (await answers(container, opening)) return ok({ container, joined: true, notes });
      // It vanished between finding and joining: the next lines start a new one.
    }
    await removeContainer(engine, existing.id);
  }
  return start(opening);
}

/** Whether a program can be started in it; the keeper may just have ended it. */
async function answers(
  container: Docker.Container,
  { project, options }: Opening,
): Promise<boolean> {
  const probe = await startProcess(container, {
    argv: ["true"],
    cwd: project.root,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (!probe.ok) return false;
  probe.value.stdin.end();
  probe.value.stdout.resume();
  probe.value.stderr.resume();
  return (await probe.value.exited).exitCode === 0;
}

async function start(opening: Opening): Promise<Result<Running, SandboxError>> {
  const { engine, spec, options, name } = opening;
  const { signal } = options;
  try {
    const container = await engine.docker.createContainer({
      ...containerOptions(spec),
      ...(signal === undefined ? {} : { abortSignal: signal }),
    });
    await container.start();
    return ok({ container, joined: false, notes: [] });
  } catch (cause) {
    await removeContainer(engine, name).catch(() => {});
    signal?.throwIfAborted();
    return err(
      containerFailure(cause, { what: "Starting the sandbox", ...failureContext(opening) }),
    );
  }
}

function present(opening: Opening, running: Running, codexHome: string): Sandbox {
  const { engine, options, project, name, stateDir } = opening;
  const { container } = running;
  const watching = new AbortController();
  let settleReleased: (end: SandboxEnd) => void = () => {};
  const released = new Promise<SandboxEnd>((resolve) => {
    settleReleased = resolve;
  });
  const died = Promise.race([released, containerEnd(container, watching.signal)]);
  const leave = async (whoElse: () => Promise<number>): Promise<void> => {
    settleReleased({ reason: "released" });
    watching.abort();
    using _lock = await takeLock(lockName(engine, name));
    await dropLease(stateDir, options.owner);
    if ((await whoElse()) === 0) await removeContainer(engine, container.id);
  };
  let leaving: Promise<void> | undefined;
  const release = () => {
    leaving ??= leave(() => otherHolders(opening));
    return leaving;
  };
  return {
    id: container.id,
    name,
    root: project.root,
    codexHome,
    keeperSocket: KEEPER_SOCKET,
    protectedNames: project.protectedNames,
    notes: [...project.notes, ...running.notes],
    joined: running.joined,
    exec: (exec) => startProcess(container, { cwd: project.root, ...exec }),
    died,
    release,
    remove: async () => {
      leaving ??= leave(async () => 0);
      await leaving;
      await removeContainer(engine, container.id);
    },
    [Symbol.asyncDispose]: release,
  };
}

/** How many other live hosts hold a lease on this container. */
async function otherHolders({ stateDir, name, engine, options }: Opening): Promise<number> {
  const holders = await liveLeases(stateDir, { container: name, engine: engine.id });
  const { pid, startTime } = options.owner;
  return holders.filter((it) => it.pid !== pid || it.startTime !== startTime).length;
}

/** Undoes a failed opening: nothing of it stays behind unless another host uses the container. */
async function giveUp(opening: Opening): Promise<void> {
  await dropLease(opening.stateDir, opening.options.owner);
  if ((await otherHolders(opening)) === 0) await removeContainer(opening.engine, opening.name);
}

function failureContext({ options }: Opening): { runtime: string; image: string } {
  return { runtime: options.runtime, image: options.image.tag };
}

function containerName(root: string, hash: string): string {
  const name = basename(root)
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 40);
  return `codex-chat-${name || "project"}-${hash}`;
}

/** What came to be protected after a container that others use was started. */
function lateNotes(project: Project, labels: Readonly<Record<string, string>>): string[] {
  const before = labels[LABELS.protected] ?? "[]";
  return project.protectedNames
    .filter((name) => !before.includes(JSON.stringify(name)))
    .map(
      (name) =>
        `${name} appeared after the sandbox was started and is writable in it until it is started anew.`,
    );
}

function inUse({ project }: Opening, others: number): SandboxError {
  return {
    kind: "sandbox_in_use",
    message: `${others === 1 ? "Another Neovim uses" : `${others} other Neovims use`} the sandbox of ${project.root}, and it was made with other settings (image, runtime, limits or environment) than this one's.`,
    mend: "Close the chat there, or give both the same configuration and restart them.",
  };
}
