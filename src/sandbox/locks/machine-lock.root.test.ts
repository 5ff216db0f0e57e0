import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { chown } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { fileIn, heldByAnother, place } from "../../../test/support/locks.ts";
import { itAsRoot } from "../../../test/support/root.ts";
import { takeLock, tryLock } from "./machine-lock.ts";

describe("a lock", () => {
  itAsRoot("works across pid namespaces", async () => {
    const lock = place();
    await heldByAnother(lock, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child");
    expect(await tryLock(lock)).toBeUndefined();
  });

  itAsRoot("is refused if its directory belongs to another user", async () => {
    const lock = place();
    mkdirSync(lock.dir);
    await chown(lock.dir, 4242, 4242);
    for (const take of [takeLock, tryLock])
      await expect(take(lock)).rejects.toThrow("belongs to the user 4242");
  });
});

describe("another user", () => {
  itAsRoot("cannot hold a lock, nor open its file", async () => {
    const lock = place();
    (await takeLock(lock)).release();
    chmodSync(join(lock.dir, ".."), 0o755);
    const path = fileIn(lock);
    const hold = ["flock", "-n", path, "echo", "held"];
    const control = execFileSync(hold[0] ?? "", hold.slice(1), { encoding: "utf8" });
    expect(control).toBe("held\n");
    const other = ["--reuid=4242", "--regid=4242", "--clear-groups"];
    const tried = spawnSync("setpriv", [...other, ...hold], { encoding: "utf8" });
    expect([tried.stdout, tried.stderr]).toEqual(["", expect.stringMatching(/Permission denied/)]);
    (await takeLock(lock)).release();
  });
});
