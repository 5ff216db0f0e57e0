import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Engine } from "./engine.ts";
import { acceptsWeaker, checkRuntime, parseRelease } from "./runtime.ts";

/** An engine of which only the list of runtimes is asked. */
function engineWith(runtimes: Engine["runtimes"], more: Partial<Engine> = {}): Engine {
  return { product: "Docker", version: "28.0", rootless: false, runtimes, ...more } as Engine;
}

async function runtimeSaying(version: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat-runtime-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "runsc");
  await writeFile(path, `#!/bin/sh\necho "runsc version ${version}"\necho "spec: 1.1.0"\n`);
  await chmod(path, 0o755);
  return path;
}

describe("checkRuntime", () => {
  it("says how to register a runtime that the engine does not know", async () => {
    const result = await checkRuntime(engineWith({ runc: { path: "runc", args: [] } }));
    if (result.ok) throw new Error("accepted");
    expect(result.error.kind).toBe("no_runtime");
    expect(result.error.message).toContain('has no runtime "codex-chat" or "runsc" (it has: runc)');
    expect(result.error.fix).toContain(
      "sudo runsc install --runtime=codex-chat -- --network=none --directfs=false\nsudo systemctl restart docker",
    );
  });

  it("says where a rootless Docker has its configuration", async () => {
    const result = await checkRuntime(engineWith({}, { rootless: true }));
    if (result.ok) throw new Error("accepted");
    expect(result.error.fix).toContain(
      "runsc install --config_file ~/.config/docker/daemon.json --runtime=codex-chat -- ",
    );
    expect(result.error.fix).toContain("systemctl --user restart docker");
  });

  it("accepts only Podman's default runtime, because its socket ignores any other", async () => {
    const runtimes = { runsc: { path: "/no/runsc", args: [] }, crun: { path: "crun", args: [] } };
    const podman = { product: "Podman", defaultRuntime: "crun" };
    const result = await checkRuntime(engineWith(runtimes, podman));
    if (result.ok) throw new Error("accepted");
    expect(result.error.kind).toBe("no_runtime");
    expect(result.error.message).toContain("its default runtime, which is crun");
    expect(result.error.fix).toContain('[engine]\nruntime = "codex-chat"');
    const right = engineWith(runtimes, { ...podman, defaultRuntime: "runsc" });
    expect(await checkRuntime(right)).toMatchObject({ ok: true });
  });

  it("takes the runtime codex-chat where the engine has it, unless the user names another", async () => {
    const runtimes = {
      runsc: { path: "/no/runsc", args: [] },
      "codex-chat": { path: "/no/runsc", args: ["--network=none"] },
    };
    const both = engineWith(runtimes);
    expect(await checkRuntime(both)).toMatchObject({ value: { name: "codex-chat" } });
    const named = await checkRuntime(both, { runtime: "runsc" });
    expect(named).toMatchObject({ value: { name: "runsc" } });
    const podman = { product: "Podman", defaultRuntime: "runsc" };
    expect(await checkRuntime(engineWith(runtimes, podman))).toMatchObject({
      value: { name: "runsc" },
    });
    const own = engineWith(runtimes, { ...podman, defaultRuntime: "codex-chat" });
    expect(await checkRuntime(own)).toMatchObject({ value: { name: "codex-chat" } });
  });

  it("takes a weaker runtime only from a user who names one that is not gVisor's", () => {
    expect([undefined, "codex-chat", "runsc", "runc"].map(acceptsWeaker)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it.each(["release-20221219.0", "0.0~20221219.0-2"])(
    "refuses %s, which hangs",
    async (version) => {
      const path = await runtimeSaying(version);
      const result = await checkRuntime(engineWith({ runsc: { path, args: [] } }));
      if (result.ok) throw new Error("accepted");
      expect(result.error.kind).toBe("runtime_broken");
      expect(result.error.message).toContain("20221219");
      expect(result.error.message).toContain("20260810");
    },
  );

  it("accepts a newer release and one without a version", async () => {
    const path = await runtimeSaying("release-20240729.0");
    const known = await checkRuntime(engineWith({ runsc: { path, args: ["--network=none"] } }));
    expect(known).toMatchObject({ ok: true, value: { name: "runsc", release: 20240729 } });
    const unknown = await checkRuntime(engineWith({ runsc: { path: "/no/runsc", args: [] } }));
    expect(unknown).toMatchObject({ ok: true, value: { release: null } });
  });
});

describe("parseRelease", () => {
  it.each([
    ["runsc version release-20240729.0\nspec: 1.1.0-rc.1", 20240729],
    ["runsc version 0.0~20240729.0-4", 20240729],
    ["runsc version VERSION_MISSING", null],
    ["runc version 1.1.5", null],
  ])("reads %j as %j", (text, release) => {
    expect(parseRelease(text)).toBe(release);
  });
});
