import type { Check } from "../error.ts";
import { FACT_CHECKS, type FactName, MOUNT_ATTACKS } from "./probe-attacks.ts";
import type { HostFindings } from "./probe-tree.ts";

/** The probe's output, parsed; unknown lines are ignored. */
export type ProbeFacts = {
  readonly missing: readonly string[];
  readonly release: string;
  readonly dmesgGvisor: boolean;
  readonly netDevices: readonly string[];
  readonly routes: readonly string[];
  readonly engineSockets: readonly string[];
  readonly devices: readonly string[];
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: string;
  /** The effective uid of a set-uid program; "none" if the image has none, "unread" if it was not reported. */
  readonly setuid: string;
  readonly rootWritten: boolean;
  /** The result of each connection, by name. */
  readonly net: ReadonlyMap<string, string>;
  /** How many bytes could be written to /tmp. */
  readonly tmpBytes: number;
  readonly canary: string;
  /** The exit codes of the attacks that were tried, by name: for the table, not the judgement. */
  readonly tried: ReadonlyMap<string, string>;
  readonly done: boolean;
};

/** Reads the probe's lines of `key=value`. */
export function parseProbe(output: string): ProbeFacts {
  const lines = output.split("\n").map((line) => {
    const at = line.indexOf("=");
    return { key: line.slice(0, Math.max(0, at)), value: line.slice(at + 1) };
  });
  const all = (key: string) => lines.flatMap((line) => (line.key === key ? [line.value] : []));
  const one = (key: string) => all(key)[0] ?? "";
  const words = (key: string) =>
    one(key)
      .split(" ")
      .filter((word) => word !== "");
  const pairs = (key: string) =>
    new Map(
      all(key).map((pair) => {
        const at = pair.indexOf(":");
        return [pair.slice(0, at), pair.slice(at + 1)] as const;
      }),
    );
  return {
    missing: [...all("missing"), ...all("unread")],
    release: one("release"),
    dmesgGvisor: all("dmesg").includes("gvisor"),
    netDevices: words("netdevices"),
    routes: all("route"),
    engineSockets: all("socket"),
    devices: [...words("devices"), ...all("device")],
    capabilities: words("capabilities"),
    noNewPrivileges: one("nonewprivs"),
    setuid: one("setuid"),
    rootWritten: all("root").includes("written"),
    net: pairs("net"),
    tmpBytes: Number(one("tmp") || Number.NaN),
    canary: one("canary"),
    tried: pairs("tried"),
    done: all("done").includes("1"),
  };
}

/** What happened to a container that exceeded a limit; undefined if that is not known. */
export type LimitOutcome = "ended" | "survived" | undefined;

/** All evidence, from inside and from this machine. */
export type ProbeEvidence = {
  readonly facts: ProbeFacts;
  readonly host: HostFindings;
  readonly reached: ReadonlySet<"loopback" | "unix">;
  readonly memory: LimitOutcome;
  readonly processes: LimitOutcome;
};

/** The expected values. */
export type ProbeExpectation = {
  readonly hostKernel: string;
  readonly canary: string;
  readonly control: string;
  readonly uid: number;
  readonly gid: number;
  /** The uid in the container; with a rootless engine it differs from the one on this machine. */
  readonly insideUid: number;
  readonly tmpBytes: number;
  /** The user named a runtime that is not gVisor. */
  readonly acceptWeaker: boolean;
};

/** Judges the probe, the worst failure first. A check that was not shown to hold has failed. */
export function judgeProbe(evidence: ProbeEvidence, expected: ProbeExpectation): Check[] {
  const { facts } = evidence;
  const checks = [...judgeMounts(evidence, expected), ...judgeFacts(evidence, expected)];
  if (facts.done && facts.missing.length === 0) return checks;
  const happened = facts.done
    ? `the image lacks ${facts.missing.join(", ")}, so not everything could be tried`
    : "the probe did not run to its end";
  const part = facts.done ? "image" : "start";
  const probe: Check = {
    name: "probe",
    part,
    tries: "tries all of these",
    happened,
    verdict: "failed",
  };
  // Harm on this machine is the worst, and counts even if the probe broke off after it.
  const harmed = checks.some(
    (check) => check.part === "read_only" && evidence.host.harm.length > 0,
  );
  return harmed ? [...checks, probe] : [probe, ...checks];
}

function judgeMounts({ facts, host }: ProbeEvidence, expected: ProbeExpectation): Check[] {
  const sawTree = facts.canary === expected.canary && host.control?.content === expected.control;
  const rows = MOUNT_ATTACKS.map(({ name, tries }): Check => {
    const harm = host.harm.filter((harm) => harm.attack === name).map((harm) => harm.what);
    const wasTried = facts.tried.has(name);
    const happened = harm.length > 0 ? harm.join("; ") : wasTried ? "refused" : "it was not tried";
    const verdict = harm.length === 0 && wasTried ? "held" : "failed";
    return { name, part: "read_only", tries, happened, verdict };
  });
  const other = host.harm.filter((harm) => harm.attack === "").map((harm) => harm.what);
  const tree: Check = {
    name: "tree",
    part: "read_only",
    tries: "all of the above, as this machine sees it",
    happened: !sawTree
      ? "the container did not see the mounted directories"
      : other.join("; ") || "nothing has changed",
    verdict: sawTree && other.length === 0 ? "held" : "failed",
  };
  const all = [...rows, tree];
  // Harm comes before the checks that were not reached because of it.
  return [
    ...all.filter((check) => check.verdict === "failed" && check.happened !== "it was not tried"),
    ...all.filter((check) => check.verdict !== "failed" || check.happened === "it was not tried"),
  ];
}

/** Whether this is gVisor: its kernel log says so, and its kernel release is not the host's. */
export function isGvisor(facts: ProbeFacts, hostKernel: string): boolean {
  return facts.dmesgGvisor && facts.release !== "" && facts.release !== hostKernel;
}

/** Whether a check held, and the result in words. */
type Finding = readonly [holds: boolean, happened: string, weakerIsAccepted?: boolean];

function judgeFacts(evidence: ProbeEvidence, expected: ProbeExpectation): Check[] {
  const { facts, host, reached } = evidence;
  const route = (name: "route" | "route6" | "metadata"): Finding => {
    const code = facts.net.get(name);
    return [code !== undefined && code !== "reached", said(code, "there is one")];
  };
  const dial = (name: "loopback" | "unix"): Finding => {
    const code = facts.net.get(name);
    const was = reached.has(name) || code === "reached";
    return [!was && code !== undefined, was ? "this machine was reached" : said(code, "reached")];
  };
  const owner = host.control;
  const findings: Record<FactName, Finding> = {
    kernel: [
      isGvisor(facts, expected.hostKernel),
      `${facts.dmesgGvisor ? "gVisor" : "its log does not name gVisor; it says"} ${facts.release || "nothing"}, this machine has ${expected.hostKernel}`,
      true,
    ],
    devices: [facts.devices.length === 0, facts.devices.join(" ") || "none"],
    capabilities: [
      facts.capabilities.length > 0 &&
        facts.capabilities.every((capability) => /^0+$/.test(capability)),
      facts.capabilities.length === 0
        ? "they could not be read"
        : (facts.capabilities.find((capability) => !/^0+$/.test(capability)) ?? "none"),
    ],
    privileges: [
      facts.noNewPrivileges === "1",
      facts.noNewPrivileges === "1"
        ? "no"
        : facts.noNewPrivileges === "0"
          ? "yes"
          : "it could not be asked",
    ],
    setuid: [
      facts.setuid === "none" || facts.setuid === String(expected.insideUid),
      facts.setuid === "none"
        ? "the image has none"
        : facts.setuid === "" || facts.setuid === "unread"
          ? "it was not seen running"
          : `it ran as uid ${facts.setuid}`,
    ],
    root: [facts.done && !facts.rootWritten, facts.rootWritten ? "written" : "refused"],
    network: [facts.netDevices.join(" ") === "lo", facts.netDevices.join(" ") || "none seen"],
    route: facts.routes.length > 0 ? [false, `routes: ${facts.routes.join(" ")}`] : route("route"),
    route6: route("route6"),
    metadata: route("metadata"),
    loopback: dial("loopback"),
    unix: [...(dial("unix").slice(0, 2) as [boolean, string]), true],
    engine: [facts.engineSockets.length === 0, facts.engineSockets.join(" ") || "none"],
    ownership: [
      owner?.uid === expected.uid && owner.gid === expected.gid,
      owner === null
        ? "none was made"
        : `it belongs to ${owner.uid}:${owner.gid}, this user is ${expected.uid}:${expected.gid}`,
    ],
    tmp: [
      facts.tmpBytes <= expected.tmpBytes,
      Number.isNaN(facts.tmpBytes)
        ? "it could not be tried"
        : `${mib(facts.tmpBytes)} of ${mib(expected.tmpBytes)} were taken`,
    ],
    memory: limit(evidence.memory),
    processes: limit(evidence.processes),
  };
  return (Object.keys(FACT_CHECKS) as FactName[]).map((name): Check => {
    const [holds, happened, weakerIsAccepted = false] = findings[name];
    const verdict = holds
      ? "held"
      : weakerIsAccepted && expected.acceptWeaker
        ? "weaker"
        : "failed";
    return { name, ...FACT_CHECKS[name], happened, verdict };
  });
}

function limit(outcome: LimitOutcome): Finding {
  switch (outcome) {
    case "ended":
      return [true, "it was ended"];
    case "survived":
      return [false, "it got them"];
    case undefined:
      return [false, "it could not be seen"];
    default:
      return outcome satisfies never;
  }
}

function said(code: string | undefined, reached: string): string {
  return code === undefined
    ? "it could not be tried"
    : code === "reached"
      ? reached
      : `refused (${code})`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
