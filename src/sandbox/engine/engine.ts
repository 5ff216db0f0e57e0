import { createHash } from "node:crypto";
import { access, readFile, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type Docker from "dockerode";
import * as z from "zod";
import { ownUser } from "../../own-user.ts";
import { err, ok, type Result } from "../../result.ts";
import { engineFault, type SandboxError } from "../error.ts";
import { engineClient } from "./client.ts";
import { type EngineAddress, engineAddresses, unixSocketPath } from "./engine-address.ts";

/** How long an engine may take to answer its first two calls. */
const ANSWER_MS = 10_000;

/** A runtime as registered with the engine. */
export type EngineRuntime = { readonly path: string; readonly args: readonly string[] };

/** A limit of a container that not every engine can hold. */
type LimitName = "memory" | "cpus" | "pids";

/** A Docker-compatible engine that answers. */
export type Engine = {
  readonly docker: Docker;
  /** Its address, always `unix://…`. */
  readonly host: string;
  readonly socketPath: string;
  /** Where it keeps images and containers; undefined if it does not say. */
  readonly dataRoot: string | undefined;
  /** The same after a restart of the engine; different for two engines on one machine. */
  readonly id: string;
  readonly version: string;
  /** "Docker", "Podman", …: for messages. */
  readonly product: string;
  readonly kernel: string;
  /** The name that it has for its machine; empty if it does not say. */
  readonly machine: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly rootless: boolean;
  /** Limits that it cannot enforce, for example without delegated cgroups. */
  readonly unlimited: readonly LimitName[];
  readonly runtimes: Readonly<Record<string, EngineRuntime>>;
  /** The runtime of containers that name none. */
  readonly defaultRuntime: string;
};

const Info = z.object({
  ID: z.string().default(""),
  Name: z.string().default(""),
  DockerRootDir: z.string().default(""),
  KernelVersion: z.string().default(""),
  NCPU: z.number().default(1),
  MemTotal: z.number().default(0),
  MemoryLimit: z.boolean().default(true),
  CpuCfsQuota: z.boolean().default(true),
  PidsLimit: z.boolean().default(true),
  DefaultRuntime: z.string().default(""),
  SecurityOptions: z.array(z.string()).nullish(),
  /** Podman's field (4.3); Docker names it among the security options. */
  Rootless: z.boolean().nullish(),
  Runtimes: z
    .record(
      z.string(),
      z.object({ path: z.string().default(""), runtimeArgs: z.array(z.string()).nullish() }),
    )
    .nullish(),
});

const Version = z.object({
  Version: z.string().min(1),
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});

/** Where to look; `host` is the user's setting, and then no other place is tried. */
export type FindEngineOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host?: string;
  readonly signal?: AbortSignal;
};

/**
 * Finds the first engine that answers. Only local unix sockets are accepted, because the project
 * is bind-mounted: another machine's engine would mount that machine's files.
 *
 * Errors: `no_engine`, `engine_unreachable`, `engine_remote`.
 */
export async function findEngine(
  options: FindEngineOptions,
): Promise<Result<Engine, SandboxError>> {
  let failure: SandboxError | undefined;
  for (const candidate of await engineAddresses(options.env, options.host)) {
    options.signal?.throwIfAborted();
    const found = await tryHost(candidate, options.signal);
    if (found === undefined) continue;
    if (found.ok) return found;
    failure ??= found.error;
  }
  return err(failure ?? noEngine());
}

/** Undefined if there is no socket at one of the usual places. */
async function tryHost(
  { host, from, named, problem }: EngineAddress,
  signal: AbortSignal | undefined,
): Promise<Result<Engine, SandboxError> | undefined> {
  const socketPath = unixSocketPath(host);
  if (socketPath === undefined) return err(notLocal(host, from, problem));
  try {
    await access(socketPath);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (!named && code === "ENOENT") return undefined;
    return err(await unreachable(host, socketPath, from, cause));
  }
  const docker = engineClient(socketPath);
  const abortSignal = AbortSignal.any([
    ...(signal === undefined ? [] : [signal]),
    AbortSignal.timeout(ANSWER_MS),
  ]);
  try {
    const [version, info] = await Promise.all([
      abortable(docker)
        .version({ abortSignal })
        .then((answer) => Version.parse(answer)),
      abortable(docker)
        .info({ abortSignal })
        .then((answer) => Info.parse(answer)),
    ]);
    const product = version.Components?.some((c) => /podman/i.test(c.Name)) ? "Podman" : "Docker";
    return ok({
      docker,
      host,
      socketPath,
      dataRoot: isAbsolute(info.DockerRootDir) ? info.DockerRootDir : undefined,
      id: engineId(product, host, info),
      version: version.Version,
      product,
      kernel: info.KernelVersion,
      machine: info.Name,
      cpus: Math.max(1, info.NCPU),
      memoryBytes: info.MemTotal,
      rootless:
        info.Rootless === true ||
        (info.SecurityOptions?.some((option) => /name=rootless/.test(option)) ?? false),
      unlimited: [
        ...(info.MemoryLimit ? [] : (["memory"] as const)),
        ...(info.CpuCfsQuota ? [] : (["cpus"] as const)),
        ...(info.PidsLimit ? [] : (["pids"] as const)),
      ],
      defaultRuntime: info.DefaultRuntime,
      runtimes: Object.fromEntries(
        Object.entries(info.Runtimes ?? {}).map(([name, runtime]) => [
          name,
          { path: runtime.path, args: runtime.runtimeArgs ?? [] },
        ]),
      ),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    return err(await unreachable(host, socketPath, from, cause));
  }
}

/** dockerode 5 takes a signal in these calls; its types do not say so. */
type Ask = (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>;
function abortable(docker: Docker): { readonly version: Ask; readonly info: Ask } {
  return docker as unknown as { readonly version: Ask; readonly info: Ask };
}

/** Podman invents a new ID with every call, so its address has to do. */
function engineId(product: string, host: string, info: z.infer<typeof Info>): string {
  const identity = product === "Podman" || info.ID === "" ? `${host}\0${info.Name}` : info.ID;
  return createHash("sha256").update(`${product}\0${identity}`).digest("hex").slice(0, 16);
}

function noEngine(): SandboxError {
  return {
    kind: "no_engine",
    message:
      "No container engine was found: none of sandbox.engine, DOCKER_HOST, the docker context and the usual sockets of Docker and Podman (rootful and rootless) leads to one.",
    fix: "Install an engine with gVisor; `:help codex-chat-gvisor` has the lines for your system. On Debian 13:\nsudo apt-get install docker.io runsc\nIf Docker is installed, start it: sudo systemctl enable --now docker\nOr Podman's socket: systemctl --user enable --now podman.socket",
  };
}

/** Why an address is not a local socket, by its scheme. */
function whyNotLocal(host: string): string {
  if (host.startsWith("ssh://")) return "is another machine's, reached over ssh";
  if (/^(tcp|https?):/.test(host)) return "is reached over the network";
  if (host.startsWith("npipe:")) return "is a pipe of Windows";
  return "is not a local unix socket";
}

function notLocal(host: string, from: string, problem?: string): SandboxError {
  const mount =
    "the project is mounted from this machine, so its files would not be there: the engine must run here, behind a unix socket";
  return {
    kind: "engine_remote",
    message:
      host === ""
        ? `The engine that ${from} names has no address: ${problem ?? "it is empty"}.`
        : `The engine ${host} (from ${from}) ${whyNotLocal(host)}; ${mount}.`,
    fix: `${useLocal(from)}\nor set sandbox.engine = "unix:///var/run/docker.sock" in the configuration, for this plugin alone.`,
    host,
  };
}

/** How to get back to an engine of this machine, if `from` names another one. */
function useLocal(from: string): string {
  if (from === "DOCKER_HOST")
    return "unset DOCKER_HOST, or: export DOCKER_HOST=unix:///var/run/docker.sock";
  if (from.startsWith("docker context"))
    return "docker context ls\ndocker context use default\nand: unset DOCKER_CONTEXT";
  return 'Remove sandbox.engine from the configuration, or name a socket: "unix:///…"';
}

/** How to get access to a socket. A uid without an account cannot be in a group. */
function letIn(socketPath: string, group: string): string {
  const { uid, hasAccount } = ownUser();
  if (!hasAccount)
    return `sudo setfacl -m u:${uid}:rw ${socketPath}\nAnybody who can open it can become root on this machine.`;
  return `sudo usermod -aG ${group} "$USER"\nthen log out and in again (or: newgrp ${group}). Members of that group can become root on this machine.`;
}

async function unreachable(
  host: string,
  socketPath: string,
  from: string,
  cause: unknown,
): Promise<SandboxError> {
  const { code, text } = engineFault(cause);
  const permission = code === "EACCES" || code === "EPERM";
  const group = permission ? await socketGroup(socketPath) : undefined;
  if (permission) {
    return {
      kind: "engine_unreachable",
      message: `This user may not open ${socketPath} (from ${from})${group === undefined ? "" : `, which belongs to the group "${group}"`}.`,
      fix: letIn(socketPath, group ?? "docker"),
      host,
      permission,
      cause,
    };
  }
  const detail =
    code === "ENOENT"
      ? "there is no such socket"
      : code === "ECONNREFUSED"
        ? "nothing listens there"
        : code === "ABORT_ERR" || /timeout/i.test(text)
          ? `it did not answer within ${ANSWER_MS / 1000} s`
          : text;
  return {
    kind: "engine_unreachable",
    message: `The engine at ${host} (from ${from}) cannot be used: ${detail}.`,
    fix: `${startCommand(socketPath)}${code === "ENOENT" ? `\n${elsewhere(from)}` : ""}`,
    host,
    permission,
    cause,
  };
}

/** The command that starts a socket's engine, guessed from its path. */
function startCommand(socketPath: string): string {
  const user = socketPath.startsWith("/run/user/") || socketPath.includes("/.docker/");
  const unit = socketPath.includes("podman") ? "podman.socket" : "docker";
  return `${user ? "systemctl --user" : "sudo systemctl"} start ${unit}\n${unit === "docker" ? "docker" : "podman"} info`;
}

/** The other possibility if there is no socket: the address is wrong. */
function elsewhere(from: string): string {
  if (from === "sandbox.engine")
    return "If it listens elsewhere: correct sandbox.engine, or leave it out to have the usual sockets tried.";
  return `If it listens elsewhere: correct ${from}, or set sandbox.engine = "unix:///…" for this plugin alone.`;
}

/** The name of the group that a socket belongs to. */
async function socketGroup(path: string): Promise<string | undefined> {
  try {
    const { gid } = await stat(path);
    const groups = (await readFile("/etc/group", "utf8"))
      .split("\n")
      .map((line) => line.split(":"));
    return groups.find((fields) => fields[2] === String(gid))?.[0] ?? String(gid);
  } catch {
    return undefined;
  }
}
