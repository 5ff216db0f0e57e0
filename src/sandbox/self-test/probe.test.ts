import { describe, expect, it } from "vitest";
import { judgeProbe, type ProbeEvidence, type ProbeExpectation, parseProbe } from "./probe.ts";
import { FACT_CHECKS, MOUNT_ATTACKS } from "./probe-attacks.ts";

const MIB = 1024 ** 2;
const held = [
  "release=4.4.0",
  "dmesg=gvisor",
  "netdevices=lo ",
  "devices=",
  "capabilities=0000000000000000 0000000000000000 ",
  "nonewprivs=1",
  "canary=c-1",
  "setuid=1000",
  ...["route:EHOSTUNREACH", "route6:ENETUNREACH", "metadata:EHOSTUNREACH"].map(
    (check) => `net=${check}`,
  ),
  ...["loopback", "unix"].map((check) => `net=${check}:ECONNREFUSED`),
  ...MOUNT_ATTACKS.map(({ name }) => `tried=${name}:1`),
  `tmp=${8 * MIB}`,
  "done=1",
];
const unharmed: ProbeEvidence = {
  facts: parseProbe(""),
  host: { harm: [], control: { content: "k-1", uid: 1000, gid: 1000 } },
  reached: new Set(),
  memory: "ended",
  processes: "ended",
};
const expected: ProbeExpectation = {
  hostKernel: "6.18.0",
  canary: "c-1",
  control: "k-1",
  uid: 1000,
  gid: 1000,
  insideUid: 1000,
  tmpBytes: 8 * MIB,
  acceptWeaker: false,
};

function judge(
  lines: readonly string[],
  seen: Partial<ProbeEvidence> = {},
  more: Partial<ProbeExpectation> = {},
) {
  const facts = parseProbe(lines.join("\n"));
  return judgeProbe({ ...unharmed, ...seen, facts }, { ...expected, ...more });
}

/** The name of the first check that failed. */
function worst(...args: Parameters<typeof judge>): string | undefined {
  return judge(...args).find((check) => check.verdict === "failed")?.name;
}

/** The lines of a probe that held, with those of that beginning replaced, or left out. */
function but(beginning: string, ...replacement: string[]): string[] {
  return [...held.filter((line) => !line.startsWith(beginning)), ...replacement];
}

const harmBy = (attack: string) => ({
  host: { ...unharmed.host, harm: [{ attack, what: "a file was made" }] },
});

describe("judgeProbe", () => {
  it("accepts a probe in which everything held, with a row for each attempt", () => {
    const checks = judge(held);
    expect(checks.filter((check) => check.verdict !== "held")).toEqual([]);
    expect(checks.map((check) => check.name)).toEqual([
      ...MOUNT_ATTACKS.map(({ name }) => name),
      "tree",
      ...Object.keys(FACT_CHECKS),
    ]);
  });

  it.each<[string, string, string[], Partial<ProbeEvidence>?]>([
    ["harm on the host", "remount", held, harmBy("remount")],
    ["harm without the mark of an attack", "tree", held, harmBy("")],
    ["harm even if the probe broke off", "nested", [], harmBy("nested")],
    ["a probe that did not end", "probe", but("done")],
    ["no output at all", "probe", []],
    ["a tool without which no attack was tried", "probe", [...held, "missing=unshare"]],
    ["an attack that was not attempted", "nested", but("tried=nested")],
    ["a mount that was not the planted tree", "tree", but("canary", "canary=other")],
    ["a control that never reached the host", "tree", held, { host: { harm: [], control: null } }],
    ["the host's kernel", "kernel", but("release", "release=6.18.0")],
    ["a kernel log without gVisor", "kernel", but("dmesg")],
    ["a kernel without a release", "kernel", but("release")],
    ["a disk", "devices", but("devices", "devices=/dev/sda ")],
    ["the machine's memory", "devices", [...held, "device=/dev/mem"]],
    ["a capability", "capabilities", but("capabilities", "capabilities=00000000a80425fb")],
    ["capabilities that could not be read", "capabilities", but("capabilities")],
    ["new privileges", "privileges", but("nonewprivs", "nonewprivs=0")],
    ["a set-uid program that became root", "setuid", but("setuid", "setuid=0")],
    ["a set-uid program that was not seen", "setuid", but("setuid", "setuid=unread")],
    ["a writable system directory", "root", [...held, "root=written"]],
    ["a network device", "network", but("netdevices", "netdevices=lo eth0 ")],
    ["devices that could not be listed", "network", but("netdevices")],
    ["a route in the kernel's table", "route", [...held, "route=eth0"]],
    ["a route that answers", "metadata", but("net=metadata", "net=metadata:reached")],
    ["a route that was not tried", "route6", but("net=route6")],
    ["the loopback of this machine", "loopback", held, { reached: new Set(["loopback"] as const) }],
    ["a socket in the project", "unix", held, { reached: new Set(["unix"] as const) }],
    ["an engine's socket inside", "engine", [...held, "socket=/var/run/docker.sock"]],
    [
      "files of another user",
      "ownership",
      held,
      { host: { harm: [], control: { content: "k-1", uid: 100999, gid: 1000 } } },
    ],
    ["a /tmp without an end", "tmp", but("tmp", `tmp=${9 * MIB}`)],
    ["a /tmp that was not filled", "tmp", but("tmp")],
    ["memory without a limit", "memory", held, { memory: "survived" }],
    ["a limit that was not seen", "processes", held, { processes: undefined }],
  ])("refuses %s", (_name, check, lines, seen) => {
    expect(worst(lines, seen)).toBe(check);
  });

  it("accepts another kernel if the user named that runtime, but never a broken mount", () => {
    const runc = but("dmesg").map((line) => line.replace("4.4.0", "6.18.0"));
    const weaker = { acceptWeaker: true };
    const reached = { reached: new Set(["unix"] as const) };
    expect(worst(runc, reached, weaker)).toBeUndefined();
    expect(
      judge(runc, reached, weaker).flatMap((check) =>
        check.verdict === "weaker" ? [check.name] : [],
      ),
    ).toEqual(["kernel", "unix"]);
    expect(worst(runc, harmBy("bind"), weaker)).toBe("bind");
  });
});
