import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { describe, expect, it, onTestFinished } from "vitest";
import { DIRECTFS_RUNTIME, useDirectfsEngine } from "../../scripts/setup/engine/index.ts";
import { LABELS } from "../../src/sandbox/container/labels.ts";
import { type Engine, findEngine } from "../../src/sandbox/engine/engine.ts";
import { checkRuntime } from "../../src/sandbox/engine/runtime.ts";
import { selfTest } from "../../src/sandbox/self-test/self-test.ts";
import { itWithDirectfs } from "../support/root.ts";
import { engine, image } from "./shared.ts";
import { must, refused, SLOW, scratchDir, USER } from "./support.ts";

async function test(
  on: Engine,
  runtime: string,
  more: { acceptWeaker?: boolean; cacheDir?: string; fresh?: boolean } = {},
) {
  return selfTest(on, {
    runtime: must(await checkRuntime(on, { runtime })),
    image,
    cacheDir: await ownCache(),
    ...USER,
    ...more,
  });
}

/** The same engine, with everything taken off its containers that protects the machine. */
function unprotected(on: Engine): Engine {
  const createContainer = (options: Docker.ContainerCreateOptions) =>
    on.docker.createContainer({
      ...options,
      HostConfig: {
        ...options.HostConfig,
        NetworkMode: "host",
        // A block device of no use, since not every machine has a disk here.
        Devices: [
          { PathOnHost: "/dev/loop0", PathInContainer: "/dev/loop0", CgroupPermissions: "r" },
        ],
        CapDrop: [],
        SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
        ReadonlyRootfs: false,
        Memory: 0,
        MemorySwap: 0,
        PidsLimit: 0,
        Tmpfs: {},
        Mounts: [
          ...(options.HostConfig?.Mounts ?? []).filter((mount) => mount.ReadOnly !== true),
          { Type: "bind", Source: on.socketPath, Target: on.socketPath },
        ],
      },
    });
  const docker = new Proxy(on.docker, {
    get: (target, name) =>
      name === "createContainer" ? createContainer : Reflect.get(target, name, target),
  });
  return { ...on, docker };
}

/** A directory that this process makes, as the host does; scratch directories are the sandbox's. */
async function ownCache(): Promise<string> {
  return join(await scratchDir(), "cache");
}

async function reports(cacheDir: string): Promise<string[]> {
  // Nor is any of its containers on record any more.
  expect(await readdir(join(cacheDir, "containers"))).toEqual([]);
  return (await readdir(cacheDir)).filter((name) => name !== "containers");
}

describe("selfTest", SLOW, () => {
  it("passes gVisor after every attack was tried and failed", async () => {
    const report = must(await test(engine, "runsc"));
    expect(report).toMatchObject({ gvisor: true, runtime: "runsc", cached: false });
    expect(report.checks.filter((check) => check.verdict !== "held")).toEqual([]);
    expect(report.checks.map((check) => check.name)).toEqual([
      "direct",
      "rename",
      "rename-file",
      "rename-over",
      "exchange",
      "link",
      "remove",
      "remount",
      "remount-bind",
      "unmount",
      "unmount-lazy",
      "unmount-tree",
      "bind",
      "rbind",
      "bind-guarded",
      "move",
      "root-bind",
      "chroot",
      "proc-root",
      "nested",
      "mknod",
      "tree",
      "kernel",
      "devices",
      "capabilities",
      "privileges",
      "setuid",
      "root",
      "network",
      "route",
      "route6",
      "metadata",
      "loopback",
      "unix",
      "engine",
      "ownership",
      "tmp",
      "memory",
      "processes",
    ]);
  });

  it("sees every attack succeed in an unprotected container", async () => {
    const error = refused(await test(unprotected(engine), "runc", { acceptWeaker: true }));
    if (error.kind !== "self_test_failed") throw new Error(error.message);
    const held = error.checks
      .filter((check) => check.verdict === "held")
      .map((check) => check.name);
    // Files belong to the user all the same, and only the machine's own root could make a device.
    const others = ["ownership", "mknod"];
    expect(held.filter((name) => !others.includes(name))).toEqual([]);
    expect(error.message).toContain("a read-only mount was not shown to stay read-only");
  });

  it("remembers a pass for the same engine, and leaves no probe behind", async () => {
    const cacheDir = await ownCache();
    expect(must(await test(engine, "runsc", { cacheDir })).cached).toBe(false);
    expect(must(await test(engine, "runsc", { cacheDir })).cached).toBe(true);
    expect(await reports(cacheDir)).toHaveLength(1);
    const other = { ...engine, version: "another" };
    expect(must(await test(other, "runsc", { cacheDir })).cached).toBe(false);
    const probes = await engine.docker.listContainers({
      all: true,
      filters: { label: ["codex-chat.plugin=probe"] },
    });
    // Other test files may be testing the engine at the same time.
    const own = probes.filter((container) =>
      container.Labels[LABELS.owner]?.startsWith(`${process.pid}:`),
    );
    expect(own).toEqual([]);
  });

  it("forgets a pass when a later test fails", async () => {
    const cacheDir = await ownCache();
    must(await test(engine, "runc", { cacheDir, acceptWeaker: true }));
    const again = { cacheDir, acceptWeaker: true, fresh: true };
    refused(await test(unprotected(engine), "runc", again));
    expect(await reports(cacheDir)).toEqual([]);
  });

  it("refuses runc because it is not gVisor, and remembers nothing", async () => {
    const cacheDir = await ownCache();
    const error = refused(await test(engine, "runc", { cacheDir }));
    expect(error).toMatchObject({ kind: "self_test_failed", part: "gvisor" });
    expect(error.message).toContain("does not run on gVisor's kernel");
    expect(error.fix).toContain("Leave sandbox.runtime out");
    expect(await reports(cacheDir)).toEqual([]);
  });

  it("passes runc, reported as weaker, if the user's configuration names it", async () => {
    const report = must(await test(engine, "runc", { acceptWeaker: true }));
    expect(report).toMatchObject({ gvisor: false, runtime: "runc" });
    // Without gVisor, a program that listens in the project can be talked to from inside.
    expect(
      report.checks.flatMap((check) =>
        check.verdict === "weaker" ? [[check.name, check.happened]] : [],
      ),
    ).toEqual([
      ["kernel", expect.stringContaining("does not name gVisor")],
      ["unix", "this machine was reached"],
    ]);
  });

  it("refuses an image that is gone", async () => {
    const missing = { id: `sha256:${"1".repeat(64)}`, tag: "none" };
    const result = await selfTest(engine, {
      runtime: must(await checkRuntime(engine)),
      image: missing,
      cacheDir: await ownCache(),
      ...USER,
    });
    expect(refused(result).kind).toBe("image_missing");
  });

  itWithDirectfs(
    "refuses gVisor with directfs, where a read-only mount can be made writable",
    async () => {
      const other = await useDirectfsEngine(engine.host);
      onTestFinished(other.close);
      const weak = must(await findEngine({ env: {}, host: other.host }));
      const { Id } = await weak.docker.getImage(other.baseImage).inspect();
      const result = await selfTest(weak, {
        runtime: must(await checkRuntime(weak, { runtime: DIRECTFS_RUNTIME })),
        image: { id: Id, tag: other.baseImage },
        cacheDir: await ownCache(),
        ...USER,
        // Not even a user who accepts a weaker runtime gets a broken mount.
        acceptWeaker: true,
      });
      const error = refused(result);
      expect(error).toMatchObject({ kind: "self_test_failed", part: "read_only" });
      expect(error.message).toContain("runtimeArgs: --network=none.");
      expect(error.fix).toContain("--directfs=false");
      expect(error.fix).toContain("release-20250707");
    },
  );
});
