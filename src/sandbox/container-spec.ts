import { createHash } from "node:crypto";
import type { ContainerCreateOptions, MountSettings } from "dockerode";
import type { Engine } from "./engine/index.ts";
import type { BindMount } from "./mount.ts";

/** The home directory inside: a tmpfs, so nothing in it outlives the container. */
export const HOME_DIR = "/home/agent";
/** A tmpfs of its own, because a clean-up inside may empty /tmp. */
const RUN_DIR = "/run/codex-chat";
/** The keeper's FIFO; a relay that has it open keeps the container alive. */
export const KEEPER_FIFO = `${RUN_DIR}/keeper.fifo`;

const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const GIB = 1024 ** 3;
/** gVisor counts its own threads: at 256, 150 processes crashed it (runsc 20240729). */
const MIN_PIDS = 1024;

/** What a container may use. */
export type Limits = {
  readonly memoryBytes: number;
  /** In CPUs, fractions allowed. */
  readonly cpus: number;
  /** At least 1024 under gVisor. */
  readonly pids: number;
  /** Sizes of the tmpfs mounts; they count towards the memory. */
  readonly tmpBytes: number;
  readonly homeBytes: number;
};

/** The limits if the user sets none: half of the memory up to 4 GiB, all CPUs. */
export function defaultLimits(engine: Pick<Engine, "cpus" | "memoryBytes">): Limits {
  const half = engine.memoryBytes > 0 ? Math.floor(engine.memoryBytes / 2) : 4 * GIB;
  const memoryBytes = Math.min(4 * GIB, half);
  const tmpfs = Math.floor(memoryBytes / 2);
  return { memoryBytes, cpus: engine.cpus, pids: 4096, tmpBytes: tmpfs, homeBytes: tmpfs };
}

/** The limits in force: an engine refuses more CPUs than it has. */
export function effectiveLimits(
  engine: Pick<Engine, "cpus" | "memoryBytes">,
  wanted: Partial<Limits> = {},
): Limits {
  const limits = { ...defaultLimits(engine), ...wanted };
  // The default size of a tmpfs follows the memory that it counts towards.
  const half = Math.floor(limits.memoryBytes / 2);
  return {
    ...limits,
    cpus: Math.min(limits.cpus, engine.cpus),
    tmpBytes: wanted.tmpBytes ?? half,
    homeBytes: wanted.homeBytes ?? half,
  };
}

/** Tells the user which limits the engine cannot enforce; the sandbox runs without them. */
export function limitNotes(engine: Pick<Engine, "unlimited" | "rootless">): string[] {
  if (engine.unlimited.length === 0) return [];
  const why = engine.rootless
    ? "a rootless engine needs cgroups v2 delegated to the user"
    : "the kernel lacks the controllers for that";
  return [`The engine cannot limit the sandbox's ${engine.unlimited.join(", ")}: ${why}.`];
}

/**
 * Why the engine cannot mount a path, if it cannot: Podman's Docker-compatible socket writes a
 * mount as one line of comma-separated values and reads it again (4.3).
 */
export function unmountable(engine: Pick<Engine, "product">, path: string): string | undefined {
  if (engine.product !== "Podman" || !/[",\n\r]/.test(path)) return undefined;
  return "Podman's socket cannot mount a path that has a comma, a double quote or a line break in it; rename it, or use Docker";
}

/** Everything that decides how a container is made; the self-test's container is made from one too. */
export type ContainerSpec = {
  readonly name?: string;
  readonly image: string;
  readonly runtime: string;
  readonly uid: number;
  readonly gid: number;
  /** See `ContainerUser`; default true. */
  readonly ownedTmpfs?: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly mounts: readonly BindMount[];
  readonly volumes?: readonly { readonly volume: string; readonly target: string }[];
  readonly workingDir: string;
  /** Instead of the image's keeper, for the self-test. */
  readonly entrypoint?: readonly string[];
};

/** The user that programs in a container run as. */
export type ContainerUser = {
  readonly uid: number;
  readonly gid: number;
  /** Whether the engine can make a tmpfs that belongs to this user; if not, everybody may write in it. */
  readonly ownedTmpfs: boolean;
};

/**
 * The user in a container. With a rootless engine, root inside is the user outside and has no more
 * rights than that; any other uid inside is one of the user's subordinate ids, whose files the user
 * could not even remove. Podman takes no owner for a tmpfs (4.3, "unknown mount
 * option"), which matters only where that is not root.
 */
export function containerUser(
  engine: Pick<Engine, "rootless" | "product">,
  user: { readonly uid: number; readonly gid: number },
): ContainerUser {
  const { uid, gid } = engine.rootless ? { uid: 0, gid: 0 } : user;
  return { uid, gid, ownedTmpfs: engine.product !== "Podman" };
}

/**
 * Builds what is sent to the engine: no network, no capability, a read-only root, and no path of
 * the host but the mounts. Mounts are of type bind, because `-v` would create missing sources as
 * root and split paths at colons.
 */
export function containerOptions(spec: ContainerSpec): ContainerCreateOptions {
  const { uid, gid, limits } = spec;
  // A tmpfs without an owner belongs to root.
  const own =
    uid === 0 && gid === 0
      ? "mode=0700"
      : spec.ownedTmpfs === false
        ? "mode=1777"
        : `mode=0700,uid=${uid},gid=${gid}`;
  return {
    ...(spec.name === undefined ? {} : { name: spec.name }),
    Image: spec.image,
    User: `${uid}:${gid}`,
    WorkingDir: spec.workingDir,
    Hostname: "sandbox",
    Env: Object.entries({ ...baseEnv(spec), ...spec.env }).map(([key, value]) => `${key}=${value}`),
    Labels: { ...spec.labels },
    // Set here: a user's Dockerfile may have changed the image's.
    Entrypoint: [...(spec.entrypoint ?? ["/bin/sh", "/opt/codex-chat/keeper.sh"])],
    Cmd: [],
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      AutoRemove: true,
      Runtime: spec.runtime,
      NetworkMode: "none",
      IpcMode: "private",
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      // Any program inside can write to PID 1's output, and the engine's log of it would fill the disk.
      LogConfig: { Type: "none", Config: {} },
      PidsLimit: Math.max(MIN_PIDS, limits.pids),
      Memory: limits.memoryBytes,
      // Equal to Memory: no swap.
      MemorySwap: limits.memoryBytes,
      NanoCpus: Math.round(limits.cpus * 1e9),
      Tmpfs: {
        "/tmp": `rw,exec,nosuid,nodev,mode=1777,size=${limits.tmpBytes}`,
        [HOME_DIR]: `rw,exec,nosuid,nodev,${own},size=${limits.homeBytes}`,
        // Podman (4.3) mounts a writable one there by itself if the root is read-only.
        ...(spec.ownedTmpfs === false ? { "/var/tmp": "ro,noexec,nosuid,nodev,size=4096" } : {}),
        [RUN_DIR]: `rw,noexec,nosuid,nodev,${own},size=1048576`,
      },
      Mounts: [...spec.mounts.map(bindMount), ...(spec.volumes ?? []).map(volumeMount)],
    },
  };
}

function bindMount(mount: BindMount): MountSettings {
  return {
    Type: "bind",
    Source: mount.source,
    Target: mount.target,
    ReadOnly: mount.readOnly,
    BindOptions: { Propagation: "rprivate" },
  };
}

/** NoCopy: the volume is filled before, and nothing of the image belongs in it. */
function volumeMount({ volume, target }: { volume: string; target: string }): MountSettings {
  const driver = { Name: "local", Options: {} };
  return {
    Type: "volume",
    Source: volume,
    Target: target,
    ReadOnly: false,
    VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: driver },
  };
}

function baseEnv({ uid }: ContainerSpec): Record<string, string> {
  const name = uid === 0 ? "root" : "agent";
  return {
    HOME: HOME_DIR,
    USER: name,
    LOGNAME: name,
    // tar run by root changes the owner of files, which a root without capabilities cannot do.
    ...(uid === 0 ? { TAR_OPTIONS: "--no-same-owner" } : {}),
    LANG: "C.UTF-8",
    PATH: USUAL_PATH,
    // npm would contact the registry with every command.
    npm_config_update_notifier: "false",
    CODEX_CHAT_KEEPER: KEEPER_FIFO,
  };
}

/**
 * The variables for a PATH: login shells reset PATH and restore it from CODEX_CHAT_PATH
 * (container/profile.sh). The usual directories stay in it: the sandbox's own programs are there.
 */
export function pathEnv(path: string | undefined): Record<string, string> {
  if (path === undefined || path === "") return {};
  const all = [...new Set([...path.split(":"), ...USUAL_PATH.split(":")])].join(":");
  return { PATH: all, CODEX_CHAT_PATH: all };
}

/**
 * Picks the variables of the host that the container gets: the time zone, and those that the user
 * named. No others, because any variable may hold a secret.
 */
export function allowedEnv(
  hostEnv: Readonly<Record<string, string | undefined>>,
  names: readonly string[] = [],
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of ["TZ", ...names]) {
    const value = hostEnv[name];
    if (value !== undefined && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) picked[name] = value;
  }
  return picked;
}

/** A hash of everything in a spec but its name and labels, for joining a running container. */
export function specHash(spec: ContainerSpec): string {
  const { name: _name, labels: _labels, ...rest } = spec;
  const options = containerOptions({ ...rest, labels: {} });
  return createHash("sha256").update(JSON.stringify(options)).digest("hex").slice(0, 16);
}
