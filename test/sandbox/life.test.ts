import { once } from "node:events";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Engine, findEngine } from "../../src/sandbox/engine/engine.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { kill, startHost } from "./other-host.ts";
import { engine, image, sandboxOn } from "./shared.ts";
import {
  connectKeeper,
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
} from "./support.ts";

describe("the project's container", SLOW, () => {
  it("is shared by two hosts and ends with the last one", async () => {
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

  it("is a single one even if two hosts open it at the same time", async () => {
    const how = await options(image, await repository());
    const second = await otherHost();
    const [one, two] = await Promise.all([
      open(engine, how),
      open(engine, { ...how, owner: second.owner }),
    ]);
    expect(two.id).toBe(one.id);
    expect([one.joined, two.joined].sort()).toEqual([false, true]);
  });

  it("ends with the last live host, whichever was killed before", async () => {
    const how = await options(image, await repository());
    const second = await otherHost();
    const one = await open(engine, how);
    await open(engine, { ...how, owner: second.owner });
    await second.die();
    await one.release();
    expect(await exists(engine, one.id)).toBe(false);
  });

  it("is refused with other settings while another host uses it, and replaced once none does", async () => {
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

  it("is joined with a note if a protected file has appeared since", async () => {
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

  it("is joined again after its host was killed, while the keeper is still waiting", async () => {
    const how = await options(image, await repository());
    const { host, name } = await startHost(engine, how);
    // Without this lease, the sweep of a test that runs at the same time may remove it.
    const { owner } = await otherHost();
    await open(engine, { ...how, owner });
    await kill(host);
    const again = await open(engine, how);
    expect(again).toMatchObject({ joined: true, name });
  });

  it("is not joined if another directory has taken the project's place since", async () => {
    const root = await scratchDir("project");
    const how = await options(image, root);
    const { host } = await startHost(engine, how);
    await kill(host);
    await rename(root, `${root}-old`);
    await mkdir(root);
    await writeFile(join(root, "new.txt"), "");
    await own(root, join(root, "new.txt"));
    const again = await open(engine, how);
    expect(again.joined).toBe(false);
    expect((await sh(again, "ls")).stdout).toBe("new.txt\n");
  });

  it("is started again if the one to join is just ending", async () => {
    const how = await options(image, await repository());
    const one = await open(engine, how);
    const second = await otherHost();
    await engine.docker.getContainer(one.id).kill();
    const two = await open(engine, { ...how, owner: second.owner });
    expect(two.joined).toBe(false);
    expect((await sh(two, "echo works")).stdout).toBe("works\n");
  });

  it("already has the keeper's FIFO when it is returned", async () => {
    const sandbox = await sandboxOn(await repository());
    expect((await sh(sandbox, "test -p $CODEX_CHAT_KEEPER")).exitCode).toBe(0);
  });

  it("is removed and leaves no lease behind when opening is aborted", async () => {
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

  it("ends the container some time after the last relay has disconnected, not before", async () => {
    const sandbox = await sandboxOn(await repository(), { keeper });
    const [one, two] = [await connectKeeper(sandbox), await connectKeeper(sandbox)];
    one.stdin.end();
    await one.exited;
    expect((await sh(sandbox, "sleep 1; echo alive")).stdout).toBe("alive\n");
    two.stdin.end();
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 0 });
  });

  it("ends the container after every process of its host was killed", async () => {
    const how = await options(image, await repository(), { keeper });
    const { host, name } = await startHost(engine, how);
    expect(await exists(engine, name)).toBe(true);
    await kill(host);
    await expect.poll(() => exists(engine, name), { timeout: 30_000 }).toBe(false);
  });

  it("ends the container if no relay ever connects", async () => {
    const never = { firstMs: 300, idleMs: 60_000 };
    const sandbox = await sandboxOn(await repository(), { keeper: never });
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 0 });
  });
});

describe("sandbox.died", SLOW, () => {
  it("reports that the container was killed", async () => {
    const sandbox = await sandboxOn(await repository());
    await engine.docker.getContainer(sandbox.id).kill();
    expect(await sandbox.died).toEqual({ reason: "exited", exitCode: 137 });
  });

  it("reports that the connection to the engine was lost, and ends running processes", async () => {
    const proxy = await engineProxy();
    const sandbox = await open(proxy.engine, await options(image, await repository()));
    onTestFinished(() => engine.docker.getContainer(sandbox.id).remove({ force: true }));
    const process = must(await sandbox.exec({ argv: ["sleep", "600"] }));
    process.stdout.resume();
    process.stderr.resume();
    proxy.cut();
    expect(await sandbox.died).toEqual({ reason: "engine_lost" });
    expect(await process.exited).toEqual({ exitCode: null });
    proxy.fix();
  });
});

/** The same engine behind a socket whose connections can be cut, as when an engine is killed. */
async function engineProxy(): Promise<{ engine: Engine; cut: () => void; fix: () => void }> {
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
  const fix = () => {
    isCut = false;
  };
  return { engine: must(await findEngine({ env: {}, host: path })), cut, fix };
}
