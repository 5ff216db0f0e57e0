/**
 * Files where the agent can write: links, pipes and swaps in the place of conversations. Where two looks could be told apart by a swap, the swap happens at that moment.
 */

import { existsSync } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { lockFile, lockPath } from "../../../src/chat/file/file-lock.ts";
import { bringPictures, removePictures } from "../../../src/threads/pictures.ts";
import { choose, conversation, offered, put, said } from "../../support/conversations.ts";
import { inProject, SECRET } from "../../support/in-project.ts";
import { neovims } from "../../support/neovim.ts";

const RENAME = `
  local path, root = ...
  require("codex-chat.threads.rename").rename({ path = path, root = root, name = "Old" }, "New")`;
/** Saves the current conversation, as where no host does. */
const SAVE = `
  local chat = require("codex-chat.registry").get(...)
  chat.changed = true
  return require("codex-chat.chat.write").save(chat)`;
const TASK = `
  local task, path, root = ...
  local it = { path = path, root = root, name = "It", archived = false }
  vim.ui.select = function(items, _, on_choice) on_choice(items[1]) end
  require("codex-chat.threads.tasks")[task](it)`;

describe.each(neovims)("where the agent can write, on Neovim $name,", (program) => {
  it("a conversation that is renamed is not written through a symlink, whether prepared or swapped in", async () => {
    const { chat, nvim, project, dir, victim } = await inProject(program);
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await symlink(victim, `${path}.${nvim.pid}.tmp`);
    await nvim.lua(RENAME, path, project);
    await expect.poll(() => readFile(path, "utf8")).toContain("name: New");
    expect((await lstat(path)).isFile()).toBe(true);
    expect(await readFile(victim, "utf8")).toBe(SECRET);

    await unlink(path);
    await symlink(victim, path);
    await nvim.lua(RENAME, path, project);
    await expect.poll(() => said(chat)).toContainEqual(expect.stringContaining("not a plain file"));
    expect(await readFile(victim, "utf8")).toBe(SECRET);
    // The control: as a program writes that takes no care.
    await nvim.lua("vim.fn.writefile({ 'written' }, ...)", path);
    expect(await readFile(victim, "utf8")).toBe("written\n");
  });

  it("a conversation without a host is not written through a symlink, and its text is kept", async () => {
    const { chat, nvim, victim } = await inProject(program);
    await using _chat = chat;
    await nvim.lua("vim.api.nvim_buf_set_lines(..., -1, -1, false, { 'Typed.' })", chat.buf);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(true);
    expect(await readFile(chat.path, "utf8")).toContain("Typed.");
    await unlink(chat.path);
    await symlink(victim, chat.path);
    await nvim.lua("vim.api.nvim_buf_set_lines(..., -1, -1, false, { 'More.' })", chat.buf);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(false);
    expect(await readFile(victim, "utf8")).toBe(SECRET);
    expect(await said(chat)).toContainEqual(
      expect.stringMatching(/was not written: .* is a link.*`rm` it/),
    );
    expect(await nvim.lines(chat.buf)).toContain("More.");
    await unlink(chat.path);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(true);
    expect(await readFile(chat.path, "utf8")).toContain("More.");
  });

  it(":write follows the user's symlinks, but none in the project", async () => {
    const { chat, nvim, project, outside, victim } = await inProject(program);
    await using _chat = chat;
    await nvim.lua("vim.api.nvim_set_current_buf(...)", chat.buf);
    await symlink(victim, join(project, "copy.md"));
    await symlink(project, join(outside, "alias"));
    for (const path of [join(project, "copy.md"), join(outside, "alias/copy.md")]) {
      await nvim.lua("vim.cmd.write({ args = { ... }, bang = true })", path);
      expect((await said(chat)).at(-1)).toContain("is a link");
      expect(await readFile(victim, "utf8")).toBe(SECRET);
    }
    await symlink(victim, join(outside, "mine.md"));
    await nvim.lua("vim.cmd.write({ args = { ... }, bang = true })", join(outside, "mine.md"));
    expect(await readFile(victim, "utf8")).toContain("## You");
    expect((await lstat(join(outside, "mine.md"))).isSymbolicLink()).toBe(true);
  });

  it("writing a file with two hard links leaves the other one unchanged", async () => {
    const { chat, nvim, victim } = await inProject(program);
    await using _chat = chat;
    await link(victim, chat.path);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(true);
    expect(await readFile(victim, "utf8")).toBe(SECRET);
    expect(await readFile(chat.path, "utf8")).toContain("## You");
  });

  it("nothing is written, moved or removed in a directory that is a symlink", async () => {
    const { chat, nvim, project, dir, outside, swap } = await inProject(program);
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await swap();
    await writeFile(join(outside, "a.md"), SECRET);
    const before = await readdir(outside);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(false);
    await nvim.lua(RENAME, path, project);
    for (const task of ["archive", "delete"]) await nvim.lua(TASK, task, path, project);
    const forked = await nvim.lua(
      `local path = ...
       return { require("codex-chat.buffer.document").write(path, { "fork" }) }`,
      join(dir, "a-fork.md"),
    );
    expect(forked).toContainEqual(expect.stringContaining(`${dir} is a link`));
    await expect
      .poll(
        async () =>
          (await said(chat)).filter((message) => message.includes(`${dir} is a link`)).length,
      )
      .toBeGreaterThanOrEqual(4);
    expect(await readdir(outside)).toEqual(before);
    expect(await readFile(join(outside, "a.md"), "utf8")).toBe(SECRET);
    // The control: the paths lead there.
    await nvim.lua("vim.uv.fs_unlink(...)", path);
    expect(existsSync(join(outside, "a.md"))).toBe(false);
  });

  it("pictures are neither copied from behind a symlink nor written through one", async () => {
    const { chat, nvim, project, dir, outside, victim } = await inProject(program);
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await mkdir(join(dir, "images"));
    await symlink(victim, join(dir, "images/a-1.png"));
    await writeFile(join(dir, "images/a-2.png"), "picture");
    await mkdir(join(dir, "archive"));
    const state = join(nvim.home, "state/nvim/codex-chat");
    bringPictures(path, join(dir, "archive"), state);
    expect(await readdir(join(dir, "archive/images"))).toEqual(["a-2.png"]);
    await rm(join(dir, "archive/images"), { recursive: true });
    await symlink(outside, join(dir, "archive/images"));
    bringPictures(path, join(dir, "archive"), state);
    await rm(join(dir, "images"), { recursive: true });
    await writeFile(join(outside, "a-3.png"), "the user's");
    await symlink(outside, join(dir, "images"));
    await removePictures(path, state);
    expect((await readdir(outside)).sort()).toEqual(["a-3.png", "bashrc"]);
  });

  it("a directory that is swapped during a write does not redirect the text", async () => {
    const { chat, nvim, dir, outside } = await inProject(program);
    await using _chat = chat;
    const swapped = await nvim.lua(
      `local buf, dir, outside = ...
       local real, done = vim.uv.fs_open, false
       vim.uv.fs_open = function(path, flags, mode)
         if not done and path:find("%.tmp$") then
           done = true
           assert(vim.uv.fs_rename(dir, dir .. "-moved"))
           assert(vim.uv.fs_symlink(outside, dir))
         end
         return real(path, flags, mode)
       end
       require("codex-chat.chat.write").save(require("codex-chat.registry").get(buf))
       local chat = require("codex-chat.registry").get(buf)
       chat.changed = true
       require("codex-chat.chat.write").save(chat)
       vim.uv.fs_open = real
       return done`,
      chat.buf,
      dir,
      outside,
    );
    expect(swapped).toBe(true);
    expect(await readdir(outside)).toEqual(["bashrc"]);
    expect(await readFile(join(`${dir}-moved`, basename(chat.path)), "utf8")).toContain("## You");
  });

  it("a lock file from the agent is ignored, and the real lock cannot be taken away", async () => {
    const { chat, nvim, project, dir } = await inProject(program);
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await writeFile(`${path}.lock`, '{"pid":1}\n');
    const isLocked = `return require("codex-chat.project").is_locked(...)`;
    expect(await nvim.lua(isLocked, path)).toBe(false);
    const lock = await nvim.lua<string>(
      `return require("codex-chat.project").lock_path(...)`,
      path,
    );
    // The host's is the same.
    expect(lock).toBe(lockPath(path, join(nvim.home, "state/nvim/codex-chat")));
    await mkdir(dirname(lock), { recursive: true });
    const taken = await lockFile(path, lock);
    if (!taken.ok) throw new Error(taken.error.message);
    expect(lock.startsWith(join(nvim.home, "state"))).toBe(true);
    await rm(`${path}.lock`);
    expect(await nvim.lua(isLocked, path)).toBe(true);
    await taken.value.release();
    expect(await nvim.lua(isLocked, path)).toBe(false);
    await writeFile(lock, '{"pid":1}\n');
    await execa("touch", ["-d", "2000-01-01", lock]);
    expect(await nvim.lua(isLocked, path)).toBe(false);
  });

  it("pipes, devices and symlinks are not conversations, and nothing waits for them", async () => {
    const { chat, nvim, project, dir, victim } = await inProject(program);
    await using _chat = chat;
    await put(dir, "a.md", conversation({ project, query: "Mine?" }));
    await execa("mkfifo", [join(dir, "pipe.md")]);
    await symlink("/dev/zero", join(dir, "zero.md"));
    await symlink(victim, join(dir, "link.md"));
    await choose(chat, "-");
    await chat.nvim.command("CodexChat threads");
    await expect
      .poll(async () => (await offered(chat))?.join())
      .toEqual(expect.stringMatching(/^Mine\?[^,]*$/));
    await chat.nvim.command("CodexChat search secret");
    await expect.poll(() => said(chat)).toContainEqual(expect.stringContaining("no conversation"));
    for (const name of ["pipe.md", "zero.md", "link.md"]) {
      const opened = await nvim.lua<{ path: string; text: string[] }>(
        `local path, root = ...
         local project = require("codex-chat.project").at(root)
         local chat = require("codex-chat.chat").load(path, project)
         local text = vim.api.nvim_buf_get_lines(chat.buf, 0, -1, false)
         return { path = chat.path, text = text }`,
        join(dir, name),
        project,
      );
      expect(opened.text.join("\n")).not.toContain("secret");
      expect(opened.path).not.toBe(join(dir, name));
      expect(dirname(opened.path)).toBe(dir);
    }
    expect(
      (await said(chat)).filter((message) => message.includes("so this is a new one")),
    ).toHaveLength(3);
  });

  it("a symlink that the user has opened as a file does not become a conversation", async () => {
    const { chat, nvim, project, dir, victim } = await inProject(program);
    await using _chat = chat;
    const path = join(dir, "a.md");
    await symlink(victim, path);
    const told = await nvim.lua<{ before: string; after: string; path: string }>(
      `local path, root = ...
       vim.cmd.enew()
       vim.cmd.edit(path)
       local before = vim.fn.getline(1)
       local project = require("codex-chat.project").at(root)
       local chat = require("codex-chat.chat").load(path, project)
       local after = table.concat(vim.api.nvim_buf_get_lines(chat.buf, 0, -1, false), "\\n")
       return { before = before, after = after, path = chat.path }`,
      path,
      project,
    );
    expect(told.before).toContain("secret");
    expect(told.after).not.toContain("secret");
    expect(told.path).not.toBe(path);
  });

  it("a conversation that is swapped while it is opened is read as it was, or not at all", async () => {
    const { chat, nvim, project, dir, victim } = await inProject(program);
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project, query: "Mine?" }));
    const text = await nvim.lua<string>(
      `local path, victim = ...
       local real = vim.uv.fs_fstat
       vim.uv.fs_fstat = function(fd)
         local stat = real(fd)
         os.remove(path)
         vim.uv.fs_symlink(victim, path)
         return stat
       end
       local lines = require("codex-chat.buffer.document").read(path)
       vim.uv.fs_fstat = real
       return table.concat(lines or {}, "\\n")`,
      path,
      victim,
    );
    expect(text).toContain("Mine?");
    expect(text).not.toContain("secret");
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
  });
});
