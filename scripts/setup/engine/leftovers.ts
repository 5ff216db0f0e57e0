/** Removes what a killed engine leaves behind: processes, mounts and control groups. */
import { existsSync } from "node:fs";
import { readdir, readFile, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { run } from "../command.ts";

/** Where an engine leaves traces. */
export type EngineTraces = {
  /** The directory that the command line of every process of the engine names. */
  readonly runDir: string;
  readonly dataRoot: string;
  /** The control group of all its containers, an absolute path below each hierarchy. */
  readonly cgroup: string;
};

/** How long killed processes may take to disappear. */
const GONE_MS = 10_000;

/** Kills all processes in the engine's containers; the engine itself would ask them and wait. */
export async function endContainers({ cgroup }: EngineTraces): Promise<void> {
  for (const pid of await memberPids(await cgroupDirs(cgroup))) kill(pid);
}

/** Ends the engine's processes and removes its mounts and control groups. */
export async function removeLeftovers(traces: EngineTraces): Promise<void> {
  const groups = await cgroupDirs(traces.cgroup);
  const deadline = Date.now() + GONE_MS;
  for (;;) {
    const pids = new Set([...(await helperPids(traces.runDir)), ...(await memberPids(groups))]);
    if (pids.size === 0 || Date.now() > deadline) break;
    for (const pid of pids) kill(pid);
    await pause(20);
  }
  for (const path of await mountsBelow([traces.runDir, traces.dataRoot])) {
    await run("umount", ["--lazy", path]).catch(() => {});
  }
  for (const group of groups) await removeTree(group);
}

/** Lists mount points strictly below the directories, the deepest first. */
export function parseMounts(mounts: string, dirs: readonly string[]): string[] {
  return mounts
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[1] ?? ""))
    .filter((path) => dirs.some((dir) => path.startsWith(`${dir}/`)))
    .reverse();
}

/** The kernel writes spaces, tabs, newlines and backslashes as three octal digits. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

async function mountsBelow(dirs: readonly string[]): Promise<string[]> {
  return parseMounts(await readFile("/proc/self/mounts", "utf8"), dirs);
}

/** containerd, its shims and runsc: programs of an engine that name its directory. */
async function helperPids(runDir: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const argv = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    const program = basename(argv[0] ?? "");
    if (!/^(dockerd|containerd|containerd-shim|runc|runsc)(-|$)/.test(program)) continue;
    if (argv.some((argument) => argument.includes(`${runDir}/`))) pids.push(Number(name));
  }
  return pids;
}

async function memberPids(groups: readonly string[]): Promise<number[]> {
  const pids: number[] = [];
  for (const group of groups) {
    for (const dir of await treeOf(group)) {
      const text = await readFile(join(dir, "cgroup.procs"), "utf8").catch(() => "");
      pids.push(...text.split("\n").filter(Boolean).map(Number));
    }
  }
  return pids;
}

/** The group's directory in each mounted hierarchy that has it. */
async function cgroupDirs(cgroup: string): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  const hierarchies = await readdir(root).catch(() => []);
  return [root, ...hierarchies.map((name) => join(root, name))]
    .map((dir) => join(dir, cgroup))
    .filter((dir) => existsSync(dir));
}

/** The directory and all below it, parents first. */
async function treeOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const trees = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
  return [dir, ...(await Promise.all(trees.map(treeOf))).flat()];
}

async function removeTree(group: string): Promise<void> {
  // A control group can be removed only when it has neither members nor groups below it.
  for (const dir of (await treeOf(group)).reverse()) await rmdir(dir).catch(() => {});
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It disappeared by itself.
  }
}
