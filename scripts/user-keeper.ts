/**
 * Holds an ordinary user for a run of the tests: takes an unused uid, copies the checkout for it, and
 * waits until its stdin ends. Then it ends all of the user's processes and removes the
 * user's files. Being a process of its own, it does so even when the run was killed with -9.
 * Run by `scripts/test/user.ts`, never by hand.
 */

import { appendFile, chmod, chown, copyFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type MachineLock, tryLock } from "../src/sandbox/locks/machine-lock.ts";
import { run } from "./setup/command.ts";
import { processesOf } from "./test/processes.ts";
import { type KeptUser, USER_NAME, type UserKeeperOptions } from "./test/user.ts";

/** Belongs to root, and is the same for all checkouts: their runs share the uids of the machine. */
const LOCK_DIR = "/run/codex-chat-test-users";

/**
 * Uids that systemd's table (https://systemd.io/UIDS-GIDS/) and Debian's policy leave unused, so
 * that no file of this machine belongs to them.
 */
const FIRST_UID = 60_578;
const LAST_UID = 61_182;

/** How long killed processes may take to disappear. */
const GONE_MS = 10_000;

const { checkout, tempDir, neovimDir } = JSON.parse(process.argv[2] ?? "") as UserKeeperOptions;
const over = new Promise<void>((resolve) => {
  process.stdin.on("end", resolve).on("error", resolve).resume();
});
// A Ctrl-C is for the run; this process ends when the run does.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.stdout.on("error", () => {});

const { uid, lock } = await takeUid();
const dir = join(tempDir, `codex-chat-${uid}`);
try {
  await makeFiles();
  process.stdout.write(`${JSON.stringify({ uid, dir } satisfies KeptUser)}\n`);
  await over;
} finally {
  await endProcesses();
  await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  lock.release();
}
process.exit(0);

async function takeUid(): Promise<{ uid: number; lock: MachineLock }> {
  const taken = await namedUids();
  for (let uid = FIRST_UID; uid <= LAST_UID; uid++) {
    if (taken.has(uid)) continue;
    const lock = await tryLock({ dir: LOCK_DIR, name: `test user ${uid}` });
    if (lock === undefined) continue;
    if ((await processesOf(uid)).length === 0) return { uid, lock };
    lock.release();
  }
  throw new Error(`All uids from ${FIRST_UID} to ${LAST_UID} are in use.`);
}

async function namedUids(): Promise<Set<number>> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  return new Set(lines.map((line) => Number(line.split(":")[2])));
}

/** The directory belongs to root, so that only root's files can be mounted from it. */
async function makeFiles(): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  // Not recursive: a directory that somebody else has made in the meantime must be an error.
  await mkdir(dir, { mode: 0o711 });
  await chmod(dir, 0o711);
  await mkdir(join(dir, "kept"));
  await mkdir(join(dir, "etc"));
  await name("passwd", `${USER_NAME}:x:${uid}:${uid}::${join(dir, "home")}:/bin/sh\n`);
  await name("group", `${USER_NAME}:x:${uid}:\n`);
  // As on any machine, everyone may enter the directory for temporary files, but not the home.
  for (const [own, mode] of [
    ["home", 0o700],
    ["tmp", 0o711],
    ["reports", 0o700],
  ] as const) {
    await mkdir(join(dir, own));
    await chmod(join(dir, own), mode);
    await chown(join(dir, own), uid, uid);
  }
  await copyCheckout(join(dir, "checkout"));
}

/** A copy of a file in /etc with one more line. */
async function name(file: "passwd" | "group", line: string): Promise<void> {
  const path = join(dir, "etc", file);
  await copyFile(join("/etc", file), path);
  await chmod(path, 0o644);
  const text = await readFile(path, "utf8");
  await appendFile(path, text === "" || text.endsWith("\n") ? line : `\n${line}`);
}

/** Copies the checkout, without its history and the parts of its cache that only root uses. */
async function copyCheckout(to: string): Promise<void> {
  await mkdir(join(to, ".cache"), { recursive: true, mode: 0o755 });
  const names = (await readdir(checkout)).filter((entry) => entry !== ".git" && entry !== ".cache");
  await copy(
    names.map((entry) => join(checkout, entry)),
    to,
  );
  if (neovimDir !== undefined) await copy([neovimDir], join(to, ".cache"));
  await run("chown", ["-R", `${uid}:${uid}`, "--", to]);
}

async function copy(from: readonly string[], to: string): Promise<void> {
  await run("cp", ["-a", "--reflink=auto", "--", ...from, to]);
}

async function endProcesses(): Promise<void> {
  const deadline = Date.now() + GONE_MS;
  for (;;) {
    const pids = await processesOf(uid);
    if (pids.length === 0 || Date.now() > deadline) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await pause(20);
  }
}
