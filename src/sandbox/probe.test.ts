import { describe, expect, it } from "vitest";
import { type HostFindings, judgeProbe, type ProbeExpectation, parseProbe } from "./probe.ts";

const held = [
  "release=4.4.0",
  "dmesg=gvisor",
  "devices=lo ",
  "canary=c-1",
  "tried=direct:0",
  "tried=remount:0",
  "done=1",
];
const unharmed: HostFindings = { harm: [], control: { content: "k-1", uid: 1000, gid: 1000 } };
const expected: ProbeExpectation = {
  hostKernel: "6.18.0",
  canary: "c-1",
  control: "k-1",
  uid: 1000,
  gid: 1000,
  acceptWeaker: false,
};

function judge(lines: readonly string[], host = unharmed, more: Partial<ProbeExpectation> = {}) {
  return judgeProbe(parseProbe(lines.join("\n")), host, { ...expected, ...more });
}

/** The lines of a probe that held, with the one of that key replaced, or left out. */
function but(key: string, ...replacement: string[]): string[] {
  return [...held.filter((line) => !line.startsWith(`${key}=`)), ...replacement];
}

describe("judgeProbe", () => {
  it("passes a probe in which everything held", () => {
    expect(judge(held)).toBeNull();
    expect(parseProbe(held.join("\n")).tried).toEqual(["direct:0", "remount:0"]);
  });

  it.each<[string, string, string[], HostFindings?]>([
    ["harm on the host", "read_only", held, { ...unharmed, harm: ["it was moved"] }],
    ["harm even where the probe broke off", "read_only", [], { ...unharmed, harm: ["moved"] }],
    ["a probe that did not end", "start", but("done")],
    ["no output at all", "start", []],
    ["a tool without which no attack was tried", "read_only", [...held, "missing=unshare"]],
    ["a mount that was not the planted tree", "read_only", but("canary", "canary=other")],
    ["a control that never reached the host", "read_only", held, { harm: [], control: null }],
    ["the host's kernel", "gvisor", but("release", "release=6.18.0")],
    ["a kernel log without gVisor", "gvisor", but("dmesg")],
    ["a kernel that does not say its release", "gvisor", but("release")],
    ["a network device", "network", but("devices", "devices=lo eth0 ")],
    ["devices that could not be listed", "network", but("devices")],
    ["an engine's socket inside", "sockets", [...held, "socket=/var/run/docker.sock"]],
    [
      "files of another user",
      "ownership",
      held,
      { harm: [], control: { content: "k-1", uid: 100999, gid: 1000 } },
    ],
  ])("refuses %s", (_name, part, lines, host) => {
    expect(judge(lines, host)?.part).toBe(part);
  });

  it("accepts another kernel where the user named that runtime, but never a broken mount", () => {
    const runc = but("dmesg").map((it) => it.replace("4.4.0", "6.18.0"));
    expect(judge(runc, unharmed, { acceptWeaker: true })).toBeNull();
    const harmed = { ...unharmed, harm: ["changed"] };
    expect(judge(runc, harmed, { acceptWeaker: true })?.part).toBe("read_only");
  });
});
