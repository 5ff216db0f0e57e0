/**
 * Holds the private engine for as long as anyone is connected to its socket: starts dockerd, sends
 * its address to each connection once it answers, and ends it, with everything it mounted, after the
 * last connection has closed. Run by `scripts/setup/engine/engine.ts`, never by hand.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { takeLock } from "../src/sandbox/locks/machine-lock.ts";
import {
  type EngineTraces,
  type ExtraRuntimes,
  endContainers,
  type KeeperAnswer,
  type KeeperOptions,
  RUNTIME_ARGS,
  removeLeftovers,
} from "./setup/engine/index.ts";
import { lockDir } from "./setup/paths.ts";

/** How long dockerd may take until it answers, and until it has ended. */
const START_MS = 60_000;
const STOP_MS = 15_000;

/** Unused by systemd and Debian. The socket's directory stays closed to this group, too. */
const SOCKET_GID = 61_183;

const options = JSON.parse(process.argv[2] ?? "") as KeeperOptions;
const { runDir, dataRoot } = options;
const traces: EngineTraces = { runDir, dataRoot, cgroup: `/${options.id}` };
const dockerSocket = join(runDir, "docker.sock");
const users = new Set<Socket>();
let ending: Promise<void> | undefined;

// Held until this process is gone, so that a successor waits until everything is cleaned up.
await takeLock({ dir: lockDir, name: `keeper ${runDir}` });
await removeLeftovers(traces);
await rm(runDir, { recursive: true, force: true });
await makeRunDir();
const daemon = await startDaemon();
const answer = waitForDaemon();
const server = createServer({ allowHalfOpen: true }, welcome);
server.listen(join(runDir, "keeper.sock"));
await once(server, "listening");
process.stdout.on("error", () => {});
process.stdout.write("listening\n");
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void end());
daemon.on("exit", () => void end());
// Whoever started this keeper may have died before it connected.
setTimeout(() => users.size === 0 && void end(), START_MS).unref();

/** In a directory that everyone may write, another user may have created that name first. */
async function makeRunDir(): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(runDir);
  if (uid === process.getuid?.() && (mode & 0o777) === 0o700) return;
  throw new Error(`${runDir} is not this user's alone; remove it and try again`);
}

function welcome(socket: Socket): void {
  users.add(socket);
  socket.on("error", () => {});
  socket.resume();
  // A client half-closes to leave; the answer comes once the daemon of the last one has ended.
  socket.on("end", () => void leave(socket));
  socket.on("close", () => void leave(socket));
  void answer.then((text) => socket.writable && socket.write(`${JSON.stringify(text)}\n`));
}

async function leave(socket: Socket): Promise<void> {
  if (!users.delete(socket)) return;
  if (users.size === 0) await end();
  socket.destroy();
}

async function startDaemon() {
  await mkdir(join(dataRoot, "data"), { recursive: true });
  const config = {
    "data-root": join(dataRoot, "data"),
    "exec-root": join(runDir, "exec"),
    pidfile: join(runDir, "docker.pid"),
    hosts: [`unix://${dockerSocket}`],
    // Not root's group, so that a test user can get the engine and nothing else of root's.
    group: String(SOCKET_GID),
    // A private engine has no business with the machine's network.
    bridge: "none",
    iptables: false,
    ip6tables: false,
    "ip-forward": false,
    // A cgroup of its own, so that all processes of its containers can be found and ended.
    "cgroup-parent": traces.cgroup,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "shutdown-timeout": 5,
    runtimes: await runtimes(),
  };
  const file = join(runDir, "daemon.json");
  await writeFile(file, JSON.stringify(config));
  const path = [...options.path, process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"];
  // With setpriv the kernel ends dockerd however this keeper dies.
  return spawn("setpriv", ["--pdeathsig", "TERM", "dockerd", "--config-file", file], {
    env: {
      ...process.env,
      PATH: path.join(":"),
      LD_LIBRARY_PATH: options.libraries.join(":"),
    },
    stdio: ["ignore", 2, 2],
    detached: true,
  });
}

/** dockerd writes a shell script around each runtime and does not quote its path. */
async function runtimes(): Promise<ExtraRuntimes> {
  const path = join(runDir, "runsc");
  await symlink(options.runsc, path);
  const all: ExtraRuntimes = {
    runsc: { runtimeArgs: RUNTIME_ARGS },
    ...options.extraRuntimes,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, runtime]) => [name, { path, ...runtime }]),
  );
}

async function waitForDaemon(): Promise<KeeperAnswer> {
  const deadline = Date.now() + START_MS;
  const { pid } = daemon;
  while (Date.now() < deadline && pid !== undefined && daemon.exitCode === null) {
    if (await answers()) return { host: `unix://${dockerSocket}`, pid };
    await pause(50);
  }
  return { error: "dockerd did not answer" };
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath: dockerSocket, path: "/_ping" }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on("error", () => resolve(false));
    ping.end();
  });
}

function end(): Promise<void> {
  ending ??= stopEverything();
  return ending;
}

async function stopEverything(): Promise<void> {
  server.close();
  if (daemon.exitCode === null && daemon.signalCode === null) {
    const gone = once(daemon, "exit");
    await endContainers(traces);
    daemon.kill("SIGTERM");
    await Promise.race([gone, pause(STOP_MS)]);
  }
  await removeLeftovers(traces);
  await rm(runDir, { recursive: true, force: true });
  process.exit(0);
}
