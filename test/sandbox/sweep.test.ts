import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ownOwner } from "../../src/process/process-identity.ts";
import { sweep } from "../../src/sandbox/ownership/sweep.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { kill, startHost } from "./other-host.ts";
import { engine, image, sandboxOn } from "./shared.ts";
import { exists, open, options, refused, repository, SLOW, scratchDir, sh } from "./support.ts";

describe("the sweep", SLOW, () => {
  it("removes what a killed host left, and nothing of live hosts or of others", async () => {
    const live = await sandboxOn(await repository("live"));
    const left = await options(image, await repository("left"));
    const { host, name } = await startHost(engine, left);
    const foreign = await plainContainer({ "someone.else": "1" });
    const halfOurs = await plainContainer({ "codex-chat.plugin": "1" });
    expect(await sweep(engine)).not.toContain(name);
    await kill(host);
    expect(await sweep(engine)).toContain(name);
    expect(await exists(engine, name)).toBe(false);
    for (const id of [live.id, foreign, halfOurs]) expect(await exists(engine, id)).toBe(true);
  });

  it("leaves a container whose creator died while another host still uses it", async () => {
    const how = await options(image, await repository());
    const { host, name } = await startHost(engine, how);
    const joined = await open(engine, how);
    expect(joined.joined).toBe(true);
    await kill(host);
    expect(await sweep(engine)).not.toContain(name);
    expect((await sh(joined, "echo alive")).stdout).toBe("alive\n");
  });

  it("leaves a container whose owner is in another pid namespace, on another machine or another user", async () => {
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

  it("removes the container of a dead creator whose pid was reused by another process", async () => {
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

  it("leaves a container that has all our labels but no record in a state directory", async () => {
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
    expect(await readdir(theirs)).toEqual(["containers"]);
    // The same file, written by this user alone, is believed: what was refused is who wrote it.
    await chmod(join(theirs, "containers"), 0o700);
    if (process.getuid?.() === 0) await chown(join(theirs, "containers"), 0, 0);
    expect(await sweep(engine)).toContain(name);
  });
});

describe("a foreign container with our name", SLOW, () => {
  it("is neither joined nor removed, and the message says what to do", async () => {
    const how = await options(image, await repository());
    const one = await open(engine, how);
    const { Config } = await engine.docker.getContainer(one.id).inspect();
    await one.release();
    const foreign = await plainContainer(Config.Labels, one.name);
    await engine.docker.getContainer(foreign).start();
    const error = refused(await openSandbox(engine, how));
    expect(error.message).toContain("was not made from this state directory");
    expect(error.fix).toContain(`docker rm --force ${one.name}`);
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
