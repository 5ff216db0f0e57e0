import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { onPath, parseNeovimVersion } from "./programs.ts";

it.each([
  ["NVIM v0.12.4\nBuild type: Release", "0.12"],
  ["NVIM v0.11.0", "0.12"],
  ["NVIM v1.0.0-dev", "0.12"],
  ["NVIM v0.10.4", "0.10"],
  ["NVIM v0.10.5", "0.10"],
  ["NVIM v0.10.3", undefined],
  ["NVIM v0.9.5", undefined],
  ["VIM - Vi IMproved 9.1", undefined],
  ["", undefined],
])("takes %j for %s", (said, version) => {
  expect(parseNeovimVersion(said)).toBe(version);
});

it("finds a program on PATH, and no directory or text of that name", async () => {
  const dir = await mkdtemp(join(tmpdir(), "codex-chat path-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  for (const name of ["a", "b", "c"]) await mkdir(join(dir, name));
  await mkdir(join(dir, "a", "nvim"));
  await writeFile(join(dir, "b", "nvim"), "text");
  await writeFile(join(dir, "c", "nvim"), "#!/bin/sh\n");
  await chmod(join(dir, "c", "nvim"), 0o755);
  const path = ["", join(dir, "gone"), join(dir, "a"), join(dir, "b"), join(dir, "c")].join(":");
  expect(onPath("nvim", path)).toBe(join(dir, "c", "nvim"));
  expect(onPath("luacheck", path)).toBeUndefined();
});
