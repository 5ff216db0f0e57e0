/**
 * Files where the agent can write: links, pipes and swaps in the place of conversations, and of what
 * goes to the model. Where two looks could be told apart by a swap, the swap happens at that moment.
 */
import { existsSync } from "node:fs";
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { lockPath } from "../../src/chat/lock.ts";
import { openChat } from "../support/chat.ts";
import { choose, conversation, offered, put, said } from "../support/conversations.ts";
import { neovims } from "../support/neovim.ts";

const SECRET = "a secret of the user's\n";
const NOTIFY = "_G.said = {}; vim.notify = function(m) table.insert(_G.said, m) end";
const RENAME = `
  local path, root = ...
  require("codex-chat.threads.rename").rename({ path = path, root = root, name = "Old" }, "New")`;
/** Saves the current conversation, as where no host does. */
const SAVE = `
  local chat = require("codex-chat.registry").get(...)
  chat.changed = true
  return require("codex-chat.saving").save(chat)`;
const TASK = `
  local task, path, root = ...
  local it = { path = path, root = root, name = "It", archived = false }
  vim.ui.select = function(items, _, on_choice) on_choice(items[1]) end
  require("codex-chat.threads.tasks")[task](it)`;
const RESOLVE = `
  local parts, err = require("codex-chat.context.resolve").all(...)
  return (vim.json.encode({ parts = parts, err = err }):gsub("\\\\/", "/"))`;

describe.each(neovims)("where the agent can write, on Neovim $name,", (program) => {
  /** A chat with its conversations in the project, and a directory of the user's outside of it. */
  async function inProject(args: readonly string[] = []) {
    const config = { history_dir: ".chats", window: { startinsert: false } };
    const chat = await openChat({ program, config, args });
    const project = chat.nvim.cwd;
    const outside = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-outside-")));
    onTestFinished(() => rm(outside, { recursive: true, force: true }));
    const victim = join(outside, "bashrc");
    await writeFile(victim, SECRET);
    await chat.nvim.lua(NOTIFY);
    const dir = join(project, ".chats");
    await mkdir(dir, { recursive: true });
    const swap = async () => {
      await rename(dir, `${dir}-moved`);
      await symlink(outside, dir);
    };
    return { chat, nvim: chat.nvim, project, dir, outside, victim, swap };
  }

  it("a conversation that is renamed is written through no link, prepared or in its place", async () => {
    const { chat, nvim, project, dir, victim } = await inProject();
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
    await expect.poll(() => said(chat)).toContainEqual(expect.stringContaining("no plain file"));
    expect(await readFile(victim, "utf8")).toBe(SECRET);
    // The control: as a program writes that takes no care.
    await nvim.lua("vim.fn.writefile({ 'written' }, ...)", path);
    expect(await readFile(victim, "utf8")).toBe("written\n");
  });

  it("a conversation without a host is not written through a link, and its text stays", async () => {
    const { chat, nvim, victim } = await inProject();
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

  it(":write follows the user's links, and none in the project", async () => {
    const { chat, nvim, project, outside, victim } = await inProject();
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

  it("of a file with two names, the other one stays as it is", async () => {
    const { chat, nvim, victim } = await inProject();
    await using _chat = chat;
    await link(victim, chat.path);
    expect(await nvim.lua(SAVE, chat.buf)).toBe(true);
    expect(await readFile(victim, "utf8")).toBe(SECRET);
    expect(await readFile(chat.path, "utf8")).toContain("## You");
  });

  it("nothing is written, moved or removed in a directory that is a link", async () => {
    const { chat, nvim, project, dir, outside, swap } = await inProject();
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
       return { require("codex-chat.document").write(path, { "fork" }) }`,
      join(dir, "a-fork.md"),
    );
    expect(forked).toContainEqual(expect.stringContaining(`${dir} is a link`));
    await expect
      .poll(async () => (await said(chat)).filter((it) => it.includes(`${dir} is a link`)).length)
      .toBeGreaterThanOrEqual(4);
    expect(await readdir(outside)).toEqual(before);
    expect(await readFile(join(outside, "a.md"), "utf8")).toBe(SECRET);
    // The control: the paths lead there.
    await nvim.lua("vim.uv.fs_unlink(...)", path);
    expect(existsSync(join(outside, "a.md"))).toBe(false);
  });

  it("pictures are neither brought from where a link leads nor put there", async () => {
    const { chat, nvim, project, dir, outside, victim } = await inProject();
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await mkdir(join(dir, "images"));
    await symlink(victim, join(dir, "images/a-1.png"));
    await writeFile(join(dir, "images/a-2.png"), "picture");
    await mkdir(join(dir, "archive"));
    const bring = `require("codex-chat.threads.pictures").bring(...)`;
    await nvim.lua(bring, path, join(dir, "archive"));
    expect(await readdir(join(dir, "archive/images"))).toEqual(["a-2.png"]);
    await rm(join(dir, "archive/images"), { recursive: true });
    await symlink(outside, join(dir, "archive/images"));
    await nvim.lua(bring, path, join(dir, "archive"));
    await rm(join(dir, "images"), { recursive: true });
    await writeFile(join(outside, "a-3.png"), "the user's");
    await symlink(outside, join(dir, "images"));
    await nvim.lua(`require("codex-chat.threads.pictures").remove(...)`, path);
    expect((await readdir(outside)).sort()).toEqual(["a-3.png", "bashrc"]);
  });

  it("a directory that is swapped while a conversation is written leads the text nowhere", async () => {
    const { chat, nvim, dir, outside } = await inProject();
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
       require("codex-chat.saving").save(require("codex-chat.registry").get(buf))
       local chat = require("codex-chat.registry").get(buf)
       chat.changed = true
       require("codex-chat.saving").save(chat)
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

  it("a lock of the agent's counts for nothing, and one of ours cannot be taken away", async () => {
    const { chat, nvim, project, dir } = await inProject();
    await using _chat = chat;
    const path = await put(dir, "a.md", conversation({ project }));
    await writeFile(`${path}.lock`, '{"pid":1}\n');
    const isLocked = `return require("codex-chat.project").is_locked(...)`;
    expect(await nvim.lua(isLocked, path)).toBe(false);
    const lock = await nvim.lua<string>(
      `local path = ...
       require("codex-chat.threads.lock").take(path, function(release) _G.release = release end)
       return require("codex-chat.project").lock_path(path)`,
      path,
    );
    // The host's is the same.
    expect(lock).toBe(lockPath(path, join(nvim.home, "state/nvim/codex-chat")));
    expect(lock.startsWith(join(nvim.home, "state"))).toBe(true);
    await rm(`${path}.lock`);
    expect(await nvim.lua(isLocked, path)).toBe(true);
    await nvim.lua("_G.release()");
    expect(await nvim.lua(isLocked, path)).toBe(false);
    await writeFile(lock, '{"pid":1}\n');
    await execa("touch", ["-d", "2000-01-01", lock]);
    expect(await nvim.lua(isLocked, path)).toBe(false);
  });

  it("pipes, devices and links are no conversations, and are waited for by nobody", async () => {
    const { chat, nvim, project, dir, victim } = await inProject();
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
    expect((await said(chat)).filter((it) => it.includes("so this is a new one"))).toHaveLength(3);
  });

  it("a conversation that is swapped while it is opened is read as it was, or not", async () => {
    const { chat, nvim, project, dir, victim } = await inProject();
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
       local lines = require("codex-chat.document").read(path)
       vim.uv.fs_fstat = real
       return table.concat(lines or {}, "\\n")`,
      path,
      victim,
    );
    expect(text).toContain("Mine?");
    expect(text).not.toContain("secret");
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
  });

  it("a file that is swapped between the looks at it goes to the model from the project alone", async () => {
    const { chat, nvim, project, victim } = await inProject();
    await using _chat = chat;
    const path = join(project, "notes.txt");
    const plant = async () => {
      await rm(path, { force: true });
      await writeFile(path, "harmless\n");
    };
    // After the first look, and after each later one: open, then ask where it is, then read.
    for (const at of ["fs_readlink", "fs_fstat", "fs_open"]) {
      await plant();
      const sent = await nvim.lua<string>(
        `local at, path, victim, text, root = ...
         local real, done = vim.uv[at], false
         vim.uv[at] = function(...)
           local result = vim.F.pack_len(real(...))
           if not done then
             done = true
             os.remove(path)
             vim.uv.fs_symlink(victim, path)
           end
           return vim.F.unpack_len(result)
         end
         local parts, err = require("codex-chat.context.resolve").all(text, root)
         vim.uv[at] = real
         return vim.json.encode({ done = done, parts = parts, err = err })`,
        at,
        path,
        victim,
        "@notes.txt#L1",
        project,
      );
      expect(sent).toContain('"done":true');
      expect(sent).not.toContain("secret");
    }
    // The control: resolved, swapped, and opened by the path.
    await plant();
    const control = await nvim.lua<string>(
      `local path, victim = ...
       local full = vim.uv.fs_realpath(path)
       os.remove(path)
       vim.uv.fs_symlink(victim, path)
       return table.concat(vim.fn.readfile(full), "\\n")`,
      path,
      victim,
    );
    expect(control).toContain("secret");
  });

  it.each([
    ["@link#L1", "lies outside"],
    ["@linked/bashrc#L1", "lies outside"],
    ["@linked", "lies outside"],
    ["@config#L1", "leads to .git/config; name that itself"],
    ["@env#L1", "leads to .env; name that itself"],
    ["@image:link.png", "leads out of the project"],
    ["@image:linked/dot.png", "leads out of the project"],
    ["@image:pipe", "cannot be read"],
    ["@image:ALIAS/link.png", "leads out of the project"],
    ["@zero#L1", "lies outside"],
  ])("what leads elsewhere is not sent: %s", async (mention, reason) => {
    const { chat, nvim, project, outside, victim } = await inProject();
    await using _chat = chat;
    const png = Buffer.from("89504e470d0a1a0a0000000d", "hex");
    await writeFile(join(outside, "dot.png"), png);
    await mkdir(join(project, ".git"), { recursive: true });
    await writeFile(join(project, ".git/config"), SECRET);
    await writeFile(join(project, ".env"), SECRET);
    await symlink(victim, join(project, "link"));
    await symlink(outside, join(project, "linked"));
    await symlink(".git/config", join(project, "config"));
    await symlink(".env", join(project, "env"));
    await symlink("/dev/zero", join(project, "zero"));
    await symlink(join(outside, "dot.png"), join(project, "link.png"));
    await execa("mkfifo", [join(project, "pipe")]);
    await symlink(project, join(outside, "alias"));
    const named = mention.replace("ALIAS", join(outside, "alias"));
    const refused = await nvim.lua<string>(RESOLVE, `See ${named} there`, project);
    expect(refused).toContain(reason);
    expect(refused).not.toContain("secret");
    // What the user names itself is meant, and a link within the project is as good as the file.
    await writeFile(join(project, "plain"), "plain\n");
    await symlink("plain", join(project, "alias"));
    const wanted = await nvim.lua<string>(
      RESOLVE,
      `See @.env#L1 and @alias#L1 and @image:${join(outside, "dot.png")} there`,
      project,
    );
    expect(wanted).toContain("a secret");
    expect(wanted).toContain("plain");
    expect(wanted).toContain("data:image");
  });

  it("a buffer that was read through a link for a moment tells the agent nothing of it", async () => {
    const { chat, nvim, project, victim } = await inProject([
      "--cmd",
      "autocmd BufReadPost notes.txt lua if _G.back then _G.back() end",
    ]);
    await using _chat = chat;
    const path = join(project, "notes.txt");
    await writeFile(path, "harmless\n");
    const told = await nvim.lua<Record<string, string>>(
      `local path, victim, root = ...
       _G.back = function()
         os.remove(path)
         vim.fn.writefile({ "harmless" }, path)
       end
       vim.api.nvim_create_autocmd("BufReadPre", {
         pattern = "notes.txt",
         callback = function()
           os.remove(path)
           vim.uv.fs_symlink(victim, path)
         end,
       })
       vim.cmd.enew()
       vim.cmd.edit(path)
       local tools = require("codex-chat.tools.buffers")
       local _, lsp = nil, ""
       require("codex-chat.tools.lsp").run(
         root,
         { action = "hover", path = "notes.txt", line = 1, symbol = "secret" },
         function(text, err) lsp = text or err end
       )
       local function modified()
         vim.api.nvim_buf_set_lines(0, -1, -1, false, { "more" })
         local text, err = tools.read_buffer(root, { path = "notes.txt" })
         return text or err
       end
       return {
         shown = vim.fn.getline(1),
         read = tools.read_buffer(root, { path = "notes.txt" }),
         line = tools.cursor(root),
         lsp = lsp,
         modified = modified(),
       }`,
      path,
      victim,
      project,
    );
    expect(told["shown"]).toContain("secret");
    expect(told["read"]).toBe("harmless");
    expect(told["line"]).not.toContain("a secret");
    expect(told["lsp"]).toContain("does not have secret");
    expect(told["modified"]).toContain("came from elsewhere");
  });

  it.each([
    ["latin1", Buffer.from("caf\xe9\r\ncr\r\n", "latin1"), "café\ncr"],
    ["mixed line ends", Buffer.from("a\r\nb\nc"), "a\r\nb\nc"],
    ["a mark of UTF-8", Buffer.from("\ufeffa\n\n"), "a\n"],
    ["UTF-16", Buffer.from("\ufeffé\nx\n", "utf16le"), "é\nx"],
    ["nothing", Buffer.from(""), ""],
  ])("a buffer of the project's is told as the editor shows it: %s", async (_name, bytes, text) => {
    const { chat, nvim, project } = await inProject();
    await using _chat = chat;
    const path = join(project, "notes.txt");
    await writeFile(path, bytes);
    const told = await nvim.lua<string[]>(
      `local path, root = ...
       vim.cmd.enew()
       vim.cmd.edit(path)
       local tools = require("codex-chat.tools.buffers")
       local before = tools.read_buffer(root, { path = "notes.txt" })
       vim.api.nvim_buf_set_lines(0, -1, -1, false, { "more" })
       local after, err = tools.read_buffer(root, { path = "notes.txt" })
       return { before, after or err }`,
      path,
      project,
    );
    expect(told).toEqual([text, `${text}\nmore`]);
  });
});
