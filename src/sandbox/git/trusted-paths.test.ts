import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { gitTrustedPaths } from "./trusted-paths.ts";

let base = "";
let root = "";

async function git(cwd: string, ...args: readonly string[]): Promise<void> {
  const identity = [
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@t",
    "-c",
    "protocol.file.allow=always",
  ];
  await execa("git", [...identity, ...args], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
}

async function repository(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  await git(path, "init", "-q", "-b", "main");
  await git(path, "commit", "-q", "--allow-empty", "-m", "first");
  return path;
}

async function obeyed() {
  const found = await gitTrustedPaths(root);
  if (!found.ok) throw new Error(found.error.reason);
  return found.value;
}

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-obeys-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  root = await repository(join(base, "project"));
});

describe("the paths in a project that the user's git obeys", () => {
  it("do not exist if the configuration names none", async () => {
    expect(await obeyed()).toEqual({
      names: [],
      parentDirs: [],
      tops: [],
      placeholders: [],
      notes: [],
    });
  });

  it("do not exist without a repository, even inside another one", async () => {
    await git(root, "config", "core.hooksPath", "hooks");
    await mkdir(join(root, "inner/hooks"), { recursive: true });
    root = join(root, "inner");
    expect(await obeyed()).toEqual({
      names: [],
      parentDirs: [],
      tops: [],
      placeholders: [],
      notes: [],
    });
  });

  it("are its hooks, included files and scripts, and the directories above them", async () => {
    await mkdir(join(root, "tools/hooks"), { recursive: true });
    for (const name of ["tools/diff.py", "team.gitconfig", "unused.py"])
      await writeFile(join(root, name), "");
    await git(root, "config", "core.hooksPath", "tools/hooks");
    await git(root, "config", "diff.x.textconv", "python3 -O tools/diff.py");
    await git(root, "config", "include.path", "../team.gitconfig");
    await git(root, "config", "alias.tools", "log tools");
    expect(await obeyed()).toEqual({
      names: ["tools/hooks", "tools/diff.py", "team.gitconfig"],
      parentDirs: ["tools"],
      tops: [],
      placeholders: [],
      notes: [],
    });
  });

  it("do not include paths outside the project", async () => {
    await git(root, "config", "core.hooksPath", "../hooks");
    await git(root, "config", "core.attributesFile", "/etc/attributes");
    await git(root, "config", "include.path", "~/more.gitconfig");
    expect(await obeyed()).toEqual({
      names: [],
      parentDirs: [],
      tops: [],
      placeholders: [],
      notes: [],
    });
  });

  it("are reported if they are missing, or are reached through a link", async () => {
    await mkdir(join(root, "real"));
    await symlink("real", join(root, "linked"));
    await git(root, "config", "core.hooksPath", "linked");
    await git(root, "config", "core.attributesFile", "absent");
    const { names, notes } = await obeyed();
    // Where the link leads to today is protected; the link itself cannot be.
    expect(names).toEqual(["real"]);
    expect(notes).toEqual([
      expect.stringContaining("core.hookspath leads to linked"),
      expect.stringContaining("core.attributesfile leads to absent"),
    ]);
  });

  it("include the pointers of submodules and worktrees, and a submodule that is not checked out", async () => {
    const library = await repository(join(base, "library"));
    for (const path of ["deps/a/lib", "deps/b"]) await git(root, "submodule", "add", library, path);
    await git(root, "commit", "-qm", "submodules");
    await git(root, "submodule", "deinit", "-f", "deps/b");
    await git(root, "worktree", "add", "-q", "trees/side");
    expect(await obeyed()).toEqual({
      // The worktree's submodules are not checked out, so git would go into anything there.
      names: [
        "deps/a/lib/.git",
        "deps/b",
        "trees/side/.git",
        "trees/side/deps/a/lib",
        "trees/side/deps/b",
      ],
      parentDirs: [
        "deps",
        "deps/a",
        "deps/a/lib",
        "trees",
        "trees/side",
        "trees/side/deps",
        "trees/side/deps/a",
      ],
      tops: ["deps/a/lib", "trees/side"],
      placeholders: ["deps/b", "trees/side/deps/a/lib", "trees/side/deps/b"],
      notes: [],
    });
  });

  it("include the targets of links in git's own directory and in its hooks", async () => {
    await mkdir(join(root, "scripts"));
    for (const name of ["hook", "attributes"]) await writeFile(join(root, "scripts", name), "");
    await symlink("../../scripts/hook", join(root, ".git/hooks/pre-commit"));
    await symlink("../../scripts/attributes", join(root, ".git/info/attributes"));
    expect([...(await obeyed()).names].sort()).toEqual(["scripts/attributes", "scripts/hook"]);
  });

  it("include paths that a repository around the project names", async () => {
    await mkdir(join(root, "app/hooks"), { recursive: true });
    await git(root, "config", "core.hooksPath", "app/hooks");
    root = join(root, "app");
    expect((await obeyed()).names).toEqual(["hooks"]);
  });

  it("leave out a nested repository that git refuses to work in, which is reported", async () => {
    await repository(join(root, "inner"));
    await writeFile(join(root, "inner/.git/config"), "[broken");
    const found = await gitTrustedPaths(root, { nested: ["inner"] });
    expect(found).toMatchObject({
      ok: true,
      value: { notes: [expect.stringContaining("git does not work in inner")] },
    });
  });

  it("leave out a submodule whose directory is gone, which is reported", async () => {
    await git(root, "submodule", "add", await repository(join(base, "library")), "lib");
    await git(root, "commit", "-qm", "submodule");
    await rm(join(root, "lib"), { recursive: true });
    expect(await obeyed()).toMatchObject({
      names: [],
      notes: [expect.stringContaining("the submodule lib is not there")],
    });
  });
});
