import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { withLock } from "./lock.mjs";

function name(): { dir: string; name: string } {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-lock-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return { dir: join(dir, "locks"), name: "test" };
}

it("lets one in at a time, and all of them in the end", async () => {
  const lock = name();
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(lock, work)));
  expect(most).toBe(1);
});

it("lets the next one in when the holder fails", async () => {
  const lock = name();
  const failing = withLock(lock, () => Promise.reject(new Error("npm ci failed")));
  await expect(failing).rejects.toThrow("npm ci failed");
  expect(await withLock(lock, async () => "in")).toBe("in");
});

it("lets the next one in when the holder is killed", async () => {
  const lock = name();
  const module = pathToFileURL(join(import.meta.dirname, "lock.mjs")).href;
  const source = `const { withLock } = await import(${JSON.stringify(module)});
    await withLock(${JSON.stringify(lock)}, () => new Promise(() => {
      process.stdout.write("held");
      setInterval(() => {}, 1_000_000);
    }));`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", source]);
  onTestFinished(() => void holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  let waits = () => {};
  const waiting = new Promise<void>((resolve) => {
    waits = resolve;
  });
  const next = withLock(lock, async () => "in", { onWait: () => waits() });
  await waiting;
  holder.kill("SIGKILL");
  expect(await next).toBe("in");
});

it("is not taken in a directory that others may write", async () => {
  const lock = name();
  mkdirSync(lock.dir);
  chmodSync(lock.dir, 0o777);
  await expect(withLock(lock, async () => "in")).rejects.toThrow("is not this user's alone");
});
