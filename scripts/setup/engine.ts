import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findEngine } from "../../src/sandbox/index.ts";
import { takeLock } from "../../src/sandbox/lock.ts";
import { debianRelease, unpackDebian } from "./debs.ts";
import { cacheDir, checkout } from "./paths.ts";

/** An engine with gVisor that may be used until `close`. */
export type UsedEngine = {
  /** Its address, `unix://…`. */
  readonly host: string;
  /** True where the set-up made it, so that nobody else's containers are on it. */
  readonly isPrivate: boolean;
  readonly close: () => Promise<void>;
};

/** What the keeper process is started with, as JSON in its one argument. */
export type KeeperOptions = {
  /** For sockets and the daemon's state; short, because socket paths are limited to 107 bytes. */
  readonly runDir: string;
  readonly dataRoot: string;
  /** Root of the unpacked packages of the engine. */
  readonly engineRoot: string;
  readonly runsc: string;
  readonly libraryPath: string;
  /** Arguments of further runtimes by name, for tests of what a weaker one gives away. */
  readonly extraRuntimes?: Readonly<
    Record<string, { path: string; runtimeArgs: readonly string[] }>
  >;
};

/** runsc's own defects ask for both; see docs/decisions/0002-self-test-before-trust.md. */
export const RUNTIME_ARGS = ["--network=none", "--directfs=false"] as const;

/** Finds an engine that already runs here and knows gVisor; the self-test judges it later. */
export async function findGoodEngine(): Promise<UsedEngine | undefined> {
  const found = await findEngine({ env: process.env });
  if (!found.ok || !("runsc" in found.value.runtimes)) return undefined;
  return { host: found.value.host, isPrivate: false, close: async () => {} };
}

/** Where the engine's programs lie after they were fetched. */
export type EnginePrograms = Pick<KeeperOptions, "engineRoot" | "runsc" | "libraryPath">;

/** Fetches the engine and gVisor into the cache. Debian only. */
export async function setUpEnginePrograms(): Promise<EnginePrograms> {
  const release = await debianRelease();
  if (release === undefined) throw new Error("this is not Debian");
  // The engine's libraries must fit the machine's libc, so they are those of its own suite.
  const engineRoot = await unpackDebian({
    name: `engine-${release.codename}`,
    suite: release.codename,
    packages: ["docker.io"],
    without: ["libc6", "libc-bin", "perl-base", "dpkg", "debconf"],
  });
  // trixie's runsc is a static program of 20240729: bookworm's 20221219 hangs, sid's panics.
  const gvisor = await unpackDebian({ name: "gvisor", suite: "trixie", packages: ["runsc"] });
  const multiarch = arch() === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return {
    engineRoot,
    runsc: join(gvisor, "usr", "bin", "runsc"),
    libraryPath: [`usr/lib/${multiarch}`, `lib/${multiarch}`, "usr/lib"]
      .map((dir) => join(engineRoot, dir))
      .join(":"),
  };
}

/**
 * Starts the checkout's private engine, or joins it where another run of this checkout has it.
 *
 * A small keeper process holds the daemon and counts connections to its socket; a connection is
 * the lease. So the daemon ends with the last run, even when that was killed with -9.
 */
export async function usePrivateEngine(
  options: { readonly name?: string; readonly extraRuntimes?: KeeperOptions["extraRuntimes"] } = {},
): Promise<UsedEngine> {
  const programs = await setUpEnginePrograms();
  const name = options.name ?? "engine";
  const dataRoot = join(cacheDir, name);
  await mkdir(dataRoot, { recursive: true });
  const hash = createHash("sha256").update(dataRoot).digest("hex").slice(0, 8);
  const runDir = join(tmpdir(), `codex-chat-${process.getuid?.() ?? 0}-${hash}`);
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  const socketPath = join(runDir, "keeper.sock");
  const joined = (await joinKeeper(socketPath)) ?? (await startAndJoin());
  if ("error" in joined.answer) {
    joined.socket.destroy();
    throw new Error(joined.answer.error);
  }
  const { socket, answer } = joined;
  return {
    host: answer.host,
    isPrivate: true,
    close: async () => {
      if (socket.destroyed) return;
      const closed = once(socket, "close");
      socket.end("bye\n");
      await closed;
    },
  };

  async function startAndJoin() {
    using _lock = await takeLock(`engine ${runDir}`);
    const other = await joinKeeper(socketPath);
    if (other !== undefined) return other;
    await startKeeper({
      runDir,
      dataRoot,
      ...programs,
      ...(options.extraRuntimes === undefined ? {} : { extraRuntimes: options.extraRuntimes }),
    });
    const own = await joinKeeper(socketPath);
    if (own === undefined) throw new Error(`the engine's keeper ended; see ${keeperLog(dataRoot)}`);
    return own;
  }
}

type Answer = { readonly host: string } | { readonly error: string };

/** Connects to a keeper and waits for its daemon; undefined where no keeper listens. */
async function joinKeeper(
  path: string,
): Promise<{ readonly socket: Socket; readonly answer: Answer } | undefined> {
  if (!existsSync(path)) return undefined;
  const socket = connect(path);
  socket.on("error", () => {});
  try {
    await once(socket, "connect");
  } catch {
    return undefined;
  }
  for await (const line of createInterface({ input: socket })) {
    // The interface lets go of the socket after its first line; open, it is the lease.
    socket.resume();
    return { socket, answer: JSON.parse(line) as Answer };
  }
  return undefined;
}

function keeperLog(dataRoot: string): string {
  return join(dataRoot, "engine.log");
}

async function startKeeper(options: KeeperOptions): Promise<void> {
  const log = await open(keeperLog(options.dataRoot), "a", 0o600);
  const program = join(checkout, "dist", "scripts", "engine-keeper.mjs");
  const keeper = spawn(process.execPath, [program, JSON.stringify(options)], {
    detached: true,
    stdio: ["ignore", "pipe", log.fd],
  });
  await log.close();
  const listening = once(keeper.stdout as NodeJS.ReadableStream, "data");
  const ended = once(keeper, "exit").then(async () => {
    const said = await readFile(keeperLog(options.dataRoot), "utf8");
    throw new Error(`the engine's keeper did not start: ${said.slice(-2000)}`);
  });
  await Promise.race([listening, ended]);
  ended.catch(() => {});
  keeper.stdout?.destroy();
  keeper.unref();
}
