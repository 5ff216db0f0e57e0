import { createHash } from "node:crypto";
import type { ContainerCreateOptions } from "dockerode";
import type { Engine } from "./engine.ts";
import type { BindMount } from "./project.ts";

/** The home inside; a tmpfs, so that nothing of it outlives the container. */
export const HOME_DIR = "/home/agent";
/** A tmpfs apart from /tmp, because a clean-up inside may empty that one. */
const RUN_DIR = "/run/codex-chat";
/** The keeper's socket; a relay's connection to it keeps the container alive. */
export const KEEPER_SOCKET = `${RUN_DIR}/keeper.sock`;

const GIB = 1024 ** 3;
/** gVisor counts its own threads: at 256, 150 processes crashed it (runsc 20240729). */
export const MIN_PIDS = 1024;

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

/** The limits where the user set none: half of the memory up to 4 GiB, all CPUs. */
export function defaultLimits(engine: Pick<Engine, "cpus" | "memoryBytes">): Limits {
  const half = engine.memoryBytes > 0 ? Math.floor(engine.memoryBytes / 2) : 4 * GIB;
  const memoryBytes = Math.min(4 * GIB, half);
  const tmpfs = Math.floor(memoryBytes / 2);
  return { memoryBytes, cpus: engine.cpus, pids: 4096, tmpBytes: tmpfs, homeBytes: tmpfs };
}

/** All that decides how a container is made; the self-test's is made by the same function. */
export type ContainerSpec = {
  readonly name?: string;
  readonly image: string;
  readonly runtime: string;
  readonly uid: number;
  readonly gid: number;
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly mounts: readonly BindMount[];
  readonly workingDir: string;
  /** Instead of the image's keeper, for the self-test. */
  readonly entrypoint?: readonly string[];
};

/** The user in a container: with a rootless engine, root inside is the user outside. */
export function containerUser(
  engine: Pick<Engine, "rootless">,
  user: { readonly uid: number; readonly gid: number },
): { readonly uid: number; readonly gid: number } {
  return engine.rootless ? { uid: 0, gid: 0 } : { uid: user.uid, gid: user.gid };
}

/**
 * Builds what is sent to the engine: no network, no capability, a read-only root, and no path of
 * the host but the mounts. Mounts are of type bind, because `-v` would create missing sources as
 * root and split paths at colons.
 */
export function containerOptions(spec: ContainerSpec): ContainerCreateOptions {
  const { uid, gid, limits } = spec;
  const own = `uid=${uid},gid=${gid}`;
  return {
    ...(spec.name === undefined ? {} : { name: spec.name }),
    Image: spec.image,
    User: `${uid}:${gid}`,
    WorkingDir: spec.workingDir,
    Hostname: "sandbox",
    Env: Object.entries({ ...baseEnv(), ...spec.env }).map(([key, value]) => `${key}=${value}`),
    Labels: { ...spec.labels },
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint], Cmd: [] }),
    HostConfig: {
      AutoRemove: true,
      Runtime: spec.runtime,
      NetworkMode: "none",
      IpcMode: "private",
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      // Anything inside can write to PID 1's output: kept by the engine, it would fill the disk.
      LogConfig: { Type: "none", Config: {} },
      PidsLimit: Math.max(MIN_PIDS, limits.pids),
      Memory: limits.memoryBytes,
      // Equal to Memory: no swap.
      MemorySwap: limits.memoryBytes,
      NanoCpus: Math.round(limits.cpus * 1e9),
      Tmpfs: {
        "/tmp": `rw,exec,nosuid,nodev,mode=1777,size=${limits.tmpBytes}`,
        [HOME_DIR]: `rw,exec,nosuid,nodev,mode=0700,${own},size=${limits.homeBytes}`,
        [RUN_DIR]: `rw,noexec,nosuid,nodev,mode=0700,${own},size=1048576`,
      },
      Mounts: spec.mounts.map((mount) => ({
        Type: "bind" as const,
        Source: mount.source,
        Target: mount.target,
        ReadOnly: mount.readOnly,
        BindOptions: { Propagation: "rprivate" as const },
      })),
    },
  };
}

function baseEnv(): Record<string, string> {
  return {
    HOME: HOME_DIR,
    USER: "agent",
    LOGNAME: "agent",
    LANG: "C.UTF-8",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    CODEX_CHAT_KEEPER: KEEPER_SOCKET,
  };
}

/**
 * Picks what of the host's environment the container may have: the time zone, and what the user
 * named. Nothing else goes in, because any variable may hold a secret.
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
