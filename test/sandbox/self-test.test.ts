import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { setUpBaseImage } from "../../scripts/setup/base-image.ts";
import { usePrivateEngine } from "../../scripts/setup/engine.ts";
import { checkRuntime, type Engine, findEngine, selfTest } from "../../src/sandbox/index.ts";
import { must, refused, SLOW, scratchDir, testEngine, testImage, USER } from "./support.ts";

const engine = await testEngine();
const image = await testImage(engine);

async function test(
  on: Engine,
  runtime: string,
  more: { acceptWeaker?: boolean; cacheDir?: string } = {},
) {
  return selfTest(on, {
    runtime: must(await checkRuntime(on, { runtime })),
    image,
    cacheDir: await scratchDir("cache"),
    ...USER,
    ...more,
  });
}

describe("selfTest", SLOW, () => {
  it("passes gVisor after every attack was tried and did no harm", async () => {
    const report = must(await test(engine, "runsc"));
    expect(report).toMatchObject({ gvisor: true, runtime: "runsc", cached: false });
    expect(report.tried.map((it) => it.replace(/:.*/, ""))).toEqual([
      "direct",
      "rename",
      "rename-file",
      "rename-over",
      "remove",
      "link",
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
    ]);
  });

  it("remembers a pass for the same engine, and leaves no probe behind", async () => {
    const cacheDir = await scratchDir("cache");
    expect(must(await test(engine, "runsc", { cacheDir })).cached).toBe(false);
    expect(must(await test(engine, "runsc", { cacheDir })).cached).toBe(true);
    expect(await readdir(cacheDir)).toHaveLength(1);
    const other = { ...engine, version: "another" };
    expect(must(await test(other, "runsc", { cacheDir })).cached).toBe(false);
    const probes = await engine.docker.listContainers({
      all: true,
      filters: { label: ["codex-chat.plugin=probe"] },
    });
    expect(probes).toEqual([]);
  });

  it("refuses runc because it is not gVisor, and remembers nothing", async () => {
    const cacheDir = await scratchDir("cache");
    const error = refused(await test(engine, "runc", { cacheDir }));
    expect(error).toMatchObject({ kind: "self_test_failed", part: "gvisor" });
    expect(error.message).toContain("does not run on gVisor's kernel");
    expect(error.mend).toContain('runtime = "runsc"');
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it("passes runc as no gVisor where the user's configuration names it", async () => {
    const report = must(await test(engine, "runc", { acceptWeaker: true }));
    expect(report).toMatchObject({ gvisor: false, runtime: "runc" });
  });

  it("refuses an image that is gone", async () => {
    const missing = { id: `sha256:${"1".repeat(64)}`, tag: "none" };
    const result = await selfTest(engine, {
      runtime: must(await checkRuntime(engine)),
      image: missing,
      cacheDir: await scratchDir("cache"),
      ...USER,
    });
    expect(refused(result).kind).toBe("image_missing");
  });

  it("refuses gVisor with directfs, where a read-only mount can be made writable", async () => {
    const runsc = engine.runtimes["runsc"]?.path ?? "";
    expect(existsSync(runsc)).toBe(true);
    const directfs = { path: runsc, runtimeArgs: ["--network=none"] };
    const other = await usePrivateEngine({
      name: "engine-directfs",
      extraRuntimes: { "runsc-directfs": directfs },
    });
    onTestFinished(() => other.close());
    const weak = must(await findEngine({ env: {}, host: other.host }));
    const base = await setUpBaseImage(other.host);
    const { Id } = await weak.docker.getImage(base).inspect();
    const result = await selfTest(weak, {
      runtime: must(await checkRuntime(weak, { runtime: "runsc-directfs" })),
      image: { id: Id, tag: base },
      cacheDir: await scratchDir("cache"),
      ...USER,
      // Not even a user who accepts a weaker runtime gets a broken mount.
      acceptWeaker: true,
    });
    const error = refused(result);
    expect(error).toMatchObject({ kind: "self_test_failed", part: "read_only" });
    expect(error.message).toContain("runtimeArgs: --network=none.");
    expect(error.mend).toContain("--directfs=false");
    expect(error.mend).toContain("release-20250707");
  });
});
