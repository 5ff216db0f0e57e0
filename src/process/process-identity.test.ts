import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  isAlive,
  liveness,
  ownerKey,
  ownerLabel,
  ownOwner,
  parseOwner,
  parseStat,
} from "./process-identity.ts";

describe("the owner of a lease", () => {
  it("is alive while its process runs and dead once it has ended", async () => {
    const child = spawn("sleep", ["600"]);
    await once(child, "spawn");
    const stat = parseStat(await readFile(`/proc/${child.pid}/stat`, "utf8"));
    const owner = { ...(await ownOwner()), pid: child.pid ?? -1, startTime: stat?.startTime ?? "" };
    expect(await liveness(owner)).toBe("alive");
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await liveness(owner)).toBe("dead");
  });

  it("is dead if its pid was reused by a process with another start time", async () => {
    const own = await ownOwner();
    expect(await isAlive(own.pid, own.startTime)).toBe(true);
    expect(await isAlive(own.pid, `${own.startTime}1`)).toBe(false);
  });

  it("is dead after a reboot, unknown in another pid namespace and on another machine", async () => {
    const own = await ownOwner();
    const [boot, namespace, machine] = own.scope.split("/");
    expect(await liveness({ ...own, scope: `00000000-0000/${namespace}/${machine}` })).toBe("dead");
    expect(await liveness({ ...own, scope: `00000000-0000/${namespace}/other` })).toBe("unknown");
    expect(await liveness({ ...own, scope: `00000000-0000/${namespace}` })).toBe("unknown");
    expect(await liveness({ ...own, scope: `${boot}/pid:[1]` })).toBe("unknown");
  });

  it("is written and read in both spellings, and in no other", () => {
    const owner = { pid: 4026, startTime: "123456" };
    expect(ownerKey(owner)).toBe("4026-123456");
    expect(ownerLabel(owner)).toBe("4026:123456");
    expect(parseOwner("4026:123456")).toEqual(owner);
    expect(parseOwner("4026-123456")).toEqual(owner);
    for (const bad of ["", "4026", "4026:", ":1", "1:2:3", "-1:2", "../1-2", "1-2.tmp"]) {
      expect(parseOwner(bad)).toBeUndefined();
    }
  });

  it("is read from a stat line whose program name contains parentheses and spaces", () => {
    const line = `77 (a) b ) c) S 1 77 77 0 -1 4194304 ${"0 ".repeat(12)}98765 0`;
    expect(parseStat(line)).toEqual({ state: "S", startTime: "98765" });
  });
});
