import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/**
 * A process of this machine, named so that it cannot be mistaken for a later one:
 * pids are reused, a pid together with its start time is not within one boot.
 */
export type Owner = {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat; a string because it is only compared. */
  readonly startTime: string;
  /** Boot id, pid namespace and machine: within another of either, the pid says nothing. */
  readonly scope: string;
};

/** What can be said of an owner: `unknown` of another pid namespace or another machine. */
export type Liveness = "alive" | "dead" | "unknown";

/** Names the running process. */
export async function ownOwner(): Promise<Owner> {
  const stat = await readStat(process.pid);
  if (stat === undefined || stat === "unknown")
    throw new Error("/proc is not mounted: the own start time is unknown");
  return { pid: process.pid, startTime: stat.startTime, scope: await ownScope() };
}

/** Tells whether an owner still runs; a zombie does not. */
export async function liveness(owner: Owner, ownScopeNow?: string): Promise<Liveness> {
  const here = parseScope(ownScopeNow ?? (await ownScope()));
  const there = parseScope(owner.scope);
  // An engine, and a home with the leases in it, may be shared by machines.
  if (there.boot !== here.boot) return there.machine === here.machine ? "dead" : "unknown";
  if (there.namespace !== here.namespace) return "unknown";
  return (await isAlive(owner.pid, owner.startTime)) ? "alive" : "dead";
}

/**
 * Tells whether the process `pid` that started at `startTime` (field 22 of its stat) still runs.
 * One that cannot be looked at is not taken for dead.
 */
export async function isAlive(pid: number, startTime: string): Promise<boolean> {
  const stat = await readStat(pid);
  if (stat === "unknown") return true;
  return stat !== undefined && stat.startTime === startTime && !/^[ZXx]$/.test(stat.state);
}

/** Writes `pid-startTime`, the name of an owner's lease file. */
export function ownerKey(owner: Pick<Owner, "pid" | "startTime">): string {
  return `${owner.pid}-${owner.startTime}`;
}

/** Writes an owner as the value of a label: `pid:startTime`. */
export function ownerLabel(owner: Pick<Owner, "pid" | "startTime">): string {
  return `${owner.pid}:${owner.startTime}`;
}

/** Reads `pid:startTime` or `pid-startTime`; undefined where it is neither. */
export function parseOwner(text: string): Pick<Owner, "pid" | "startTime"> | undefined {
  const match = /^(\d{1,10})[:-](\d{1,20})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { pid: Number(match[1]), startTime: match[2] };
}

/** The state and start time in a /proc/<pid>/stat line; the name in parentheses may hold anything. */
export function parseStat(line: string): { state: string; startTime: string } | undefined {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return undefined;
  return { state, startTime };
}

/** Undefined where there is no such process. */
async function readStat(
  pid: number,
): Promise<{ state: string; startTime: string } | "unknown" | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "utf8")) ?? "unknown";
  } catch (cause) {
    // ESRCH: it ended between the opening and the reading.
    const isGone = ["ENOENT", "ESRCH"].includes((cause as NodeJS.ErrnoException).code ?? "");
    return isGone ? undefined : "unknown";
  }
}

async function ownScope(): Promise<string> {
  const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  return `${boot}/${await readlink("/proc/self/ns/pid")}/${await ownMachine()}`;
}

/** A hash, because the machine's id is to stay on it (man machine-id), and labels are read by many. */
async function ownMachine(): Promise<string> {
  const id = await readFile("/etc/machine-id", "utf8").catch(() => "");
  const hash = createHash("sha256").update(`codex-chat\0${id.trim() || hostname()}`);
  return hash.digest("hex").slice(0, 12);
}

/** Whether two scopes are of one machine, whatever their boots and pid namespaces. */
export function isSameMachine(one: string, other: string): boolean {
  const { machine } = parseScope(one);
  return machine !== "" && machine === parseScope(other).machine;
}

function parseScope(scope: string): { boot: string; namespace: string; machine: string } {
  const [boot = "", namespace = "", machine = ""] = scope.split("/");
  return { boot, namespace, machine };
}
