import { chmod, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { gitlinksIn, settingsIn, topOf, worktreesOf } from "./git-questions.ts";

let base = "";
let root = "";

async function git(cwd: string, ...args: readonly string[]): Promise<void> {
  await execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
}

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-questions-")));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  vi.stubEnv("HOME", base);
  vi.stubEnv("XDG_CONFIG_HOME", "");
  vi.stubEnv("GIT_CONFIG_SYSTEM", "/dev/null");
  root = join(base, "it's; a $(project)");
  await mkdir(root);
  await git(root, "init", "-q", "-b", "main");
});

/** Makes everything run a program that leaves a mark, and the index unreadable. */
async function hostile(): Promise<{ marks: () => Promise<readonly string[]> }> {
  const marks = join(base, "marks");
  await mkdir(marks);
  await mkdir(join(root, "hooks"));
  const attack = (name: string) => `touch '${marks}/${name}'; cat`;
  await writeFile(join(root, "hooks/post-index-change"), `#!/bin/sh\n${attack("hook")}\n`);
  await chmod(join(root, "hooks/post-index-change"), 0o755);
  await writeFile(join(root, "file"), "");
  await git(root, "add", "file");
  const settings = {
    "core.fsmonitor": `touch '${marks}/fsmonitor'; false`,
    "core.hooksPath": "hooks",
    "core.pager": attack("pager"),
    "pager.ls-files": attack("ls-files"),
    "pager.config": attack("config"),
    "alias.ls-files": `!${attack("alias")}`,
  };
  for (const [key, value] of Object.entries(settings)) await git(root, "config", key, value);
  return { marks: () => readdir(marks) };
}

/** Runs a command as the user would, on a terminal. */
async function onTerminal(command: string, cwd: string) {
  const env = { TERM: "xterm", PAGER: "cat" };
  return execa("script", ["-qec", command, "/dev/null"], { cwd, env, reject: false, all: true });
}

describe("a failed question to git", () => {
  it("is shown as a command that reproduces the error and runs nothing of the repository", async () => {
    const { marks } = await hostile();
    // What such a command runs without the bounds.
    await onTerminal("git ls-files --stage; git status", root);
    expect((await marks()).length).toBeGreaterThan(1);
    await rm(join(base, "marks"), { recursive: true });
    await mkdir(join(base, "marks"));
    await writeFile(join(root, ".git/index"), "broken");
    const asked = await gitlinksIn(root);
    if (asked.ok) throw new Error("git reads a broken index");
    const followed = await onTerminal(asked.error.fix, "/");
    expect(followed.all).toMatch(/bad signature|index file (corrupt|smaller)/);
    expect(asked.error.reason).toMatch(/bad signature|index file (corrupt|smaller)/);
    // Where it no longer fails, too.
    await rm(join(root, ".git/index"));
    await git(root, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=", "add", "file");
    expect((await onTerminal(asked.error.fix, "/")).all).toContain("file");
    expect(await marks()).toEqual([]);
  });

  it("is shown in the same way for settings, whose list goes to a pager", async () => {
    const { marks } = await hostile();
    await git(root, "config", "include.path", "broken");
    await onTerminal("git config --list", root);
    await rm(join(base, "marks"), { recursive: true });
    await mkdir(join(base, "marks"));
    await writeFile(join(root, ".git/broken"), "[broken");
    const asked = await settingsIn(root, { isRepository: true });
    if (asked.ok) throw new Error("git reads a broken configuration");
    expect((await onTerminal(asked.error.fix, "/")).all).toContain("bad config line");
    await writeFile(join(root, ".git/broken"), "");
    expect((await onTerminal(asked.error.fix, "/")).all).toContain("core.pager");
    expect(await marks()).toEqual([]);
  });
});

describe("answers of git", () => {
  it("keep a setting's middle part as it is written, and expand paths one by one", async () => {
    await git(root, "config", "url.ext::Sh X.insteadOf", "mine:");
    await git(root, "config", "core.hooksPath", "~/hooks");
    await git(root, "config", "core.excludesFile", "~nosuchuser/x");
    const asked = await settingsIn(root, { isRepository: true });
    expect(asked).toEqual({
      ok: true,
      value: expect.arrayContaining([
        expect.objectContaining({ key: "url.ext::sh x.insteadof", middle: "ext::Sh X" }),
        expect.objectContaining({ key: "core.hookspath", path: join(base, "hooks") }),
        expect.objectContaining({ key: "core.excludesfile", path: null }),
      ]),
    });
  });

  it("are limited if the configuration includes files without end", async () => {
    const lines = Array.from(
      { length: 120 },
      (_, n) => `[includeIf "onbranch:x${n}"]\n\tpath = ~/${n}.conf\n`,
    );
    await writeFile(join(base, ".gitconfig"), lines.join(""));
    expect(await settingsIn(root, { isRepository: true })).toMatchObject({
      ok: false,
      error: { reason: expect.stringContaining("more than 100 files") },
    });
  });

  it("name all work trees, from any of them", async () => {
    await git(root, "commit", "-q", "--allow-empty", "-m", "first");
    const trees = [root, join(base, "side"), join(root, "in\nside")];
    for (const tree of trees.slice(1)) await git(root, "worktree", "add", "-q", "--detach", tree);
    for (const tree of trees) {
      const asked = await worktreesOf(tree);
      if (!asked.ok) throw new Error(asked.error.reason);
      expect(asked.value[0]).toBe(root);
      expect(asked.value.toSorted()).toEqual(trees.toSorted());
    }
    const pointer = join(root, ".git/worktrees/side/gitdir");
    await writeFile(pointer, "");
    expect(await worktreesOf(root)).toMatchObject({
      ok: false,
      error: { reason: `${pointer} does not name a work tree` },
    });
  });

  it("name the top of the work tree, and none for a bare repository", async () => {
    await git(base, "init", "-q", "--bare", "bare.git");
    expect(await topOf(root)).toEqual({ ok: true, value: root });
    expect(await topOf(join(base, "bare.git"))).toEqual({ ok: true, value: undefined });
  });
});
