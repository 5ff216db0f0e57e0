import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { lockAddress, takeLock, tryLock } from "./lock.ts";

describe("lock", () => {
  it("is held by one at a time and passes on when released", async () => {
    const name = randomUUID();
    const order: string[] = [];
    const first = await takeLock(name);
    const second = takeLock(name).then((lock) => {
      order.push("second");
      return lock;
    });
    expect(await tryLock(name)).toBeUndefined();
    order.push("first releases");
    first.release();
    (await second).release();
    expect(order).toEqual(["first releases", "second"]);
  });

  it("lets many waiters through, one after the other", async () => {
    const name = randomUUID();
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const lock = await takeLock(name);
        most = Math.max(most, ++holders);
        await Promise.resolve();
        holders--;
        lock.release();
      }),
    );
    expect(most).toBe(1);
  });

  it("rejects a waiter with the reason of its signal", async () => {
    const name = randomUUID();
    using _held = await takeLock(name);
    const stop = new AbortController();
    const waiting = takeLock(name, { signal: stop.signal });
    stop.abort(new Error("changed my mind"));
    await expect(waiting).rejects.toThrow("changed my mind");
  });

  it("is free again after its holder was killed", async () => {
    const name = randomUUID();
    const program = `require("node:net").createServer().listen(${JSON.stringify(lockAddress(name))},
        () => process.stdout.write("held"));`;
    const holder = spawn(process.execPath, ["-e", program]);
    await once(holder.stdout, "data");
    expect(await tryLock(name)).toBeUndefined();
    const waiting = takeLock(name);
    holder.kill("SIGKILL");
    (await waiting).release();
  });

  it("has a name that no version of Node makes longer or shorter", async () => {
    const name = randomUUID();
    using _held = await takeLock(name);
    const sockets = await readFile("/proc/net/unix", "latin1");
    const shown = lockAddress(name).replace("\0", "@");
    expect(sockets.split("\n").map((line) => line.split(" ").at(-1))).toContain(shown);
    expect(Buffer.byteLength(lockAddress(name))).toBe(108);
  });
});
