import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Engine,
  findEngine,
  openSandbox,
  ownOwner,
  type Sandbox,
  type SandboxOptions,
  sweep,
} from "../../src/sandbox/index.ts";
import {
  exists,
  must,
  open,
  options,
  otherHost,
  own,
  refused,
  repository,
  SLOW,
  scratchDir,
  sh,
  testEngine,
  testImage,
} from "./support.ts";

const engine = await testEngine();
const image = await testImage(engine);

/** What a relay does to the keeper: connects to its socket and stays until its stdin ends. */
const CONNECT = `require("net").connect(process.env.CODEX_CHAT_KEEPER, () => console.log("up"));
  process.stdin.resume().on("end", () => process.exit())`;

async function connectKeeper(sandbox: Sandbox) {
  const relay = must(await sandbox.exec({ argv: ["node", "-e", CONNECT] }));
  relay.stderr.resume();
  await once(relay.stdout, "data");
  return relay;
}

/** Starts the fixture, a host process of its own, on the given project. */
async function startHost(how: SandboxOptions): Promise<{ host: ChildProcess; name: string }> {
  const outdir = await mkdtemp(fileURLToPath(new URL("../../.cache/test-host-", import.meta.url)));
  onTestFinished(() => rm(outdir, { recursive: true, force: true }));
  const outfile = join(outdir, "host.mjs");
  const entry = fileURLToPath(new URL("fixtures/host.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  const { owner: _owner, signal: _signal, ...rest } = how;
  const host = spawn(process.execPath, [outfile, JSON.stringify({ ...rest, host: engine.host })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void host.kill("SIGKILL"));
  const [name] = await Promise.race([
    once(host.stdout as NodeJS.ReadableStream, "data"),
    once(host, "exit").then(() => Promise.reject(new Error("the host ended"))),
  ]);
  return { host, name: String(name).trim() };
}

async function kill(host: ChildProcess): Promise<void> {
  host.kill("SIGKILL");
  await once(host, "exit");
}

describe("the project's container", SLOW, () => {
  it("is shared by two hosts and goes with the last one", async () => {
    const root = await repository();
    const how = await options(image, root);
    const second = await otherHost();
    const one = await open(engine, how);
    const two = await open(engine, { ...how, owner: second.owner });
    expect([one.joined, two.joined]).toEqual([false, true]);
    expect(two.id).toBe(one.id);
    await sh(one, "echo shared > /tmp/x");
    expect((await sh(two, "cat /tmp/x")).stdout).toBe("shared\n");
    await one.release();
    expect(await one.died).toEqual({ reason: "released" });
    expect((await sh(two, "cat /tmp/x")).stdout).toBe("shared\n");
    await two.release();
    await two.release();
    expect(await exists(engine, two.id)).toBe(false);
    expect(await readdir(join(how.stateDir, "leases"))).toEqual([]);
  });

  it("is one even when two hosts open it at the same time", async () => {
    const how = await options(image, await repository());
    const second = await otherHost();
    const [one, two] = await Promise.all([
      open(engine, how),
      open(engine, { ...how, owner: second.owner }),
    ]);
    expect(two.id).toBe(one.id);
    expect([one.joined, two.joined].sort()).toEqual([false, true]);
  });

  it("goes with the last host that lives, whoever was killed before", async () => {
    const how = await options(image, await repository());
    const second = await otherHost();
    const one = await open(engine, how);
    await open(engine, { ...how, owner: second.owner });
    await second.die();
    await one.release();
    expect(await exists(engine, one.id)).toBe(false);
  });

  it("is refused with other settings while another host uses it, and replaced when none does", async () => {
    const how = await options(image, await repository());
    const second = await otherHost();
    const one = await open(engine, { ...how, owner: second.owner });
    const different = { ...how, env: { TZ: "Asia/Tokyo" } };
    const error = refused(await openSandbox(engine, different));
    expect(error.kind).toBe("sandbox_in_use");
    expect(error.message).toContain("Another Neovim uses the sandbox");
    expect((await sh(one, "echo alive")).stdout).toBe("alive\n");
    await second.die();
    const two = await open(engine, different);
    expect(two.joined).toBe(false);
    expect((await sh(two, "echo $TZ")).stdout).toBe("Asia/Tokyo\n");
    expect(await one.died).toMatchObject({ reason: "exited" });
  });

  it("is joined with a note when a protected file has appeared since", async () => {
    const root = await repository();
    const how = await options(image, root);
    const second = await otherHost();
    await open(engine, how);
    await mkdir(join(root, ".vscode"));
    await own(join(root, ".vscode"));
    const two = await open(engine, { ...how, owner: second.owner });
    expect(two.joined).toBe(true);
    expect(two.notes.join()).toContain(".vscode appeared after the sandbox was started");
  });

  it("is joined again after its host was killed, while the keeper still waits", async () => {
    const how = await options(image, await repository());
    const { host, name } = await startHost(how);
    await kill(host);
    const again = await open(engine, how);
    expect(again).toMatchObject({ joined: true, name });
  });

  it("is started anew when the one it was going to join is just ending", async () => {
    const how = await options(image, await repository());
    const one = await open(engine, how);
    const second = await otherHost();
    await engine.docker.getContainer(one.id).kill();
    const two = await open(engine, { ...how, owner: second.owner });
    expect(two.joined).toBe(false);
    expect((await sh(two, "echo works")).stdout).toBe("works\n");
  });

  it("has its keeper listening when it is given out", async () => {
    const sandbox = await open(engine, await options(image, await repository()));
    expect((await sh(sandbox, "test -S $CODEX_CHAT_KEEPER")).exitCode).toBe(0);
  });

  it("is removed and leaves no lease when opening is aborted", async () => {
    const how = await options(image, await repository());
    const stop = new AbortController();
    const opening = openSandbox(engine, { ...how, signal: stop.signal });
    await expect
      .poll(async () => readdir(join(how.stateDir, "leases")).catch(() => []), { interval: 5 })
      .toHaveLength(1);
    stop.abort(new Error("changed my mind"));
    await expect(opening).rejects.toThrow("changed my mind");
    expect(await readdir(join(how.stateDir, "leases"))).toEqual([]);
    const left = await engine.docker.listContainers({
      all: true,
      filters: { label: [`codex-chat.root=${how.root}`] },
    });
    expect(left).toEqual([]);
  });
});

describe("the keeper", SLOW, () => {
  const keeper = { firstMs: 60_000, idleMs: 200 };

  it("ends the container some time after the last relay has gone, not before", async () => {
    const sandbox = await open(engine, await options(image, await repository(), { keeper }));
    const [one, two] = [await connectKeeper(sandbox), await connectKeeper(sandbox)];
    one.stdin.end();
    await one.exited;
    expect((await sh(sandbox, "sleep 1; echo alive")).stdout).toBe("alive\n");
    two.stdin.end();
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 0 });
  });

  it("ends the container after every process of its host was killed", async () => {
    const how = await options(image, await repository(), { keeper });
    const { host, name } = await startHost(how);
    expect(await exists(engine, name)).toBe(true);
    await kill(host);
    await expect.poll(() => exists(engine, name), { timeout: 30_000 }).toBe(false);
  });

  it("ends the container when no relay ever comes", async () => {
    const never = { firstMs: 300, idleMs: 60_000 };
    const sandbox = await open(engine, await options(image, await repository(), { keeper: never }));
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 0 });
  });
});

describe("died", SLOW, () => {
  it("tells that the container was killed", async () => {
    const sandbox = await open(engine, await options(image, await repository()));
    await engine.docker.getContainer(sandbox.id).kill();
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 137 });
  });

  it("tells that the connection to the engine was lost, and ends what runs", async () => {
    const proxy = await engineProxy();
    const sandbox = await open(proxy.engine, await options(image, await repository()));
    onTestFinished(() => engine.docker.getContainer(sandbox.id).remove({ force: true }));
    const process = must(await sandbox.exec({ argv: ["sleep", "600"] }));
    process.stdout.resume();
    process.stderr.resume();
    proxy.cut();
    expect(await sandbox.died).toEqual({ reason: "engine_lost" });
    expect(await process.exited).toEqual({ exitCode: null });
    proxy.mend();
  });
});

describe("sweep", SLOW, () => {
  it("removes what a killed host left, and nothing of live hosts or of others", async () => {
    const live = await open(engine, await options(image, await repository("live")));
    const left = await options(image, await repository("left"));
    const { host, name } = await startHost(left);
    const foreign = await plainContainer({ "someone.else": "1" });
    const halfOurs = await plainContainer({ "codex-chat.plugin": "1" });
    expect(await sweep(engine)).not.toContain(name);
    await kill(host);
    expect(await sweep(engine)).toContain(name);
    expect(await exists(engine, name)).toBe(false);
    for (const id of [live.id, foreign, halfOurs]) expect(await exists(engine, id)).toBe(true);
  });

  it("leaves a container whose maker died while another host still uses it", async () => {
    const how = await options(image, await repository());
    const { host, name } = await startHost(how);
    const joined = await open(engine, how);
    expect(joined.joined).toBe(true);
    await kill(host);
    expect(await sweep(engine)).not.toContain(name);
    expect((await sh(joined, "echo alive")).stdout).toBe("alive\n");
  });

  it("leaves a container whose owner is of another pid namespace, machine or user", async () => {
    const { labels, record } = await deadMaker();
    const [boot, namespace, machine] = (await ownOwner()).scope.split("/");
    const kept = [
      { ...labels, "codex-chat.scope": `${boot}/pid:[1]/${machine}` },
      { ...labels, "codex-chat.scope": `another-boot/${namespace}/another-machine` },
      { ...labels, "codex-chat.uid": "12345" },
      { ...labels, "codex-chat.owner": "garbage" },
    ];
    for (const forged of kept) {
      const id = await record(forged);
      await sweep(engine);
      expect(await exists(engine, id)).toBe(true);
    }
    const goes = await record({ ...labels, "codex-chat.scope": `earlier/${namespace}/${machine}` });
    await sweep(engine);
    expect(await exists(engine, goes)).toBe(false);
  });

  it("removes what a dead maker has left whose pid was given to another process", async () => {
    const { labels, record } = await deadMaker();
    const own = await ownOwner();
    const alive = await record({ ...labels, "codex-chat.owner": `${own.pid}:${own.startTime}` });
    await sweep(engine);
    expect(await exists(engine, alive)).toBe(true);
    const reused = await record({ ...labels, "codex-chat.owner": `${own.pid}:1` });
    await sweep(engine);
    expect(await exists(engine, reused)).toBe(false);
    const probe = await record({ ...labels, "codex-chat.plugin": "probe" });
    await sweep(engine);
    expect(await exists(engine, probe)).toBe(false);
  });

  it("leaves a container with all of our labels that no state directory has had made", async () => {
    const { labels, record, stateDir, token } = await deadMaker();
    // Of somebody else: labels, token and all are copied, and our record is of another container.
    const ours = await record(labels);
    const copied = await plainContainer(labels);
    // Its state directory is another user's, who says that it was made there.
    const theirs = await scratchDir("theirs");
    await mkdir(join(theirs, "containers"), { mode: 0o777 });
    await chmod(join(theirs, "containers"), 0o777);
    const name = `codex-chat-forged-${process.pid}`;
    const forged = await plainContainer({ ...labels, "codex-chat.state": theirs }, name);
    const file = join(theirs, "containers", `${name}.${engine.id}.json`);
    await writeFile(file, JSON.stringify({ token, id: forged }));
    expect(await sweep(engine)).toContain(nameOf(stateDir));
    expect(await exists(engine, ours)).toBe(false);
    for (const id of [copied, forged]) expect(await exists(engine, id)).toBe(true);
    // The same file, written by this user alone, is believed: what was refused is who wrote it.
    await chmod(join(theirs, "containers"), 0o700);
    if (process.getuid?.() === 0) await chown(join(theirs, "containers"), 0, 0);
    expect(await sweep(engine)).toContain(name);
  });
});

describe("a container of our name that is not ours", SLOW, () => {
  it("is neither joined nor removed, and the message says what to do", async () => {
    const how = await options(image, await repository());
    const one = await open(engine, how);
    const { Config } = await engine.docker.getContainer(one.id).inspect();
    await one.release();
    const foreign = await plainContainer(Config.Labels, one.name);
    await engine.docker.getContainer(foreign).start();
    const error = refused(await openSandbox(engine, how));
    expect(error.message).toContain("was not made from this state directory");
    expect(error.mend).toContain(`docker rm --force ${one.name}`);
    expect(await exists(engine, foreign)).toBe(true);
    expect(await readdir(join(how.stateDir, "leases"))).toEqual([]);
    await engine.docker.getContainer(foreign).remove({ force: true });
    expect((await open(engine, how)).joined).toBe(false);
  });
});

/** A maker that has died, and a state directory that has a record of each container it is told of. */
async function deadMaker() {
  const stateDir = await scratchDir("state");
  if (process.getuid?.() === 0) await chown(stateDir, 0, 0);
  const token = randomUUID();
  const labels = {
    "codex-chat.plugin": "1",
    "codex-chat.project": "0123456789ab",
    "codex-chat.state": stateDir,
    "codex-chat.uid": String(process.getuid?.()),
    "codex-chat.scope": (await ownOwner()).scope,
    "codex-chat.owner": "999999999:1",
    "codex-chat.token": token,
  };
  await mkdir(join(stateDir, "containers"), { mode: 0o700 });
  let previous: string | undefined;
  /** Makes a container with these labels that is on record. */
  const record = async (with_: Record<string, string>) => {
    if (previous !== undefined && (await exists(engine, previous)))
      await engine.docker.getContainer(previous).remove({ force: true });
    previous = await plainContainer(with_, nameOf(stateDir));
    const file = join(stateDir, "containers", `${nameOf(stateDir)}.${engine.id}.json`);
    await writeFile(file, JSON.stringify({ token, id: previous }), { mode: 0o600 });
    return previous;
  };
  return { stateDir, token, labels, record };
}

function nameOf(stateDir: string): string {
  return `codex-chat-${basename(dirname(stateDir))}`;
}

/** A container that this plugin did not make; created only, which the sweep sees as well. */
async function plainContainer(labels: Record<string, string>, name?: string): Promise<string> {
  const { id } = await engine.docker.createContainer({
    Image: image.id,
    Labels: labels,
    Entrypoint: ["sleep", "600"],
    HostConfig: { Runtime: "runc", NetworkMode: "none" },
    ...(name === undefined ? {} : { name }),
  });
  onTestFinished(async () => {
    if (await exists(engine, id)) await engine.docker.getContainer(id).remove({ force: true });
  });
  return id;
}

/** The same engine behind a socket whose connections can be cut, as when an engine is killed. */
async function engineProxy(): Promise<{ engine: Engine; cut: () => void; mend: () => void }> {
  const path = join(await scratchDir("proxy"), "engine.sock");
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    if (isCut) return void near.destroy();
    const far = connect({ path: engine.socketPath, allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
      socket.pipe(other);
    }
  });
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const mend = () => {
    isCut = false;
  };
  return { engine: must(await findEngine({ env: {}, host: path })), cut, mend };
}
