/** Locks of the tests, and processes that hold them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { onTestFinished } from "vitest";
import type { LockPlace } from "../../src/sandbox/locks/machine-lock.ts";

/** A place for a lock, removed after the test. */
export function place(): LockPlace {
  const base = mkdtempSync(join(tmpdir(), "codex-chat-lock-"));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return { dir: join(base, "locks"), name: "one" };
}

/** The file of the only lock in a directory. */
export const fileIn = ({ dir }: LockPlace) => join(dir, readdirSync(dir)[0] ?? "");

/** `lock.ts` as a program of its own can load it. */
function bundled(): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-lock-program-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const outfile = join(dir, "lock.mjs");
  const entry = fileURLToPath(new URL("../../src/sandbox/locks/machine-lock.ts", import.meta.url));
  const how = { bundle: true, platform: "node", format: "esm", target: "node20" } as const;
  buildSync({ entryPoints: [entry], outfile, ...how });
  return outfile;
}

/** Another process that holds the lock, and the program that it is started by. */
export async function heldByAnother({ dir, name }: LockPlace, ...by: readonly string[]) {
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
