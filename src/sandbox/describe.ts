import { text } from "node:stream/consumers";
import * as z from "zod";
import { findContainer } from "./container/index.ts";
import { type Engine, startProcess } from "./engine/index.ts";
import { engineFault } from "./error.ts";

/** A project's container as the engine has it, for people to read. */
export type ContainerDescription = {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  /** The image's tag, or its id if it no longer has one. */
  readonly image: string;
  readonly runtime: string;
  /** When it was started, in milliseconds since 1970. */
  readonly startedMs: number;
  readonly user: string;
  readonly network: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly mounts: readonly { readonly path: string; readonly kind: string }[];
  /** SECURITY: programs inside choose these names. Control characters are removed; at most 50. */
  readonly processes: readonly string[];
};

const MAX_PROCESSES = 50;
const MAX_PROCESS_CHARS = 100;

const Inspected = z.object({
  Id: z.string(),
  Image: z.string(),
  Config: z.object({ User: z.string().default("") }),
  State: z.object({ Running: z.boolean(), StartedAt: z.string() }),
  HostConfig: z.object({
    Runtime: z.string().default(""),
    NetworkMode: z.string().default(""),
    Memory: z.number().default(0),
    NanoCpus: z.number().default(0),
    PidsLimit: z.number().nullish(),
    Tmpfs: z.record(z.string(), z.string()).nullish(),
  }),
  Mounts: z
    .array(z.object({ Type: z.string().default("bind"), Destination: z.string(), RW: z.boolean() }))
    .default([]),
});

/** Describes a container by its name; undefined if there is none. Rejects without an engine. */
export async function describeContainer(
  engine: Engine,
  name: string,
): Promise<ContainerDescription | undefined> {
  if ((await findContainer(engine, name)) === undefined) return undefined;
  const container = engine.docker.getContainer(name);
  let inspected: z.infer<typeof Inspected>;
  try {
    inspected = Inspected.parse(await container.inspect());
  } catch (cause) {
    if (engineFault(cause).status === 404) return undefined;
    throw cause;
  }
  const { HostConfig: host } = inspected;
  const mounts = inspected.Mounts.map(({ Type, Destination, RW }) => ({
    path: Destination,
    kind: `${Type === "bind" ? "" : `${Type}, `}${RW ? "writable" : "read-only"}`,
  }));
  const tmpfs = Object.entries(host.Tmpfs ?? {}).map(([path, how]) => ({
    path,
    kind: `in memory, ${sizeOf(how)}`,
  }));
  return {
    id: inspected.Id,
    name,
    running: inspected.State.Running,
    image: await tagOf(engine, inspected.Image),
    runtime: host.Runtime,
    startedMs: Date.parse(inspected.State.StartedAt),
    user: inspected.Config.User,
    network: host.NetworkMode,
    memoryBytes: host.Memory,
    cpus: host.NanoCpus / 1e9,
    pids: host.PidsLimit ?? 0,
    mounts: [...mounts, ...tmpfs].sort((a, b) => (a.path < b.path ? -1 : 1)),
    processes: inspected.State.Running ? await processesOf(engine, inspected.Id) : [],
  };
}

function sizeOf(options: string): string {
  const bytes = Number(/(?:^|,)size=(\d+)/.exec(options)?.[1] ?? Number.NaN);
  return Number.isNaN(bytes)
    ? "without a limit of its own"
    : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

async function tagOf(engine: Engine, id: string): Promise<string> {
  try {
    const { RepoTags } = await engine.docker.getImage(id).inspect();
    return RepoTags[0] ?? id;
  } catch {
    return id;
  }
}

/** Runs `ps` inside, because the engine's own list does not show gVisor's processes. */
async function processesOf(engine: Engine, id: string): Promise<string[]> {
  const ps = await startProcess(engine.docker.getContainer(id), {
    argv: ["sh", "-c", "ps -eo pid=,etime=,args= | head -c 65536"],
    cwd: "/",
  });
  if (!ps.ok) return [];
  ps.value.stdin.end();
  ps.value.stderr.resume();
  const lines = (await text(ps.value.stdout)).split("\n");
  return lines
    .map((line) => line.replace(/\p{C}/gu, " ").trim())
    .filter(
      (line) =>
        line !== "" && !line.includes("ps -eo pid=,etime=") && !line.endsWith("head -c 65536"),
    )
    .slice(0, MAX_PROCESSES)
    .map((line) =>
      line.length > MAX_PROCESS_CHARS ? `${line.slice(0, MAX_PROCESS_CHARS)}…` : line,
    );
}
