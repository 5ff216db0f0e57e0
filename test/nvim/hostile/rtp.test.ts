import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../support/chat.ts";
import { ANSWER, HostileRuntime } from "../../support/hostile-runtime.ts";
import { type Neovim, type NeovimOptions, neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

async function freshDir(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-rtp-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A Neovim in a project in which everything is planted, before anything of it is looked for. */
async function start(
  options: NeovimOptions & { readonly path?: (dir: string) => Promise<string> },
): Promise<{ nvim: Neovim; host: TestHost; planted: HostileRuntime }> {
  const base = await freshDir();
  const dir = join(base, "project");
  // Neovim looks for these when it starts.
  for (const name of [".git", "after", "pack/a/start/b"])
    await mkdir(join(dir, name), { recursive: true });
  const host = await TestHost.start();
  onTestFinished(() => host.close());
  const { path = async (given) => given, ...rest } = options;
  const entry = await path(dir);
  const nvim = await startNeovim({
    config: { host_cmd: host.command },
    ...rest,
    cwd: dir,
    args: [
      ...["--cmd", `set runtimepath^=${entry} packpath^=${entry}`],
      ...[
        "--cmd",
        `set runtimepath+=${entry}/after`,
        "-c",
        "filetype plugin indent on | syntax on",
      ],
      ...(options.args ?? []),
    ],
  });
  onTestFinished(() => nvim.close());
  const planted = new HostileRuntime(dir, join(base, "mark"));
  await planted.plant(nvim);
  return { nvim, host, planted };
}

/** The groups at a place of the line that holds `text`. */
const GROUPS = `local text = ...
  local row = vim.fn.search("\\\\V" .. text, "nwc") - 1
  local column = vim.fn.getline(row + 1):find("answer", 1, true) or 1
  return vim.tbl_map(function(it) return it.opts.hl_group end,
    vim.inspect_pos(0, row, column - 1).extmarks)`;

/** Does all that the plugin does by itself or by a command that a user gives without a thought. */
async function useEverything(nvim: Neovim, host: TestHost): Promise<void> {
  const [opened, asked] = [host.of("chat/open").length, host.of("action/run").length];
  await nvim.command("CodexChat");
  const { buf } = await host.heard("chat/open", opened + 1);
  await host.editor.call.buf_set_edits(buf, [
    { op: "insert", id: "a", after: "history", lines: [...ANSWER], gap: 1 },
  ]);
  await nvim.command("stopinsert");
  await expect.poll(() => nvim.lua<string[]>(GROUPS, "local answer")).not.toEqual([]);
  await expect.poll(() => nvim.lua<string[]>(GROUPS, "def colours")).toEqual(["rubyDefine"]);
  await nvim.command("edit");
  // Every module there is, as what the agent does has them loaded.
  await nvim.lua(
    `for name in vim.fs.dir(vim.env.CODEX_CHAT_TEST_PLUGIN .. "/lua/codex-chat", { depth = 4 }) do
       local module = name:match("^(.*)%.lua$")
       if module and not module:find("^threads/find") and not module:find("worker") then
         require("codex-chat." .. module:gsub("/init$", ""):gsub("/", "."))
       end
     end`,
  );
  await nvim.lua("require('codex-chat.ui.page').show(..., 'page')", ANSWER);
  await nvim.command("redraw! | close");
  await nvim.command("CodexChat commits log");
  const { id } = await host.heard("action/run", asked + 1);
  await host.editor.call.action_answer(id, { ok: true, value: "commit 1234\n\n    evil\n" });
  await nvim.until("vim.bo.syntax", "git");
  await nvim.command("redraw! | close");
  await nvim.lua("require('codex-chat.outside.programs').copy('copied')");
}

const ways: Record<string, (dir: string) => Promise<string>> = {
  "by its path": async (dir) => dir,
  "by a link": async (dir) => {
    await symlink(dir, `${dir}-link`);
    return `${dir}-link`;
  },
  "by a relative path": async () => ".",
  "by its parent's other name": async (dir) => `${dir}/../project`,
};

describe.each(neovims)("a project on 'runtimepath' and 'packpath', on Neovim $name", (program) => {
  it.each(Object.keys(ways))("has nothing run or loaded if listed %s", async (name) => {
    const path = ways[name];
    const { nvim, host, planted } = await start({
      program,
      ...(path === undefined ? {} : { path }),
    });
    await useEverything(nvim, host);
    expect(await planted.ran()).toEqual([]);
    expect(await planted.mapped(nvim)).toEqual([]);
    // It is coloured by Neovim's own parsers and queries meanwhile, and 'runtimepath' is whole.
    await nvim.command("CodexChat");
    const groups = await nvim.lua<string[]>(GROUPS, "local answer");
    expect(groups).toContain("@variable.lua");
    expect(groups.join()).not.toContain("evil");
    expect(await nvim.lua("return vim.o.packpath ~= ''")).toBe(true);
  });

  it("has its files run and loaded by plain Neovim (the control)", async () => {
    const { nvim, planted } = await start({ program, bare: true });
    await nvim.lua(
      `vim.api.nvim_buf_set_lines(0, 0, -1, false, ...)
       vim.treesitter.get_string_parser(table.concat(..., "\\n"), "markdown"):parse(true)
       vim.bo.filetype = "codexchat"
       vim.bo.syntax = "git"
       pcall(require, "codex-chat.reload")
       pcall(vim.fn.setreg, "+", "x")`,
      ANSWER,
    );
    const ran = await planted.ran();
    for (const path of [
      "ftplugin/codexchat.lua",
      "after/ftplugin/codexchat.vim",
      "pack/a/start/b/ftplugin/codexchat.vim",
      "indent/codexchat.vim",
      "syntax/git.vim",
      "lua/codex-chat/reload/init.lua",
      "lua/vim/treesitter/languagetree.lua",
      "autoload/provider/clipboard.vim",
    ])
      expect(ran).toContain(path);
    expect(await planted.mapped(nvim)).toEqual(
      expect.arrayContaining(["parser/c.so", "parser/lua.so", "parser/markdown.so"]),
    );
  });

  it("is reported once, and a directory beside it is not reported", async () => {
    const { nvim, host } = await start({ program });
    const said = async () =>
      (await nvim.messages()).replaceAll("\n", " ").split("is on 'runtimepath'").length - 1;
    await nvim.command("CodexChat");
    await host.heard("chat/open");
    await expect.poll(said).toBe(1);
    await nvim.command("CodexChat new");
    await host.heard("chat/open", 2);
    expect(await said()).toBe(1);
    await using other = await startNeovim({ program, config: { host_cmd: host.command } });
    await other.command("CodexChat");
    await host.heard("chat/open", 3);
    expect(await other.messages()).not.toContain("runtimepath");
  });

  it("leaves the user's own chat settings in effect, including files added meanwhile", async () => {
    const own = await freshDir();
    await mkdir(join(own, "after", "ftplugin"), { recursive: true });
    const { nvim, host, planted } = await start({
      program,
      args: ["--cmd", `set runtimepath+=${own},${own}/after`],
    });
    await writeFile(
      join(own, "after", "ftplugin", "codexchat.lua"),
      `vim.b.own = true
       vim.opt.runtimepath:prepend("${own}/late")`,
    );
    await nvim.lua(
      `vim.api.nvim_create_autocmd("FileType", { pattern = "codexchat", callback = function()
         vim.g.by_autocmd = (vim.g.by_autocmd or 0) + 1
       end })`,
    );
    const before = await nvim.lua<string>("return vim.o.runtimepath");
    await nvim.command("CodexChat");
    await host.heard("chat/open");
    expect(await nvim.lua("return { vim.b.own, vim.g.by_autocmd }")).toEqual([true, 1]);
    expect(await nvim.lua("return vim.o.runtimepath")).toBe(`${own}/late,${before}`);
    expect(await planted.ran()).toEqual([]);
  });

  it("has nothing run through a symlink in the user's own files", async () => {
    const own = await freshDir();
    const { nvim, host, planted } = await start({
      program,
      args: ["--cmd", `set runtimepath^=${own}`],
    });
    for (const kind of ["ftplugin", "parser"]) await mkdir(join(own, kind));
    for (const path of ["ftplugin/codexchat.vim", "parser/lua.so", "parser/c.so"])
      await symlink(join(planted.dir, path), join(own, path));
    await useEverything(nvim, host);
    expect(await planted.ran()).toEqual([]);
    expect(await planted.mapped(nvim)).toEqual([]);
  });

  it("does not parse an answer with its own parser, even if the user has loaded it", async () => {
    const { nvim, host, planted } = await start({ program });
    await nvim.lua(
      "vim.treesitter.language.add('c', { path = ... })",
      `${planted.dir}/parser/c.so`,
    );
    await nvim.command("CodexChat");
    const { buf } = await host.heard("chat/open");
    await host.editor.call.buf_set_edits(buf, [
      { op: "insert", id: "a", after: "history", lines: [...ANSWER], gap: 1 },
    ]);
    await expect.poll(() => nvim.lua<string[]>(GROUPS, "local answer")).toContain("@variable.lua");
    expect(await nvim.lua("return require('codex-chat.highlight.languages').of_word('C')")).toBe(
      false,
    );
    expect(await nvim.lua("return require('codex-chat.highlight.languages').of_word('evil')")).toBe(
      false,
    );
    expect(await planted.mapped(nvim)).toEqual(["parser/c.so"]);
  });

  it("does not stop highlighting when the user's parsers are added later or replaced", async () => {
    const own = await freshDir();
    await mkdir(join(own, "parser"));
    await using chat = await openChat({ program });
    const copied = await chat.nvim.lua<string>(
      `local own = ...
       require("codex-chat.highlight.trees").parse("*a*\\n", "markdown")
       for _, name in ipairs({ "markdown", "markdown_inline", "lua" }) do
         local from = vim.api.nvim_get_runtime_file("parser/" .. name .. ".so", false)[1]
         assert(vim.uv.fs_copyfile(from, own .. "/parser/" .. name .. ".so"))
       end
       vim.opt.runtimepath:prepend(own)
       return own`,
      own,
    );
    const names = () =>
      chat.nvim.lua<string[]>(
        `local found = require("codex-chat.highlight.trees").parse("*a*\\n\\n\`\`\`lua\\nlocal x\\n\`\`\`\\n", "markdown")
         return vim.tbl_map(function(it) return it.language.name end, found or {})`,
      );
    const all = ["lua", "markdown", "markdown_inline"];
    expect((await names()).sort()).toEqual(all);
    // Neovim had no parser of this one before: it has the user's, which is updated then.
    expect(await chat.nvim.lua("return vim.fn.readfile('/proc/self/maps')")).toContainEqual(
      expect.stringContaining(join(copied, "parser", "lua.so")),
    );
    const update = `local path = ... .. "/parser/lua.so"
      assert(vim.uv.fs_copyfile(path, path .. ".new"))
      assert(vim.uv.fs_rename(path .. ".new", path))
      vim.opt.runtimepath:append(... .. "/more")`;
    await chat.nvim.lua(update, own);
    expect((await names()).sort()).toEqual(all);
    await chat.nvim.lua(
      `os.remove(... .. "/parser/lua.so") vim.opt.runtimepath:append(... .. "/yet-more")`,
      own,
    );
    expect((await names()).sort()).toEqual(all);
    // What becomes a project is none of the user's any more.
    await chat.nvim.lua("require('codex-chat.outside').add(...)", own);
    expect((await names()).sort()).toEqual(["markdown", "markdown_inline"]);
  });

  it("includes any directory that the configuration makes writable", async () => {
    const shared = await freshDir();
    const config = { sandbox: { mounts: [{ source: shared, write: true }, "/srv"] } };
    await using chat = await openChat({ program, config });
    const resolve = (path: string) =>
      chat.nvim.lua(`return { require("codex-chat.outside").resolve(...) }`, path);
    expect(await resolve(`${shared}/a`)).toEqual([null, "project", shared]);
    expect(await resolve("/srv")).toEqual(["/srv"]);
    const states = dirname(dirname(dirname(chat.path)));
    expect(await resolve(chat.path)).toEqual([null, "project", states]);
  });

  it("is reported if it is below a directory that Neovim loads from", async () => {
    const own = await freshDir();
    const cwd = join(own, "lua", "mine");
    await mkdir(join(cwd, ".git"), { recursive: true });
    await mkdir(join(own, "ftplugin"));
    await symlink(join(cwd, "chat.vim"), join(own, "ftplugin", "codexchat.vim"));
    await writeFile(join(cwd, "chat.vim"), "let g:fired = 1\n");
    const args = ["--cmd", `set runtimepath^=${own}`, "-c", "filetype plugin on"];
    await using chat = await openChat({ program, cwd, args });
    await expect
      .poll(async () => (await chat.nvim.messages()).replaceAll("\n", ""))
      .toContain(`${cwd} is on 'runtimepath'`);
    expect(await chat.nvim.lua("return vim.g.fired")).toBe(null);
  });

  it("is not reported if Neovim loads nothing from that part of the directory", async () => {
    const own = await freshDir();
    const cwd = join(own, ".cache", "mine");
    await mkdir(join(cwd, ".git"), { recursive: true });
    const args = ["--cmd", `set runtimepath^=${own}`];
    await using chat = await openChat({ program, cwd, args });
    expect(await chat.nvim.lua("return require('codex-chat.outside.runtime').warn()")).toBe(null);
    expect(await chat.nvim.messages()).not.toContain("runtimepath");
  });

  it("still counts as one in another Neovim, and if it was opened earlier", async () => {
    const { nvim, host, planted } = await start({ program });
    await nvim.command("CodexChat");
    const { project_dir: state } = await host.heard("chat/open");
    // The host makes it with the first turn.
    await mkdir(state, { recursive: true });
    await using other = await startNeovim({
      program,
      config: { host_cmd: host.command },
      home: nvim.home,
      args: ["--cmd", `set runtimepath^=${planted.dir}`],
    });
    await useEverything(other, host);
    expect(await planted.ran()).toEqual([]);
    expect(await planted.mapped(other)).toEqual([]);
  });
});

describe.each(neovims)("the plugin's modules on Neovim $name", (program) => {
  it("come from its own directory even if a configuration requires one before Neovim has started", async () => {
    const { nvim, planted } = await start({
      program,
      args: ["--cmd", "lua vim.loader.enable() require('codex-chat')"],
    });
    await nvim.lua("require('codex-chat.reload'); require('codex-chat').chats()");
    await nvim.command("checkhealth codex-chat");
    expect((await nvim.lines()).join("\n")).toContain("The configuration is valid.");
    expect(await planted.ran()).toEqual([]);
    expect(await nvim.lua("return { pcall(require, 'codex-chat.new') }")).toEqual([
      false,
      expect.stringContaining("there is no module `codex-chat.new`"),
    ]);
    expect(await planted.ran()).toEqual([]);
  });
});
