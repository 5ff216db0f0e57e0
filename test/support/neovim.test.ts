import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startNeovim } from "./neovim.ts";

function launcher(script: string): string {
  const dir = mkdtempSync(join(tmpdir(), "codex-chat-launcher-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "nvim");
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

it("a Neovim that ends while it starts fails the test at once, with what it said", async () => {
  const path = launcher("#!/bin/sh\necho 'libuv.so is missing' >&2\nexit 127\n");
  await expect(startNeovim({ program: { name: "0.12", path } })).rejects.toThrow(
    /^Neovim 0\.12 at \S+ ended while it started, with exit code 127: libuv\.so is missing\n$/,
  );
}, 20_000);

it("a Neovim that cannot be run fails the test at once, with the reason", async () => {
  const path = launcher("#!/no/such/program\n");
  await expect(startNeovim({ program: { name: "0.10", path } })).rejects.toThrow(
    /^Neovim 0\.10 cannot be run at \S+: spawn \S+ ENOENT$/,
  );
}, 20_000);
