import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { ownUid } from "../../own-user.ts";

/** Where an engine may be: its address as in DOCKER_HOST, and where that comes from. */
export type EngineAddress = {
  readonly host: string;
  /** Where the address comes from, for messages: `DOCKER_HOST`, `docker context "x"`, … */
  readonly from: string;
  /** Named by the user: if it fails, no other place is tried. */
  readonly named: boolean;
  /** Why there is no address, if the context names none. */
  readonly problem?: string;
};

type Environment = Readonly<Record<string, string | undefined>>;

const DockerConfig = z.object({ currentContext: z.string().optional() });
const ContextMeta = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string() }) }),
});

/**
 * Lists the places to look for an engine, best first: the plugin's configuration, DOCKER_HOST,
 * the docker context (as the docker command reads it), then the usual sockets: those of Docker,
 * rootful and rootless, then those of Podman. Does not connect.
 */
export async function engineAddresses(
  env: Environment,
  configured?: string,
  uid: number = ownUid(),
): Promise<EngineAddress[]> {
  if (configured !== undefined && configured !== "") {
    return [{ host: address(configured), from: "sandbox.engine", named: true }];
  }
  if (env["DOCKER_HOST"]) {
    return [{ host: address(env["DOCKER_HOST"]), from: "DOCKER_HOST", named: true }];
  }
  const context = await dockerContext(env);
  if (context !== undefined) return [context];
  // An editor started by cron, sudo or ssh may lack the variable, but the directory is there.
  const runtimeDir = env["XDG_RUNTIME_DIR"] || `/run/user/${uid}`;
  const home = env["HOME"];
  const sockets = [
    "/var/run/docker.sock",
    join(runtimeDir, "docker.sock"),
    // The socket of a rootless Docker without a session.
    ...(home ? [join(home, ".docker/run/docker.sock")] : []),
    join(runtimeDir, "podman/podman.sock"),
    "/run/podman/podman.sock",
  ];
  return sockets.map((path) => ({
    host: `unix://${path}`,
    from: "the usual places",
    named: false,
  }));
}

/** The socket's path where `host` is a local unix socket, else undefined. */
export function unixSocketPath(host: string): string | undefined {
  const path = host.startsWith("unix://") ? host.slice("unix://".length) : undefined;
  return path?.startsWith("/") ? path : undefined;
}

/** Users write a socket's path without the scheme. */
function address(text: string): string {
  return text.startsWith("/") ? `unix://${text}` : text;
}

async function dockerContext(env: Environment): Promise<EngineAddress | undefined> {
  const home = env["HOME"];
  const configDir = env["DOCKER_CONFIG"] || (home ? join(home, ".docker") : undefined);
  if (configDir === undefined) return undefined;
  const config = DockerConfig.safeParse(await readJson(join(configDir, "config.json")));
  const name = env["DOCKER_CONTEXT"] || (config.success ? config.data.currentContext : undefined);
  if (name === undefined || name === "" || name === "default") return undefined;
  const hash = createHash("sha256").update(name).digest("hex");
  const path = join(configDir, "contexts/meta", hash, "meta.json");
  const from = `docker context "${name}"`;
  const text = await readJson(path);
  const meta = ContextMeta.safeParse(text);
  if (meta.success) return { host: meta.data.Endpoints.docker.Host, from, named: true };
  // The user meant that one: another engine in its place would be a surprise.
  const problem =
    text === undefined ? `there is no such context (${path})` : `${path} names no address`;
  return { host: "", from, named: true, problem };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
