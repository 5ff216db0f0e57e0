import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative } from "node:path";
import { LookError } from "../look.ts";
import { ownUid } from "../own-user.ts";
import { contains, resolved } from "../paths.ts";
import { type Owner, ownerLabel } from "../process/index.ts";
import { err, ok, type Result } from "../result.ts";
import { type Cache, type CacheOptions, planCaches } from "./caches/index.ts";
import { containerName, LABELS, projectHash } from "./container/index.ts";
import {
  type ContainerSpec,
  containerUser,
  effectiveLimits,
  type Limits,
  pathEnv,
  specHash,
  unmountable,
} from "./container-spec.ts";
import type { Engine } from "./engine/index.ts";
import type { SandboxError } from "./error.ts";
import { parentDirsOf } from "./git/index.ts";
import {
  type GuardedFile,
  type GuardRecord,
  guardedParent,
  keepProtected,
  readGuardRecord,
} from "./guard/index.ts";
import type { SandboxImage } from "./image/index.ts";
import type { ContainerPlan } from "./join-or-start.ts";
import type { BindMount } from "./mount.ts";
import {
  failedLookRefusal,
  inspectProject,
  type ProjectMounts,
  prepareState,
  stateUnwritable,
} from "./mounts/index.ts";
import {
  prepareSharedFiles,
  prepareUserMounts,
  type SharedFile,
  type SharedFileMounts,
  type UserMount,
} from "./shared/index.ts";

/** What a project's sandbox is made from. */
export type SandboxOptions = {
  /** The project's directory; links in it are resolved. */
  readonly root: string;
  /** The project's own state directory, outside of every project; created if it is missing. */
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
  /** The user's own files that the agent may read. */
  readonly sharedFiles?: readonly SharedFile[];
  /** The user's own mounts. */
  readonly mounts?: readonly UserMount[];
  /** Caches that outlive the container; none by default. */
  readonly caches?: CacheOptions;
  /** Names in the top directory that are read-only inside. */
  readonly protectedNames?: readonly string[];
  /** Mounts in the place of the project's real git directory; without them that one is read-only. */
  readonly gitMounts?: readonly BindMount[];
  /** How long the container lives with no relay connected: before the first one, and after. */
  readonly keeper?: { readonly firstMs?: number; readonly idleMs?: number };
  /** The umask of programs inside; default: that of this process. */
  readonly umask?: number;
  /** Called with what the opening waits for, if that takes long. */
  readonly onProgress?: (what: string) => void;
  readonly signal?: AbortSignal;
};

/** A sandbox before it runs. */
export type SandboxPlan = {
  readonly opening: ContainerPlan;
  /** Judges the project again, as it is at the time of the call. */
  readonly inspect: () => Promise<Result<ProjectMounts, SandboxError>>;
  readonly codexHome: string;
  readonly sharedFiles: SharedFileMounts;
  readonly caches: readonly Cache[];
  readonly notes: readonly string[];
};

/**
 * Judges the project and everything that goes into its container, and records which paths are
 * protected from now on.
 *
 * Errors: `project_refused`, `state_unwritable`. Rejects with `signal.reason`.
 */
export async function planSandbox(
  engine: Engine,
  options: SandboxOptions,
): Promise<Result<SandboxPlan, SandboxError>> {
  try {
    return await plan(engine, options);
  } catch (cause) {
    if (!(cause instanceof LookError)) throw cause;
    return err(failedLookRefusal(options.root, cause));
  }
}

async function plan(
  engine: Engine,
  options: SandboxOptions,
): Promise<Result<SandboxPlan, SandboxError>> {
  const outOfReach = [
    ...[options.stateDir, engine.socketPath, ...(options.outOfReach ?? [])],
    ...(engine.dataRoot === undefined ? [] : [engine.dataRoot]),
  ];
  // The engine runs it as its own user, mostly root.
  const runtimePath = engine.runtimes[options.runtime]?.path ?? "";
  const runtimeDir = isAbsolute(runtimePath) ? [dirname(runtimePath)] : [];
  const inspect = async (signal?: AbortSignal) => {
    const before = await readGuardRecord(options.stateDir);
    if (!before.ok) return before;
    return inspectProject({
      root: options.root,
      home: options.home,
      outOfReach,
      neverWritable: [...(options.neverWritable ?? []), ...runtimeDir],
      before: before.value,
      signal,
      unmountable: (path) => unmountable(engine, path),
      ...(options.protectedNames === undefined ? {} : { protectedNames: options.protectedNames }),
      ...(options.gitMounts === undefined ? {} : { gitMounts: options.gitMounts }),
    });
  };
  const inspected = await inspect(options.signal);
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
  const sharedFiles = await prepareSharedFiles(options.sharedFiles ?? [], {
    ...places,
    writable: (options.mounts ?? []).filter((mount) => mount.write).map((mount) => mount.source),
  });
  const own = await prepareUserMounts(options.mounts ?? [], places);
  const taken = new Set(own.mounts.map((mount) => mount.target));
  const mounts = [
    ...state.value.mounts,
    ...sharedFiles.mounts.filter((mount) => !taken.has(mount.target)),
    ...own.mounts,
  ];

  const hash = projectHash(inspected.value.root, stateDir);
  const kept = await planCaches(
    inspected.value.root,
    hash,
    options.caches ?? { tools: false, dirs: [] },
    options,
    inspected.value.environments,
  );
  const project = await withParentDirs(inspected.value, kept.guarded, own.mounts);
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
      ...(firstMs === undefined ? {} : { CODEX_CHAT_KEEPER_FIRST: String(firstMs / 1000) }),
      ...(idleMs === undefined ? {} : { CODEX_CHAT_KEEPER_IDLE: String(idleMs / 1000) }),
    },
    labels: {},
    limits: effectiveLimits(engine, options.limits),
    mounts: [...project.mounts, ...mounts],
    volumes: kept.caches.map(({ volume, target }) => ({ volume, target })),
    workingDir: project.root,
  };
  // Which protected files and caches there are may change while it runs; all else must be the
  // same to join.
  const root = project.mounts.slice(0, 1);
  const labels: Record<string, string> = {
    [LABELS.plugin]: "1",
    [LABELS.project]: hash,
    [LABELS.root]: project.root,
    [LABELS.owner]: ownerLabel(options.owner),
    [LABELS.scope]: options.owner.scope,
    [LABELS.uid]: String(ownUid()),
    [LABELS.state]: stateDir,
    [LABELS.spec]: specHash({ ...spec, mounts: [...root, ...mounts], volumes: [] }),
    [LABELS.guarded]: JSON.stringify(project.guarded),
  };
  const opening: ContainerPlan = {
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
  const notes = [...sharedFiles.notes, ...own.notes, ...kept.notes, ...shared.map(sharedNote)];
  return ok({
    opening,
    inspect: () => inspect(),
    codexHome,
    sharedFiles,
    caches: kept.caches,
    notes,
  });
}

/**
 * Adds the volumes and the user's own mounts in the project to the guarded paths, and mounts their
 * parent directories: renaming one would move the mount in it away. The root is guarded, too: programs
 * inside would go on in a project that has another name, or in one that is no longer there.
 */
async function withParentDirs(
  project: ProjectMounts,
  volumes: readonly GuardedFile[],
  own: readonly BindMount[],
): Promise<ProjectMounts> {
  const { root, mounts, guarded } = project;
  const places = own.map((mount) => mount.target).filter((target) => contains(root, target));
  const names = [
    ...volumes.map((volume) => volume.name),
    ...places.map((place) => relative(root, place)),
  ];
  const known = new Set(guarded.map((file) => file.name));
  const parents = parentDirsOf(names).filter((name) => !known.has(name) && !names.includes(name));
  const readOnly = mounts[0]?.readOnly === true;
  return {
    ...project,
    mounts: [
      ...mounts,
      ...parents.map((name) => ({ source: join(root, name), target: join(root, name), readOnly })),
    ],
    guarded: [
      await guardedParent(root, "."),
      ...guarded,
      ...(await Promise.all(parents.map((name) => guardedParent(root, name)))),
      ...volumes,
    ],
  };
}

/** Records which paths are protected from now on, before anything runs; the error if that fails. */
async function keepRecord(
  stateDir: string,
  record: GuardRecord,
): Promise<SandboxError | undefined> {
  try {
    await keepProtected(stateDir, record);
    return undefined;
  } catch (cause) {
    return stateUnwritable(stateDir, cause);
  }
}

/** The note about installed packages that share files with a store and have no volume over them. */
function sharedNote(dir: string): string {
  return `${dir} shares files with places outside of the project (hard links), such as a package manager's store: a file that the agent changes here changes there too. To keep them apart, name ${dir} in \`sandbox.caches\`, or install again with copies.`;
}
