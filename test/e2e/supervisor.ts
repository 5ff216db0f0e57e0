import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { WAIT } from "./support.ts";

/** Where dockerd and the containerd that it has started note their pids. */
const PIDS = ["docker", "exec/containerd/containerd"] as const;

/**
 * Ends an engine with -9 and starts it again as its supervisor does, which is systemd elsewhere:
 * nothing is cleared away in between. `parent` is stopped meanwhile, which would do that.
 */
export async function killAndRestart(host: string, pid: number) {
  const socketPath = host.replace(/^unix:\/\//, "");
  const read = (what: string) => readFile(`/proc/${pid}/${what}`, "utf8");
  const [program = "", ...args] = (await read("cmdline")).split("\0").slice(0, -1);
  const variables = (await read("environ"))
    .split("\0")
    .filter((variable) => variable.includes("="));
  const env = Object.fromEntries(variables.map((variable) => variable.split(/=(.*)/s).slice(0, 2)));
  const parent = Number(/^PPid:\s*(\d+)/m.exec(await read("status"))?.[1]);
  const containerd = Number(await readFile(pidFile(socketPath, PIDS[1]), "utf8"));
  process.kill(parent, "SIGSTOP");
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isGone(pid), WAIT).toBe(true);
  return {
    /** Settles when it answers. */
    start: async () => {
      // Of both the pid may be there still, not reaped, and so look alive to the next one.
      await expect.poll(() => isGone(containerd), WAIT).toBe(true);
      for (const name of PIDS) await rm(pidFile(socketPath, name), { force: true });
      const daemon = spawn(program, args, { env, stdio: "ignore", detached: true });
      await expect.poll(() => answers(socketPath), WAIT).toBe(true);
      return {
        async [Symbol.asyncDispose]() {
          daemon.kill("SIGTERM");
          if (daemon.exitCode === null) await once(daemon, "exit");
        },
      };
    },
    /** Lets the parent go on, which ends and removes all that is left. */
    release: () => process.kill(parent, "SIGCONT"),
  };
}

/** The mounts whose place has one of these words in it. */
export async function mountsBelow(...words: readonly string[]): Promise<string[]> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const places = mounts.split("\n").map((line) => line.split(" ")[1] ?? "");
  return places.filter((place) => words.some((word) => place.includes(word))).sort();
}

function pidFile(socketPath: string, name: string): string {
  return join(dirname(socketPath), `${name}.pid`);
}

/** Whether a process has ended, reaped or not. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "State: Z");
  return /^State:\s*[ZX]/m.test(status);
}

function answers(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: "/_ping" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on("error", () => resolve(false));
    ping.end();
  });
}
