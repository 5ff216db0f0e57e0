import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { whatIsMissing } from "./missing.ts";

const ALL = { neovim: "tested", engine: true, linters: true } as const;

describe("a machine that cannot be set up privately", () => {
  it("gets a message with each missing part, the reason, and commands for each", async () => {
    vi.stubEnv("PATH", "");
    vi.stubEnv("CODEX_CHAT_ENGINE", "unix:///nowhere/docker.sock");
    const error = await whatIsMissing(ALL, "this is Fedora, not Debian");
    expect(error?.message).toMatch(
      /Neovim 0\.10\.4.*gVisor.*luacheck.*shellcheck.*Fedora, not Debian/s,
    );
    const commands = error?.fix.join("\n");
    expect(commands).toContain("apt-get install neovim");
    expect(commands).toContain("--directfs=false");
    expect(commands).toContain("apt-get install lua-check");
    expect(commands).toContain("apt-get install shellcheck");
  });

  it("gets no message about parts that are there or not wanted", async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat missing-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    await writeFile(join(dir, "nvim"), "#!/bin/sh\necho NVIM v0.11.2\n");
    await chmod(join(dir, "nvim"), 0o755);
    vi.stubEnv("PATH", `${dir}:/usr/bin:/bin`);
    expect(await whatIsMissing({ neovim: "one" }, "this is Fedora")).toBeUndefined();
  });

  it("is not checked where everything can be fetched", async () => {
    vi.stubEnv("PATH", "");
    expect(await whatIsMissing(ALL, undefined)).toBeUndefined();
  });
});
