import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { newlyTrustedSince } from "./newly-trusted-paths.ts";
import { inspectProject } from "./project-mounts.ts";

it("names paths that git newly obeys, and none that were protected from the start", async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-late-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const git = (...args: readonly string[]) =>
    execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd: root });
  const inspect = () => inspectProject({ root, home: undefined, outOfReach: [] });
  const since = async (
    ...guarded: readonly { readonly name: string; readonly isParentDir?: true }[]
  ) => {
    const known = [{ name: ".git" }, ...guarded].map((file) => ({ ...file, identity: "" }));
    return (await newlyTrustedSince(known, inspect)).names;
  };
  await git("init", "-q");
  await git("commit", "-q", "--allow-empty", "-m", "first");
  for (const dir of ["hooks", "tools", "taken"]) await mkdir(join(root, dir));
  await writeFile(join(root, "tools/gitconfig"), "");
  expect(await since()).toEqual([]);
  await git("config", "core.hooksPath", "hooks");
  await git("config", "include.path", "../tools/gitconfig");
  await git("worktree", "add", "-q", "tree");
  await git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},taken`);
  const all = ["hooks", "taken", "tools/gitconfig", "tree/.git"];
  expect([...(await since())].sort()).toEqual(all);
  expect(await since(...all.map((name) => ({ name })))).toEqual([]);
  // A directory that merely keeps something in it from being renamed can be written.
  expect(await since({ name: "tools" }, { name: "tree" }, { name: "taken" })).toEqual(["hooks"]);
  expect(await since({ name: "hooks", isParentDir: true })).toContain("hooks");
});
