import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Owner, ownerKey, ownOwner, parseStat } from "../../process/process-identity.ts";
import { dropLease, leaseDir, liveLeases, writeLease } from "./lease.ts";

const lease = { container: "codex-chat-app-1", engine: "e1" };

async function stateDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-lease-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function otherHost(): Promise<{ owner: Owner; die: () => Promise<void> }> {
  const child = spawn("sleep", ["600"]);
  await once(child, "spawn");
  const stat = parseStat(await readFile(`/proc/${child.pid}/stat`, "utf8"));
  const owner = { ...(await ownOwner()), pid: child.pid ?? -1, startTime: stat?.startTime ?? "" };
  const die = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  onTestFinished(die);
  return { owner, die };
}

describe("leases", () => {
  it("counts each live holder, and forgets one that was killed", async () => {
    const dir = await stateDir();
    const own = await ownOwner();
    const other = await otherHost();
    expect(await liveLeases(dir, lease)).toEqual([]);
    await writeLease(dir, own, lease);
    await writeLease(dir, other.owner, lease);
    expect((await liveLeases(dir, lease)).map((holder) => holder.pid).sort()).toEqual(
      [own.pid, other.owner.pid].sort(),
    );
    await other.die();
    expect((await liveLeases(dir, lease)).map((holder) => holder.pid)).toEqual([own.pid]);
    expect(await readdir(leaseDir(dir))).toEqual([ownerKey(own)]);
    await dropLease(dir, own);
    await dropLease(dir, own);
    expect(await liveLeases(dir, lease)).toEqual([]);
  });

  it("counts a holder that cannot be checked while its own container exists, and no longer", async () => {
    const dir = await stateDir();
    const own = await ownOwner();
    const far = { ...own, pid: 1, scope: own.scope.replace(/pid:\[\d+\]/, "pid:[1]") };
    await writeLease(dir, far, lease);
    const pids = async (id?: string | null) =>
      (await liveLeases(dir, { ...lease, ...(id === undefined ? {} : { id }) })).map(
        (holder) => holder.pid,
      );
    // While it opens one, it is not known which.
    expect([await pids(), await pids("one"), await pids(null)]).toEqual([[1], [1], [1]]);
    await writeLease(dir, far, { ...lease, id: "one" });
    await writeLease(dir, own, { ...lease, id: "one" });
    expect([(await pids()).length, (await pids("one")).length]).toEqual([2, 2]);
    expect(await pids("two")).toEqual([own.pid]);
    expect(await readdir(leaseDir(dir))).toEqual([ownerKey(own)]);
  });

  it("does not count leases on another container, and keeps another engine's", async () => {
    const dir = await stateDir();
    const other = await otherHost();
    await writeLease(dir, await ownOwner(), { ...lease, container: "another" });
    await writeLease(dir, other.owner, { ...lease, engine: "e2" });
    await other.die();
    expect(await liveLeases(dir, lease)).toEqual([]);
    expect(await readdir(leaseDir(dir))).toHaveLength(2);
  });

  it("counts an unreadable lease while its process lives, and ignores other files", async () => {
    const dir = await stateDir();
    const own = await ownOwner();
    await writeLease(dir, own, lease);
    await writeFile(join(leaseDir(dir), ownerKey(own)), "{");
    await writeFile(join(leaseDir(dir), "999999999-1"), "garbage");
    await writeFile(join(leaseDir(dir), "README"), "hello");
    expect(await liveLeases(dir, lease)).toEqual([{ pid: own.pid, startTime: own.startTime }]);
    expect(await readdir(leaseDir(dir))).toHaveLength(3);
  });
});
