import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../support/chat.ts";
import { plantPartialClone } from "../support/hostile-git.ts";
import { neovims } from "../support/neovim.ts";

const FILES = `return require("codex-chat.context.files").list(vim.fn.getcwd())`;
const DIFF = `return vim.json.encode({ require("codex-chat.context.diff").get(vim.fn.getcwd()) })`;

describe.each(neovims)("a repository of an attacker's, on Neovim $name,", (program) => {
  it("runs nothing when its files and changes are looked at", async () => {
    await using chat = await openChat({ program });
    const { cwd } = chat.nvim;
    const ran = join(cwd, "..", `ran-${process.pid}`);
    onTestFinished(() => rm(ran, { force: true }));
    await plantPartialClone(cwd, `touch ${ran}`);
    // What was listed when the chat was opened counts for some seconds.
    await chat.nvim.lua('package.loaded["codex-chat.context.files"] = nil');
    await expect.poll(() => chat.nvim.lua(FILES)).toContain("shown/file");
    expect(await chat.nvim.lua(DIFF)).toContain("git could not tell the changes");
    expect(existsSync(ran)).toBe(false);
    await execa("git", ["ls-files"], { cwd, reject: false });
    expect(existsSync(ran)).toBe(true);
  });

  it("runs nothing from within the user's, and tells of no files elsewhere", async () => {
    await using chat = await openChat({ program });
    const { cwd } = chat.nvim;
    const [ran, elsewhere] = [`ran-${process.pid}`, `elsewhere-${process.pid}`].map((name) =>
      join(cwd, "..", name),
    ) as [string, string];
    for (const path of [ran, elsewhere])
      onTestFinished(() => rm(path, { recursive: true, force: true }));
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
    await git("init", "-q");
    await git("commit", "-q", "--allow-empty", "-m", "first");
    await git("init", "-q", "inner");
    await writeFile(join(cwd, "inner/file"), "x\n");
    await git("-C", "inner", "add", "file");
    await git("-C", "inner", "commit", "-q", "-m", "inner");
    await git("add", "inner");
    await git("-C", "inner", "config", "diff.external", `touch ${ran}`);
    await git("config", "diff.submodule", "diff");
    expect(await chat.nvim.lua(DIFF)).toContain("Subproject commit");
    expect(existsSync(ran)).toBe(false);
    await git("diff", "--no-ext-diff", "HEAD");
    expect(existsSync(ran)).toBe(true);

    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "inner"), "a secret of the user's\n");
    await git("config", "core.worktree", elsewhere);
    expect(await chat.nvim.lua(DIFF)).toContain("of files elsewhere");
  });

  it("and programs of the project's on the PATH are not run", async () => {
    await using chat = await openChat({ program });
    const { cwd } = chat.nvim;
    const ran = join(cwd, "ran");
    await mkdir(join(cwd, "bin"));
    for (const name of ["git", "rg", "env"])
      await writeFile(join(cwd, "bin", name), `#!/bin/sh\ntouch '${ran}'\n`, { mode: 0o755 });
    await chat.nvim.lua(
      `vim.env.PATH = ...; package.loaded["codex-chat.context.files"] = nil`,
      `bin:${cwd}/bin:${process.env["PATH"]}`,
    );
    await expect.poll(() => chat.nvim.lua(FILES)).toContain("bin/git");
    expect(await chat.nvim.lua(DIFF)).toContain("git could not tell the changes");
    expect(existsSync(ran)).toBe(false);
    await chat.nvim.lua('vim.system({ "git", "status" }):wait()');
    expect(existsSync(ran)).toBe(true);
  });
});
