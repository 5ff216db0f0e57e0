import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, realpath } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ownUid } from "../../../src/own-user.ts";
import { findEngine } from "../../../src/sandbox/engine/engine.ts";
import { checkRuntime } from "../../../src/sandbox/engine/runtime.ts";
import { takeLock } from "../../../src/sandbox/locks/machine-lock.ts";
import { failSetup } from "../failure.ts";
import { cacheDir, checkout, lockDir } from "../paths.ts";
import { type EnginePrograms, setUpEnginePrograms } from "./engine-programs.ts";

/** An engine with gVisor that may be used until `close`. */
export type UsedEngine = {
  /** Its address, `unix://…`. */
  readonly host: string;
  /** True if the set-up started it, so that nobody else's containers are on it. */
  readonly isPrivate: boolean;
  /** Releases it and, if nobody else uses it, waits until it has ended. */
  readonly close: () => Promise<void>;
};

/** The checkout's own engine; `pid` is dockerd's. */
export type PrivateEngine = UsedEngine & AsyncDisposable & { readonly pid: number };

/** What the keeper process is started with, as JSON in its one argument. */
export type KeeperOptions = EnginePrograms & {
  /** Names the engine among those of this machine. */
  readonly id: string;
  /** For sockets and the daemon's state; short, because socket paths are limited to 107 bytes. */
  readonly runDir: string;
  readonly dataRoot: string;
  /** Further runtimes by name, for tests of weaker ones. */
  readonly extraRuntimes?: ExtraRuntimes;
};

/** Runtimes in the form of dockerd's configuration; without a path they are runsc. */
export type ExtraRuntimes = Readonly<
  Record<string, { readonly path?: string; readonly runtimeArgs: readonly string[] }>
>;

/** What the keeper sends to each connection: the daemon's address and pid, or why there is none. */
export type KeeperAnswer =
  | { readonly host: string; readonly pid: number }
  | { readonly error: string };

/** Defects of runsc require both; see docs/decisions/0002-self-test-before-trust.md. */
export const RUNTIME_ARGS = ["--network=none", "--directfs=false"] as const;

/**
 * Returns an engine with gVisor, to be used until `close`: the machine's own if it has a good one,
 * else the checkout's private one, which is started unless it runs already.
 */
export async function useEngine(): Promise<UsedEngine> {
  return (await findGoodEngine()) ?? (await usePrivateEngine());
}

/**
 * Finds a running engine that knows gVisor, first the one that CODEX_CHAT_ENGINE names; the self-test
 * judges it later.
 */
export async function findGoodEngine(): Promise<UsedEngine | undefined> {
  const host = process.env["CODEX_CHAT_ENGINE"];
  const found = await findEngine({ env: process.env, ...(host ? { host } : {}) });
  if (!found.ok) return undefined;
  const runtime = await checkRuntime(found.value);
  if (!runtime.ok) return undefined;
  return { host: found.value.host, isPrivate: false, close: async () => {} };
}

/**
 * Starts the checkout's private engine, or joins it if another run of this checkout has started it.
 * Another `name` is another engine, with a data directory of its own.
 *
 * A small keeper process holds the daemon and counts connections to its socket; a connection is
 * the lease. So the daemon ends with the last run, even when that was killed with -9.
 */
export async function usePrivateEngine({
  name = "engine",
  extraRuntimes,
}: {
  readonly name?: string;
  readonly extraRuntimes?: ExtraRuntimes;
} = {}): Promise<PrivateEngine> {
  const programs = await setUpEnginePrograms();
  await mkdir(join(cacheDir, name), { recursive: true });
  // Checkouts may share a cache through a link: two daemons on one directory would destroy it.
  const dataRoot = await realpath(join(cacheDir, name));
  const hash = createHash("sha256").update(dataRoot).digest("hex").slice(0, 8);
  const id = `codex-chat-${ownUid()}-${hash}`;
  const runDir = join(tmpdir(), id);
  const socketPath = join(runDir, "keeper.sock");
  const { socket, answer } = (await joinKeeper(socketPath)) ?? (await startAndJoin());
  if ("error" in answer) {
    socket.destroy();
    return failSetup("engine", `${answer.error}\n${await endOfLog(dataRoot)}`);
  }
  const close = async () => {
    if (socket.destroyed) return;
    // A keeper that ends meanwhile resets the connection, and `once` would reject with that.
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.end("bye\n");
    await closed;
  };
  return { ...answer, isPrivate: true, close, [Symbol.asyncDispose]: close };

  async function startAndJoin() {
    using _lock = await takeLock({ dir: lockDir, name: `engine ${runDir}` });
    const other = await joinKeeper(socketPath);
    if (other !== undefined) return other;
    const extra = extraRuntimes === undefined ? {} : { extraRuntimes };
    await startKeeper({ id, runDir, dataRoot, ...programs, ...extra });
    const own = await joinKeeper(socketPath);
    return own ?? failSetup("engine", `dockerd ended at once:\n${await endOfLog(dataRoot)}`);
  }
}

/** Connects to a keeper and waits for its daemon; undefined if no keeper listens. */
async function joinKeeper(
  path: string,
): Promise<{ readonly socket: Socket; readonly answer: KeeperAnswer } | undefined> {
  if (!existsSync(path)) return undefined;
  const socket = connect(path);
  socket.on("error", () => {});
  try {
    await once(socket, "connect");
  } catch {
    return undefined;
  }
  const lines = createInterface({ input: socket });
  // It emits the socket's errors, even when a keeper is killed long after its answer.
  lines.on("error", () => {});
  for await (const line of lines) {
    // readline stops reading the socket after the first line; the open socket is the lease.
    socket.resume();
    return { socket, answer: JSON.parse(line) as KeeperAnswer };
  }
  return undefined;
}

async function startKeeper(options: KeeperOptions): Promise<void> {
  const log = await open(logPath(options.dataRoot), "w", 0o600);
  const program = join(checkout, "dist", "scripts", "engine-keeper.mjs");
  const keeper = spawn(process.execPath, [program, JSON.stringify(options)], {
    detached: true,
    stdio: ["ignore", "pipe", log.fd],
  });
  await log.close();
  const listening = once(keeper.stdout as NodeJS.ReadableStream, "data");
  const ended = once(keeper, "exit").then(async () =>
    failSetup("engine", `The engine's keeper ended:\n${await endOfLog(options.dataRoot)}`),
  );
  await Promise.race([listening, ended]);
  ended.catch(() => {});
  keeper.stdout?.destroy();
  keeper.unref();
}

function logPath(dataRoot: string): string {
  return join(dataRoot, "engine.log");
}

async function endOfLog(dataRoot: string): Promise<string> {
  return (await readFile(logPath(dataRoot), "utf8")).slice(-2_000);
}
