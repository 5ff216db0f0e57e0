import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { chown, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type LockPlace, takeLock, tryLock } from "./lock.ts";

const isRoot = process.geteuid?.() === 0;

function place(): LockPlace {
  const base = mkdtempSync(join(tmpdir(), "codex-chat-lock-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return { dir: join(base, "locks"), name: "one" };
}

/** The file of the only lock in a directory. */
const fileIn = ({ dir }: LockPlace) => join(dir, readdirSync(dir)[0] ?? "");

/** `lock.ts` as a program of its own can load it. */
function bundled(): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-lock-program-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const outfile = join(dir, "lock.mjs");
  const entry = fileURLToPath(new URL("./lock.ts", import.meta.url));
  const how = { bundle: true, platform: "node", format: "esm", target: "node20" } as const;
  buildSync({ entryPoints: [entry], outfile, ...how });
  return outfile;
}

/** Another process that holds the lock, and the program that it is started by. */
async function heldByAnother({ dir, name }: LockPlace, ...by: readonly string[]) {
  const program = `
    const { takeLock } = await import(${JSON.stringify(bundled())});
    await takeLock(${JSON.stringify({ dir, name })});
    process.stdout.write("held");
    setInterval(() => {}, 1_000_000);`;
  const [file = "", ...args] = [...by, process.execPath, "--input-type=module", "-e", program];
  const holder = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void holder.kill("SIGKILL"));
  const ended = once(holder, "exit").then(() => Promise.reject(new Error("the holder has ended")));
  await Promise.race([once(holder.stdout, "data"), ended]);
  ended.catch(() => {});
  return holder;
}

describe("a lock", () => {
  it("is held by one at a time and passes on when released", async () => {
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

  it("is held by a process that is stopped, and free when that is killed", async () => {
    const lock = place();
    const holder = await heldByAnother(lock);
    holder.kill("SIGSTOP");
    expect(await tryLock(lock)).toBeUndefined();
    const waiting = takeLock(lock);
    holder.kill("SIGKILL");
    (await waiting).release();
  });

  it.runIf(isRoot)("counts between pid namespaces", async () => {
    const lock = place();
    await heldByAnother(lock, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child");
    expect(await tryLock(lock)).toBeUndefined();
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

  it("is taken on the file that is there when the waiting is over", async () => {
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

describe("who waits for a lock", () => {
  it("is told who holds it and since when", async () => {
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

  it("hears nothing where it is soon free", async () => {
    const lock = place();
    const said: string[] = [];
    const held = await takeLock(lock);
    const waiting = takeLock(lock, { onWait: (it) => said.push(it) });
    held.release();
    (await waiting).release();
    expect(said).toEqual([]);
  });
});

describe("a lock is refused with its path and the command that mends it", () => {
  it("where its directory is a link", async () => {
    const lock = place();
    mkdirSync(join(lock.dir, "../elsewhere"));
    symlinkSync("elsewhere", lock.dir);
    const refused = takeLock(lock);
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining(`${lock.dir} is a link or a file`),
      mend: expect.stringContaining(`ls -ld ${lock.dir}`),
    });
    expect(readdirSync(join(lock.dir, "../elsewhere"))).toEqual([]);
  });

  it.runIf(isRoot)("where its directory is another user's", async () => {
    const lock = place();
    mkdirSync(lock.dir);
    await chown(lock.dir, 4242, 4242);
    for (const take of [takeLock, tryLock])
      await expect(take(lock)).rejects.toThrow("belongs to the user 4242");
  });

  it("where the directory cannot be made", async () => {
    const { dir, name } = place();
    await writeFile(join(dir, "..", "file"), "");
    const lock = { dir: join(dir, "..", "file", "locks"), name };
    await expect(tryLock(lock)).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  it("where the file is a link", async () => {
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

  it("where flock is missing", async () => {
    vi.stubEnv("PATH", "/nowhere");
    await expect(tryLock(place())).rejects.toMatchObject({
      message: expect.stringContaining("the program flock is missing"),
      mend: expect.stringContaining("util-linux"),
    });
  });

  it("where flock fails, which is not taken for a lock that is held", async () => {
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

describe("another user", () => {
  it.runIf(isRoot)("cannot hold a lock, nor open its file", async () => {
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
