import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../support/chat.ts";
import { LEADING_OUT, makeOther, plantPartialClone, SECRET } from "../../support/hostile-git.ts";
import { neovims } from "../../support/neovim.ts";

const FILES = `return require("codex-chat.context.files").list(vim.fn.getcwd())`;
const DIFF = `return vim.json.encode({ require("codex-chat.context.diff").get(vim.fn.getcwd()) })`;

/** Puts a file in its place for as long as git looks, each time; keeps what git said. */
const AROUND_DIFF = `
  local path, text = ...
  local run = require("codex-chat.async")
  local real = run.system
  _G.said, _G.times = "", 0
  run.system = function(argv, opts)
    if _G.quiet or not vim.list_contains(argv, "diff") then
      return real(argv, opts)
    end
    vim.fn.writefile({ text }, path, "b")
    local out = real(argv, opts)
    vim.uv.fs_unlink(path)
    _G.said, _G.times = _G.said .. out.stdout, _G.times + 1
    return out
  end`;

describe.each(neovims)("an attacker's repository, on Neovim $name,", (program) => {
  it("runs nothing when its files and changes are listed", async () => {
    await using chat = await openChat({ program });
    const { cwd } = chat.nvim;
    const ran = join(cwd, "..", `ran-${process.pid}`);
    onTestFinished(() => rm(ran, { force: true }));
    await plantPartialClone(cwd, `touch ${ran}`);
    // What was listed when the chat was opened counts for some seconds.
    await chat.nvim.lua('package.loaded["codex-chat.context.files"] = nil');
    await expect.poll(() => chat.nvim.lua(FILES)).toContain("shown/file");
    expect(await chat.nvim.lua(DIFF)).toContain("git could not list the changes");
    expect(existsSync(ran)).toBe(false);
    await execa("git", ["ls-files"], { cwd, reject: false });
    expect(existsSync(ran)).toBe(true);
  });

  it("runs nothing from inside the user's repository, and lists no files elsewhere", async () => {
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
    expect(await chat.nvim.lua(DIFF)).toContain("files are elsewhere");
  });

  it("does not run programs from the project on the PATH", async () => {
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
    expect(await chat.nvim.lua(DIFF)).toContain("git could not list the changes");
    expect(existsSync(ran)).toBe(false);
    await chat.nvim.lua('vim.system({ "git", "status" }):wait()');
    expect(existsSync(ran)).toBe(true);
  });

  async function withOther() {
    const chat = await openChat({ program });
    const other = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-other-")));
    onTestFinished(() => rm(other, { recursive: true, force: true }));
    const id = await makeOther(other);
    const { cwd } = chat.nvim;
    await execa("git", ["init", "-q", "-b", "main"], { cwd });
    return { chat, cwd, other, id };
  }

  /** What git itself shows there. */
  const shown = async (cwd: string, ...args: readonly string[]) =>
    (await execa("git", args, { cwd, reject: false })).stdout;

  it.each(LEADING_OUT)("shows nothing of another repository if it %s", async (_name, plant) => {
    const { chat, cwd, other } = await withOther();
    await using _chat = chat;
    await plant(cwd, other);
    expect(await chat.nvim.lua(DIFF)).not.toContain(SECRET.text);
    const told = await chat.nvim.lua<string>(DIFF);
    expect(told).toContain("git could not list the changes");
    // It would copy in all that the branches lead to.
    expect(told).not.toContain("repack");
    if (told.includes("borrows")) expect(told).toContain("look into that file and remove");
    expect(await shown(cwd, "diff", "HEAD")).toContain(SECRET.text);
  });

  it("lists no names from another repository's index", async () => {
    const { chat, cwd, other } = await withOther();
    await using _chat = chat;
    await writeFile(join(cwd, "mine"), "");
    await symlink(join(other, ".git/index"), join(cwd, ".git/index"));
    await chat.nvim.lua('package.loaded["codex-chat.context.files"] = nil');
    await expect.poll(() => chat.nvim.lua(FILES)).toEqual(["mine"]);
    expect(await shown(cwd, "ls-files")).toContain(SECRET.name);
  });

  it("shows nothing from alternates that exist only while git runs", async () => {
    const { chat, cwd, other, id } = await withOther();
    await using _chat = chat;
    await writeFile(join(cwd, ".git/HEAD"), `${id}\n`);
    const alternates = join(cwd, ".git/objects/info/alternates");
    await chat.nvim.lua(AROUND_DIFF, alternates, `${join(other, ".git/objects")}\n`);
    expect(await chat.nvim.lua(DIFF)).toContain("was changed while git read it");
    expect(await chat.nvim.lua("return _G.said")).toContain(SECRET.text);
    expect(existsSync(alternates)).toBe(false);
  });

  it("runs no filter that is added between the check of its settings and git", async () => {
    const { chat, cwd } = await withOther();
    await using _chat = chat;
    const ran = join(cwd, "..", `ran-${process.pid}`);
    onTestFinished(() => rm(ran, { force: true }));
    await writeFile(join(cwd, "a"), "one\n");
    await writeFile(join(cwd, ".gitattributes"), "a filter=x diff=x\n");
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
    await git("add", ".");
    await git("commit", "-q", "-m", "first");
    await writeFile(join(cwd, "a"), "two\n");
    const payload = `[filter "x"]\n\tclean = touch ${ran}; cat\n`;
    await chat.nvim.lua(
      `local path, text = ...
       local run = require("codex-chat.async")
       local real = run.system
       run.system = function(argv, opts)
         if vim.list_contains(argv, "diff") then
           vim.fn.writefile(vim.split(text, "\\n"), path, "a")
         end
         return real(argv, opts)
       end`,
      join(cwd, ".git/config"),
      payload,
    );
    expect(await chat.nvim.lua(DIFF)).toContain("+two");
    expect(existsSync(ran)).toBe(false);
    await git("diff", "HEAD");
    expect(existsSync(ran)).toBe(true);
  });

  it("shows nothing of files in a directory that is swapped meanwhile", async () => {
    const { chat, cwd } = await withOther();
    await using _chat = chat;
    await mkdir(join(cwd, "dir"));
    await writeFile(join(cwd, "dir/a"), "one\n");
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
    await git("add", ".");
    await git("commit", "-q", "-m", "first");
    await writeFile(join(cwd, "dir/a"), "two\n");
    await chat.nvim.lua(AROUND_DIFF, join(cwd, "dir/b"), "");
    expect(await chat.nvim.lua(DIFF)).toContain("was changed while git read it");
    expect(await chat.nvim.lua("return _G.times")).toBe(6);
    await chat.nvim.lua("_G.quiet = true");
    expect(await chat.nvim.lua(DIFF)).toContain("+two");
  });

  it("lists no names from a directory that was a symlink while git listed it", async () => {
    const { chat, cwd } = await withOther();
    await using _chat = chat;
    await mkdir(join(cwd, "dir"));
    for (const name of ["a", "dir/b"]) await writeFile(join(cwd, name), "");
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
    await git("commit", "-q", "--allow-empty", "-m", "first");
    // As git lists it when the link is there between two of its own looks.
    await chat.nvim.lua(
      `local run = require("codex-chat.async")
       local real = run.system
       run.system = function(argv, opts)
         local out = real(argv, opts)
         if vim.list_contains(argv, "ls-files") then
           out.stdout = out.stdout .. "dir/id_rsa\\0"
         end
         return out
       end`,
    );
    const told = await chat.nvim.lua(DIFF);
    expect(told).toContain("Untracked file: dir");
    expect(told).not.toContain("id_rsa");
  });

  it("does not show another commit in place of the one that is checked out", async () => {
    const { chat, cwd } = await withOther();
    await using _chat = chat;
    const git = (...args: readonly string[]) =>
      execa("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], { cwd });
    for (const text of ["one", "two"]) {
      await writeFile(join(cwd, "a"), `${text}\n`);
      await git("add", ".");
      await git("commit", "-q", "-m", text);
    }
    await git("replace", "HEAD", "HEAD~1");
    expect(await chat.nvim.lua(DIFF)).toContain("there are no uncommitted changes");
    expect(await shown(cwd, "diff", "HEAD")).toContain("+two");
  });

  it("leaves the user's own worktree, submodule and packed branches working", async () => {
    const { chat, cwd } = await withOther();
    await using _chat = chat;
    const git = (at: string, ...args: readonly string[]) =>
      execa(
        "git",
        ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", ...args],
        { cwd: at },
      );
    await writeFile(join(cwd, "a"), "one\n");
    await git(cwd, "add", ".");
    await git(cwd, "commit", "-q", "-m", "first");
    await git(cwd, "pack-refs", "--all");
    await git(cwd, "worktree", "add", "-q", "-b", "side", "tree");
    await git(cwd, "submodule", "add", "-q", cwd, "sub");
    for (const at of [cwd, join(cwd, "tree"), join(cwd, "sub")]) {
      await writeFile(join(at, "a"), "one\ntwo\n");
      await writeFile(join(at, "fresh"), "");
      const part = await chat.nvim.lua<{ text: string }>(
        'return (require("codex-chat.context.diff").get(...))',
        at,
      );
      expect(part.text).toContain(await shown(at, "diff", "HEAD", "--", "a"));
      expect(part.text).toContain("+two");
      expect(part.text).toContain("Untracked file: fresh");
    }
  });
});
