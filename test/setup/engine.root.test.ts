import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";
import { expect } from "vitest";
import { engineClient } from "../../src/sandbox/engine/client.ts";
import { ownEngine } from "../support/engine.ts";
import { itAsRoot } from "../support/root.ts";

const dirOf = (host: string) => dirname(host.replace("unix://", ""));

async function run(docker: Docker, image: string, argv: string[]): Promise<string> {
  const output = new PassThrough();
  const all = text(output);
  const [, container] = (await docker.run(image, argv, output, {
    HostConfig: {
      Runtime: "runsc",
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
    },
  })) as [unknown, Docker.Container];
  // Not by the engine: with AutoRemove, it may be gone before its end is asked for.
  await container.remove();
  return await all;
}

async function traces(dir: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  return mounts.filter((line) => line.includes(dir));
}

itAsRoot("runs containers under gVisor, survives being killed and leaves nothing", async () => {
  await using first = await ownEngine({ name: "killed" });
  const dir = dirOf(first.host);
  expect(await run(engineClient(first.host), first.baseImage, ["dmesg"])).toMatch(/gVisor/i);
  await engineClient(first.host)
    .createContainer({ Image: first.baseImage, Cmd: ["sleep", "600"] })
    .then((container) => container.start());

  process.kill(first.pid, "SIGKILL");
  await first.close();
  await expect.poll(() => existsSync(dir), { timeout: 20_000 }).toBe(false);
  expect(await traces(dir)).toEqual([]);

  const second = await ownEngine({ name: "killed" });
  try {
    expect(second.pid).not.toBe(first.pid);
    expect(await run(engineClient(second.host), second.baseImage, ["echo", "again"])).toBe(
      "again\r\n",
    );
  } finally {
    await second.close();
  }
  expect(existsSync(dir)).toBe(false);
  expect(await traces(dir)).toEqual([]);
});

itAsRoot("serves those who use it at once from one daemon, until the last one goes", async () => {
  const [one, two] = await Promise.all([
    ownEngine({ name: "shared" }),
    ownEngine({ name: "shared" }),
  ]);
  expect(one.pid).toBe(two.pid);
  await one.close();
  expect(await engineClient(two.host).ping()).toBeDefined();
  await two.close();
  expect(existsSync(dirOf(two.host))).toBe(false);
});
