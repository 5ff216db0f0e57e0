import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";

/**
 * The identity of a process on this machine. Pids are reused; a pid with its start time is unique
 * within one boot.
 */
export type Owner = {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/<pid>/stat; a string because it is only compared. */
  readonly startTime: string;
  /** Boot id, pid namespace and machine: the pid means nothing in another of these. */
  readonly scope: string;
};

/** Whether an owner lives; `unknown` in another pid namespace or on another machine. */
export type Liveness = "alive" | "dead" | "unknown";

/** The identity of this process. */
export async function ownOwner(): Promise<Owner> {
  const startTime = await startTimeOf(process.pid);
  if (startTime === undefined)
    throw new Error("/proc is not mounted: the own start time is unknown");
  return { pid: process.pid, startTime, scope: await ownScope() };
}

/** Whether an owner is still running; a zombie is not. */
export async function liveness(owner: Owner, ownScopeNow?: string): Promise<Liveness> {
  const here = parseScope(ownScopeNow ?? (await ownScope()));
  const there = parseScope(owner.scope);
  // Machines may share an engine, and a home directory with the leases in it.
  if (there.boot !== here.boot) return there.machine === here.machine ? "dead" : "unknown";
  if (there.namespace !== here.namespace) return "unknown";
  return (await isAlive(owner.pid, owner.startTime)) ? "alive" : "dead";
}

/**
 * Whether the process `pid` that started at `startTime` (field 22 of its stat) is still running. A
 * process that cannot be accessed does not count as dead.
 */
export async function isAlive(pid: number, startTime: string): Promise<boolean> {
  const stat = await readStat(pid);
  if (stat === "unknown") return true;
  return stat !== undefined && stat.startTime === startTime && !/^[ZXx]$/.test(stat.state);
}

/**
 * When a process started, in clock ticks since boot; undefined if there is none, or if it cannot be
 * looked at.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readStat(pid);
  return stat === "unknown" ? undefined : stat?.startTime;
}

/** The boot's id: a pid and its start time mean nothing in another boot. Rejects without /proc. */
export async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

/** The namespace of this process's pid, as in `pid:[4026531836]`. Rejects without /proc. */
export function pidNamespace(): Promise<string> {
  return readlink("/proc/self/ns/pid");
}

/** Writes `pid-startTime`, the name of an owner's lease file. */
export function ownerKey(owner: Pick<Owner, "pid" | "startTime">): string {
  return `${owner.pid}-${owner.startTime}`;
}

/** Writes an owner as the value of a label: `pid:startTime`. */
export function ownerLabel(owner: Pick<Owner, "pid" | "startTime">): string {
  return `${owner.pid}:${owner.startTime}`;
}

/** Reads `pid:startTime` or `pid-startTime`; undefined if it is neither. */
export function parseOwner(text: string): Pick<Owner, "pid" | "startTime"> | undefined {
  const match = /^(\d{1,10})[:-](\d{1,20})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { pid: Number(match[1]), startTime: match[2] };
}

/** The state and start time in a /proc/<pid>/stat line; the name in parentheses may contain anything. */
export function parseStat(line: string): { state: string; startTime: string } | undefined {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return undefined;
  return { state, startTime };
}

/** Undefined if there is no such process. */
async function readStat(
  pid: number,
): Promise<{ state: string; startTime: string } | "unknown" | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, "utf8")) ?? "unknown";
  } catch (cause) {
    // ESRCH: the process ended between open and read.
    const isGone = ["ENOENT", "ESRCH"].includes((cause as NodeJS.ErrnoException).code ?? "");
    return isGone ? undefined : "unknown";
  }
}

async function ownScope(): Promise<string> {
  return `${await bootId()}/${await pidNamespace()}/${await ownMachine()}`;
}

/** A hash: the machine's id must not leave it (man machine-id), and many can read labels. */
async function ownMachine(): Promise<string> {
  const id = await readFile("/etc/machine-id", "utf8").catch(() => "");
  const hash = createHash("sha256").update(`codex-chat\0${id.trim() || hostname()}`);
  return hash.digest("hex").slice(0, 12);
}

/** Whether two scopes belong to one machine, in any boot and pid namespace. */
export function isSameMachine(one: string, other: string): boolean {
  const { machine } = parseScope(one);
  return machine !== "" && machine === parseScope(other).machine;
}

function parseScope(scope: string): { boot: string; namespace: string; machine: string } {
  const [boot = "", namespace = "", machine = ""] = scope.split("/");
  return { boot, namespace, machine };
}
