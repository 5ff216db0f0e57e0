import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { fileIn, heldByAnother, place } from "../../../test/support/locks.ts";
import { takeLock, tryLock } from "./machine-lock.ts";

describe("a lock", () => {
  it("is held by one process at a time and passes on when released", async () => {
    const lock = place();
    const order: string[] = [];
    const first = await takeLock(lock);
    const second = takeLock(lock).then((taken) => {
      order.push("second");
      return taken;
    });
    expect(await tryLock(lock)).toBeUndefined();
    order.push("first releases");
    first.release();
    first.release();
    (await second).release();
    expect(order).toEqual(["first releases", "second"]);
  });

  it("lets many waiters through, one after the other", async () => {
    const lock = place();
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const taken = await takeLock(lock);
        most = Math.max(most, ++holders);
        await new Promise((resolve) => setImmediate(resolve));
        holders--;
        taken.release();
      }),
    );
    expect(most).toBe(1);
  });

  it("does not hold another name in the same directory", async () => {
    const lock = place();
    using _held = await takeLock(lock);
    using other = await tryLock({ ...lock, name: "two" });
    expect(other).toBeDefined();
  });

  it("is waited for in a process group of its own, so that a signal to the host's does not end that", async () => {
    const lock = place();
    await heldByAnother(lock);
    const stop = new AbortController();
    const waiting = takeLock(lock, { signal: stop.signal });
    waiting.catch(() => {});
    const found = () => execa("pgrep", ["-x", "flock", "--parent", String(process.pid)]);
    await expect.poll(found).toMatchObject({ stdout: expect.stringMatching(/^\d+$/) });
    const groupOf = async (pid: string) =>
      (await execa("ps", ["-o", "pgid=", "-p", pid])).stdout.trim();
    expect(await groupOf((await found()).stdout)).not.toBe(await groupOf(String(process.pid)));
    stop.abort();
  });

  it("rejects a waiter with the reason of its signal, and leaves nothing waiting", async () => {
    const lock = place();
    const held = await takeLock(lock);
    const stop = new AbortController();
    const waiting = takeLock(lock, { signal: stop.signal });
    stop.abort(new Error("changed my mind"));
    await expect(waiting).rejects.toThrow("changed my mind");
    await expect(takeLock(lock, { signal: stop.signal })).rejects.toThrow("changed my mind");
    held.release();
    (await takeLock(lock)).release();
  });

  it("stays held by a stopped process, and is free when that is killed", async () => {
    const lock = place();
    const holder = await heldByAnother(lock);
    holder.kill("SIGSTOP");
    expect(await tryLock(lock)).toBeUndefined();
    const waiting = takeLock(lock);
    holder.kill("SIGKILL");
    (await waiting).release();
  });

  it("stays with its holder when other programs are started meanwhile, and no longer", async () => {
    const lock = place();
    const held = await takeLock(lock);
    const other = spawn("sleep", ["60"]);
    onTestFinished(() => void other.kill("SIGKILL"));
    await once(other, "spawn");
    held.release();
    (await takeLock(lock)).release();
  });

  it("is taken on the file that exists when the wait is over", async () => {
    const lock = place();
    const held = await takeLock(lock);
    const waiting = takeLock(lock);
    const path = fileIn(lock);
    const waits = new RegExp(`-> FLOCK .*:${(await stat(path)).ino} `);
    await expect.poll(() => readFile("/proc/locks", "utf8"), { interval: 5 }).toMatch(waits);
    await unlink(path);
    held.release();
    using _taken = await waiting;
    expect(await tryLock(lock)).toBeUndefined();
  });
});

describe("a process that waits for a lock", () => {
  it("learns who holds it and since when", async () => {
    const lock = place();
    const holder = await heldByAnother(lock);
    const stop = new AbortController();
    const said = await new Promise<string>((resolve) => {
      takeLock(lock, { signal: stop.signal, patienceMs: 20, onWait: resolve }).catch(() => {});
    });
    stop.abort();
    expect(said).toMatch(
      new RegExp(`^process ${holder.pid} \\(.+, .+\\) has held its lock since \\d\\d:`),
    );
  });

  it("gets no message if it is soon free", async () => {
    const lock = place();
    const said: string[] = [];
    const held = await takeLock(lock);
    const waiting = takeLock(lock, { onWait: (holder) => said.push(holder) });
    held.release();
    (await waiting).release();
    expect(said).toEqual([]);
  });
});

describe("a lock is refused with its path and the command that fixes it", () => {
  it("if its directory is a link", async () => {
    const lock = place();
    mkdirSync(join(lock.dir, "../elsewhere"));
    symlinkSync("elsewhere", lock.dir);
    const refused = takeLock(lock);
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining(`${lock.dir} is a link or a file`),
      fix: expect.stringContaining(`ls -ld ${lock.dir}`),
    });
    expect(readdirSync(join(lock.dir, "../elsewhere"))).toEqual([]);
  });

  it("if the directory cannot be made", async () => {
    const { dir, name } = place();
    await writeFile(join(dir, "..", "file"), "");
    const lock = { dir: join(dir, "..", "file", "locks"), name };
    await expect(tryLock(lock)).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  it("if the file is a link", async () => {
    const lock = place();
    (await takeLock(lock)).release();
    const path = fileIn(lock);
    await unlink(path);
    symlinkSync("/dev/null", path);
    await expect(takeLock(lock)).rejects.toMatchObject({
      path,
      message: expect.stringMatching(/ELOOP/),
    });
  });

  it("if flock is missing", async () => {
    vi.stubEnv("PATH", "/nowhere");
    await expect(tryLock(place())).rejects.toMatchObject({
      message: expect.stringContaining("the program flock is missing"),
      fix: expect.stringContaining("util-linux"),
    });
  });

  it("if flock fails, which does not count as a held lock", async () => {
    const lock = place();
    const bin = join(lock.dir, "..", "bin");
    mkdirSync(bin);
    await writeFile(
      join(bin, "flock"),
      "#!/bin/sh\necho 'flock: 3: No locks available' >&2\nexit 1\n",
    );
    chmodSync(join(bin, "flock"), 0o755);
    vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
    for (const take of [takeLock, tryLock])
      await expect(take(lock)).rejects.toThrow("flock: 3: No locks available");
  });
});
