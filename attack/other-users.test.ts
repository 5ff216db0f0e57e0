/**
 * Other users of the machine: to hold what the plugin waits for, so that it starts nothing any more.
 * The control waits for an abstract unix socket, whose name everybody reads in /proc/net/unix.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { takeLock } from "../src/sandbox/locks/machine-lock.ts";
import { group, type Verdict, verdict } from "./catalogue.ts";
import { closeAtEnd, freshDir } from "./support/places.ts";

/** Only root can be another user; who is not tries by names alone, as another user would. */
const isOther = process.geteuid?.() === 0;
const OTHER = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"];

const PATIENCE_MS = 5000;

/** Another user's program; what it writes after its first word. */
async function attackerProcess(...argv: readonly string[]): Promise<Readable> {
  const [file = "", ...args] = isOther ? [...OTHER, ...argv] : argv;
  const child = spawn(file, args, { cwd: "/", stdio: ["ignore", "pipe", "ignore"] });
  closeAtEnd(async () => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child.stdout;
}

/** The first word of another user's program, which goes on. */
async function attacker(...argv: readonly string[]): Promise<string> {
  const [file = "", ...args] = isOther ? [...OTHER, ...argv] : argv;
  const child = spawn(file, args, { cwd: "/", stdio: ["ignore", "pipe", "ignore"] });
  closeAtEnd(async () => void child.kill("SIGKILL"));
  const [word] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => ["it could not"]),
  ]);
  return String(word).trim();
}

/** Holds the abstract names that it is given, each as soon as it is free. */
const SQUAT = `
  const { createServer } = require("node:net"), [...names] = process.argv.slice(1);
  const take = (name) => createServer(() => {})
    .on("error", () => setTimeout(take, 5, name))
    .listen("\\0" + name, () => console.log("held"));
  names.forEach(take);
  console.log("tries");`;

/** The abstract names that this process listens on, as everybody can read them. */
async function ownNames(): Promise<string[]> {
  const fds = await readdir("/proc/self/fd");
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
  const lines = (await readFile("/proc/net/unix", "latin1")).split("\n");
  return lines
    .map((line) => /(\d+) @(.*)$/.exec(line))
    .flatMap((match) => (links.includes(`socket:[${match?.[1]}]`) ? [match?.[2] ?? ""] : []));
}

/** A lock of the same kind as the product's was: as long as a socket's address, so that it is whole. */
const NAME = `codex-chat-control/${process.pid}/`.padEnd(108, ".").slice(0, 107);

group("other users", [
  {
    name: "lock of a container",
    tries: "holds the lock that the sandbox is started under, as soon as it is free",
    mustHappen: "the next start gets it",
    run: async () => {
      const dir = join(await freshDir("locks"), "locks");
      await chmod(join(dir, ".."), 0o755);
      const place = { dir, name: "container engine codex-chat-project" };
      const before = await ownNames();
      const first = await takeLock(place);
      const [file = ""] = await readdir(dir);
      const names = (await ownNames()).filter((name) => !before.includes(name));
      if (names.length > 0) await attacker(process.execPath, "-e", SQUAT, ...names);
      const hold = ["flock", join(dir, file), "sh", "-c", "echo held; sleep 600"];
      const holding = isOther ? attacker(...hold) : Promise.resolve("it could not");
      first.release();
      const said = await holding;
      try {
        (await takeLock(place, { signal: AbortSignal.timeout(PATIENCE_MS) })).release();
        return verdict(false, `the lock is free; the other user: ${said}`);
      } catch (thrown) {
        return verdict(true, `${String(thrown)}; the other user: ${said}`);
      }
    },
    control: async (): Promise<Verdict> => {
      const before = await ownNames();
      const first = createServer().listen(`\0${NAME}`);
      await once(first, "listening");
      const names = (await ownNames()).filter((name) => !before.includes(name));
      const child = await attackerProcess(process.execPath, "-e", SQUAT, ...names);
      const holds = once(child, "data");
      first.close();
      await holds;
      const next = createServer().listen(`\0${NAME}`);
      const outcome = await once(next, "listening").then(
        () => "the name is free",
        (error: unknown) => String(error),
      );
      next.close();
      return verdict(outcome.includes("EADDRINUSE"), outcome);
    },
  },
]);
