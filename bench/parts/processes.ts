/** What processes have used, by /proc: all in milliseconds of user and system time together. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Clock ticks are 10 ms on Linux (USER_HZ), whatever the kernel's own are. */
const TICK_MS = 10;

type Process = {
  readonly parent: number;
  /** Its own time, and that of its children that have ended. */
  readonly ms: number;
  readonly reapedMs: number;
};

/** The time of all processes at one moment. */
export class Snapshot {
  readonly #all = new Map<number, Process>();

  constructor() {
    for (const name of readdirSync("/proc")) {
      const found = /^\d+$/.test(name) ? readProcess(Number(name)) : undefined;
      if (found !== undefined) this.#all.set(Number(name), found);
    }
  }

  /**
   * The time of a process and all below it. Those that ended are in it, because their parents have
   * waited for them: so two snapshots give what was used between them without any sampling.
   */
  tree(root: number): number {
    return this.own(root) + this.below(root);
  }

  /** The time of all below a process. */
  below(root: number): number {
    const children = [...this.#all].filter(([, entry]) => entry.parent === root);
    return children.reduce((sum, [pid]) => sum + this.tree(pid), 0);
  }

  /** The time of a process and of its children that have ended. */
  own(pid: number): number {
    const { ms = 0, reapedMs = 0 } = this.#all.get(pid) ?? {};
    return ms + reapedMs;
  }
}

/** The time of this process's children that have ended. */
export function reapedMs(): number {
  return readProcess(process.pid)?.reapedMs ?? 0;
}

/** Settles when a process that is no child of this one has ended. */
export async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (existsSync(`/proc/${pid}`)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`);
    await pause(10);
  }
}

/** The pids of the engine's daemons; those of the set-up's own engine are known by its directory. */
export function engineDaemons(host: string): number[] {
  const dir = host.replace(/^unix:\/\//, "").replace(/\/[^/]*$/, "");
  const daemons = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), argv: readArguments(name) }))
    .filter(({ argv }) => /(^|\/)(dockerd|containerd|podman)$/.test(argv[0] ?? ""));
  const own = daemons.filter(({ argv }) => argv.some((argument) => argument.startsWith(`${dir}/`)));
  return (own.length > 0 ? own : daemons).map(({ pid }) => pid);
}

/** The pid of the process that holds a container: what gVisor runs is below it. */
export function shimOf(containerId: string): number {
  const shim = readdirSync("/proc").find((name) => {
    const argv = /^\d+$/.test(name) ? readArguments(name) : [];
    return /(containerd-shim|conmon)[^/]*$/.test(argv[0] ?? "") && argv.includes(containerId);
  });
  if (shim === undefined) throw new Error(`no shim holds the container ${containerId}`);
  return Number(shim);
}

function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name before it may have spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = (first: number) => Number(fields[first]) + Number(fields[first + 1]);
    return { parent: Number(fields[1]), ms: ticks(11) * TICK_MS, reapedMs: ticks(13) * TICK_MS };
  } catch {
    return undefined;
  }
}

function readArguments(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}
