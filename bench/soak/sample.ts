/** What the parts hold at a quiet moment. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import type { Place } from "../../test/e2e/place.ts";
import { runtimeProcesses } from "../../test/e2e/runtime-processes.ts";
import {
  descriptorsOf,
  neovimHoldings,
  processesNaming,
  residentMb,
} from "../../test/support/holdings.ts";
import type { Person } from "./person.ts";

const HostSide = z.object({
  heapUsed: z.number(),
  external: z.number(),
  resources: z.record(z.string(), z.number()),
});

/**
 * Files of these folders grow with use: conversations, Codex's memory of them, checkpoints. In two
 * a Neovim that was killed leaves its socket and a part of its own history.
 */
const GROWS_WITH_USE =
  /\/(chats|checkpoints|sessions|run|shada|archived_sessions|shell_snapshots|objects|audit)(\/|$)/;

/** The figures of one moment, by name. */
export type Sample = Readonly<Record<string, number>>;

/** Measures a person's Neovim and host, and all else that the place has running. */
export async function takeSample(person: Person, place: Place): Promise<Sample> {
  const nvim = await neovimHoldings(person.editor);
  const hostPid = await person.hostPid();
  const host = await askHost(place, hostPid);
  const containers = await place.containers();
  const runtime = await Promise.all(containers.map(({ Id }) => runtimeProcesses(Id)));
  const container = await place.container();
  const { ExecIDs } = await container.inspect();
  const inside = await place.inside(
    "ls -d /proc/[0-9]* | wc -l; ls -d /proc/[0-9]*/fd/* 2>/dev/null | wc -l; find /tmp /run -xdev 2>/dev/null | wc -l",
  );
  const [processes = 0, descriptors = 0, files = 0] = inside.stdout.split("\n").map(Number);
  const own = new Set([process.pid, person.editor.pid, hostPid]);
  return {
    "Neovim: resident, MB": residentMb(person.editor.pid),
    "Neovim: Lua's heap, MB": nvim.luaKb / 1000,
    "Neovim: file descriptors": descriptorsOf(person.editor.pid).length,
    "Neovim: timers": nvim.timers,
    "Neovim: handles of libuv": nvim.handles,
    "Neovim: autocommands": nvim.autocommands,
    "Neovim: extmarks": nvim.extmarks,
    "Neovim: buffers": nvim.buffers,
    "Neovim: windows": nvim.windows,
    "Neovim: channels": nvim.channels,
    "Neovim: mappings": nvim.mappings,
    "host: resident, MB": residentMb(hostPid),
    "host: heap after a collection, MB": host.heapUsed / 1e6,
    "host: outside of the heap, MB": host.external / 1e6,
    "host: timers": host.resources["Timeout"] ?? 0,
    "host: sockets": descriptorsOf(hostPid).filter((target) => target.startsWith("socket:")).length,
    "host: file descriptors": descriptorsOf(hostPid).length,
    "host: resources of its loop": Object.values(host.resources).reduce((sum, n) => sum + n, 0),
    containers: containers.length,
    "processes of gVisor": runtime.flat().length,
    "execs in the container": ExecIDs?.length ?? 0,
    "inside: processes": processes,
    "inside: file descriptors": descriptors,
    "inside: files in /tmp and /run": files,
    "other processes of the place": processesNaming(`${place.base}/`).filter((pid) => !own.has(pid))
      .length,
    "files of the state": await countFiles(place.state),
    "files of the home": await countFiles(place.home),
  };
}

/** What keeps the host's loop going, by the probe that is loaded into it. */
async function askHost(place: Place, pid: number): Promise<z.infer<typeof HostSide>> {
  const path = join(place.base, `host-${pid}.json`);
  await rm(path, { force: true });
  process.kill(pid, "SIGUSR2");
  for (const deadline = performance.now() + 10_000; !existsSync(path); await pause(20))
    if (performance.now() > deadline) throw new Error("the host does not answer its probe");
  return HostSide.parse(JSON.parse(await readFile(path, "utf8")));
}

async function countFiles(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !GROWS_WITH_USE.test(`${entry.parentPath}/${entry.name}`))
    .length;
}
