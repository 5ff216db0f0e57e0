/**
 * Holds the private engine for as long as anyone is connected to its socket: starts dockerd, tells
 * each connection the address once it answers, and ends it, with all it mounted, after the last
 * connection has gone. Run by `scripts/setup/engine.ts`, never by hand.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import { type KeeperOptions, RUNTIME_ARGS } from "./setup/engine.ts";

/** How long dockerd may take until it answers, and until it has ended. */
const START_MS = 60_000;
const STOP_MS = 30_000;

const options = JSON.parse(process.argv[2] ?? "") as KeeperOptions;
const { runDir, dataRoot, engineRoot } = options;
const socketPath = join(runDir, "keeper.sock");
const dockerSocket = join(runDir, "docker.sock");
const pidfile = join(runDir, "docker.pid");
const users = new Set<Socket>();

await endLeftover();
await mkdir(runDir, { recursive: true, mode: 0o700 });
await rm(socketPath, { force: true });
const daemon = await startDaemon();
const answer = waitForDaemon();
const server = createServer({ allowHalfOpen: true }, (socket) => {
  users.add(socket);
  socket.on("error", () => {});
  socket.resume();
  // Half-closing is the polite good-bye; it is answered when the last one's daemon has ended.
  socket.on("end", () => void leave(socket));
  socket.on("close", () => void leave(socket));
  void answer.then((text) => socket.writable && socket.write(`${JSON.stringify(text)}\n`));
});
server.listen(socketPath);
await once(server, "listening");
process.stdout.on("error", () => {});
process.stdout.write("listening\n");
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void end());
daemon.on("exit", () => void end());
// Whoever started this keeper may have died before it connected.
setTimeout(() => users.size === 0 && void end(), START_MS).unref();

async function leave(socket: Socket): Promise<void> {
  if (!users.delete(socket)) return;
  if (users.size === 0) await end();
  socket.destroy();
}

async function startDaemon() {
  const config = {
    "data-root": join(dataRoot, "data"),
    "exec-root": join(runDir, "exec"),
    pidfile,
    hosts: [`unix://${dockerSocket}`],
    // A private engine has no business with the machine's network.
    bridge: "none",
    iptables: false,
    ip6tables: false,
    runtimes: {
      runsc: { path: options.runsc, runtimeArgs: RUNTIME_ARGS },
      ...options.extraRuntimes,
    },
  };
  const file = join(runDir, "daemon.json");
  await writeFile(file, JSON.stringify(config));
  const programs = ["usr/sbin", "usr/bin", "sbin", "bin"].map((dir) => join(engineRoot, dir));
  const path = [...programs, process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"].join(":");
  // With setpriv the kernel ends dockerd when this keeper is killed in whatever way.
  return spawn("setpriv", ["--pdeathsig", "TERM", "dockerd", "--config-file", file], {
    env: { ...process.env, PATH: path, LD_LIBRARY_PATH: options.libraryPath },
    stdio: ["ignore", 2, 2],
    detached: true,
  });
}

async function waitForDaemon(): Promise<{ host: string } | { error: string }> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && daemon.exitCode === null) {
    if (await answers()) return { host: `unix://${dockerSocket}` };
    await pause(50);
  }
  return { error: `dockerd did not start; the end of ${join(dataRoot, "engine.log")} says why` };
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

let ending: Promise<void> | undefined;
function end(): Promise<void> {
  ending ??= stopEverything();
  return ending;
}

async function stopEverything(): Promise<void> {
  server.close();
  if (daemon.exitCode === null && daemon.signalCode === null) {
    daemon.kill("SIGTERM");
    await Promise.race([once(daemon, "exit"), pause(STOP_MS)]);
    if (daemon.exitCode === null) daemon.kill("SIGKILL");
  }
  await unmountLeftovers();
  await rm(runDir, { recursive: true, force: true });
  for (const socket of users) socket.destroy();
  setImmediate(() => process.exit(0));
}

/** Ends a daemon whose keeper was killed, so that its data directory can be used again. */
async function endLeftover(): Promise<void> {
  if (!existsSync(pidfile)) return;
  const pid = Number(await readFile(pidfile, "utf8"));
  for (let waited = 0; waited < STOP_MS && (await isOurDaemon(pid)); waited += 100) {
    if (waited === 0) process.kill(pid, "SIGTERM");
    await pause(100);
  }
  await unmountLeftovers();
  await rm(join(runDir, "exec"), { recursive: true, force: true });
  await rm(pidfile, { force: true });
}

/** The pid may have been given to another program meanwhile; ours has our configuration file. */
async function isOurDaemon(pid: number): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).includes(join(runDir, "daemon.json"));
  } catch {
    return false;
  }
}

async function unmountLeftovers(): Promise<void> {
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
    .filter((path) => path.startsWith(`${runDir}/`) || path.startsWith(`${dataRoot}/`))
    .reverse();
  for (const path of mounts) await execa("umount", ["-l", path], { reject: false });
}
