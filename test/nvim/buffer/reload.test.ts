import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

const EVIL = "-- vim: set textwidth=33 path=evil foldmethod=expr foldexpr=evil():";

/** What a file that acts has done. */
const DONE = `return {
  modeline = vim.bo.textwidth == 33 or vim.bo.path == "evil" or vim.wo.foldexpr == "evil()",
  editorconfig = vim.bo.shiftwidth == 5 or vim.bo.fileencoding == "latin1",
  ftplugin = vim.g.fired ~= nil, filetype = vim.bo.filetype }`;

const NOTHING = { modeline: false, editorconfig: false, ftplugin: false, filetype: "lua" };
const ALL = { modeline: true, editorconfig: true, ftplugin: true, filetype: "lua" };

/** What is set aside for a moment. */
const KEPT = "return { vim.bo.modeline, vim.b.editorconfig or {}, vim.o.eventignore }";

/** A user who trusts files a good deal, with a file of the project open. */
async function openFile(nvim: Neovim, dir: string): Promise<void> {
  await writeFile(join(dir, "a.lua"), "one\n");
  await nvim.lua(
    `local dir = ...
     vim.cmd("set modeline modelineexpr autoread exrc fileencodings=utf-8,latin1")
     vim.opt.runtimepath:prepend(dir)
     vim.cmd("filetype plugin indent on | stopinsert")
     vim.cmd.edit(dir .. "/a.lua")`,
    dir,
  );
}

/** Does to the project what would have the editor do things by itself. */
async function plant(dir: string, text = `two two two\n${EVIL}\n`): Promise<void> {
  await mkdir(join(dir, "ftplugin"), { recursive: true });
  await writeFile(join(dir, "ftplugin/lua.lua"), "vim.g.fired = (vim.g.fired or 0) + 1\n");
  await writeFile(join(dir, ".nvim.lua"), "vim.g.fired = 100\n");
  await writeFile(join(dir, ".exrc"), "let g:fired = 100\n");
  await writeFile(
    join(dir, ".editorconfig"),
    "root = true\n[*]\nindent_style = space\nindent_size = 5\ncharset = latin1\n",
  );
  await writeFile(join(dir, "a.lua"), text);
}

async function elsewhere(): Promise<string> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), "codex-chat-other-")));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe.each(neovims)("a file that the agent changed, on Neovim $name", (program) => {
  const opened = async (): Promise<OpenChat> => {
    const chat = await openChat({ program });
    await chat.nvim.command("wincmd p");
    return chat;
  };

  it("has effects when plain Neovim reloads it (the control)", async () => {
    await using nvim = await startNeovim({ program, bare: true });
    await openFile(nvim, nvim.cwd);
    expect(await nvim.lua(DONE)).toEqual(NOTHING);
    await plant(nvim.cwd);
    await nvim.command("checktime");
    expect(await nvim.lua(DONE)).toEqual(ALL);
  });

  it("is plain text and nothing else when the host reloads it", async () => {
    await using chat = await opened();
    const { nvim, host } = chat;
    await openFile(nvim, nvim.cwd);
    await nvim.lua("vim.b.editorconfig = { mine = 'kept' }; vim.o.eventignore = 'CursorHold'");
    await plant(nvim.cwd);
    await host.editor.call.buf_reload({ root: nvim.cwd });
    expect(await nvim.lines()).toEqual(["two two two", EVIL]);
    expect(await nvim.lua(DONE)).toEqual(NOTHING);
    expect(await nvim.lua(KEPT)).toEqual([true, { mine: "kept" }, "CursorHold"]);
  });

  it("is plain text and nothing else when Neovim reloads it on its own, in all its windows", async () => {
    await using chat = await opened();
    const { nvim } = chat;
    await openFile(nvim, nvim.cwd);
    await nvim.command("split");
    const before = await nvim.lua(KEPT);
    await plant(nvim.cwd);
    await nvim.command("checktime");
    expect(await nvim.lines()).toEqual(["two two two", EVIL]);
    expect(await nvim.lua(DONE)).toEqual(NOTHING);
    await nvim.command("wincmd j");
    expect(await nvim.lua(DONE)).toEqual(NOTHING);
    expect(await nvim.lua(KEPT)).toEqual(before);
  });

  it("gets its changes by small edits when Neovim has the focus again", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 24 } });
    const { nvim } = chat;
    await nvim.command("wincmd p");
    await openFile(nvim, nvim.cwd);
    await nvim.lua(
      `_G.reloads = 0
       vim.api.nvim_buf_attach(0, false, { on_reload = function() _G.reloads = _G.reloads + 1 end })`,
    );
    await plant(nvim.cwd);
    await nvim.request("nvim_ui_set_focus", false);
    await nvim.request("nvim_ui_set_focus", true);
    await expect.poll(() => nvim.lines()).toEqual(["two two two", EVIL]);
    expect(await nvim.lua(DONE)).toEqual(NOTHING);
    expect(await nvim.lua("return _G.reloads")).toBe(0);
  });

  it("keeps its filetype when it now looks like another one", async () => {
    await using chat = await opened();
    const { nvim, host } = chat;
    await openFile(nvim, nvim.cwd);
    await writeFile(join(nvim.cwd, "script"), "#!/bin/sh\n");
    await nvim.command("edit script");
    await nvim.lua(
      "vim.g.seen = {}; vim.cmd('au FileType * let g:seen += [expand(\"<amatch>\")]')",
    );
    await writeFile(join(nvim.cwd, "script"), "#!/usr/bin/lua\n");
    await host.editor.call.buf_reload({ root: nvim.cwd });
    expect(await nvim.lines()).toEqual(["#!/usr/bin/lua"]);
    expect(await nvim.lua("return { vim.bo.filetype, vim.g.seen }")).toEqual(["sh", []]);
  });

  it("has effects when the user opens it, like a file outside any project", async () => {
    await using chat = await opened();
    const { nvim } = chat;
    await openFile(nvim, nvim.cwd);
    await plant(nvim.cwd);
    await nvim.command("edit");
    expect(await nvim.lua(DONE)).toEqual(ALL);

    const dir = await elsewhere();
    await openFile(nvim, dir);
    await plant(dir);
    await nvim.command("checktime");
    expect(await nvim.lua("return vim.bo.textwidth")).toBe(33);
  });

  it("is not opened by a list of findings, whatever its name", async () => {
    await using chat = await opened();
    const { nvim, host } = chat;
    const odd = ["`touch fired`", "a|call writefile([], 'fired')", "*", "#", "%", "$HOME", "a\nb"];
    await host.editor.call.quickfix_set(
      odd.map((name) => ({
        path: join(nvim.cwd, name),
        line: 1,
        last: 1,
        title: "[P1] \u001b]52;c;aGk=\u0007 title",
        body: "",
      })),
    );
    const listed =
      "vim.tbl_map(function(it) return vim.fn.bufname(it.bufnr) end, vim.fn.getqflist())";
    expect(await nvim.lua<string[]>(`return ${listed}`)).toHaveLength(odd.length);
    const loaded = `vim.iter(vim.fn.getqflist()):any(function(it) return vim.fn.bufloaded(it.bufnr) == 1 end)`;
    expect(await nvim.lua(`return ${loaded}`)).toBe(false);
    await nvim.command("copen | cclose");
    expect(await nvim.lua(`return vim.uv.fs_stat("fired") ~= nil`)).toBe(false);
  });
});

describe.each(neovims)("a start-up file of the project, on Neovim $name", (program) => {
  it("runs with 'exrc' when Neovim starts there, but not when a conversation opens", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.command("stopinsert | set exrc");
    await writeFile(join(nvim.cwd, ".nvim.lua"), "vim.g.fired = 100\n");
    await nvim.lua(
      "vim.cmd.edit('.nvim.lua'); vim.secure.trust({ action = 'allow', bufnr = 0 }); vim.cmd.bdelete()",
    );
    await host.editor.call.buf_reload({ root: nvim.cwd });
    await nvim.command(`cd ${nvim.cwd} | CodexChat new`);
    expect(await nvim.lua("return vim.g.fired or 0")).toBe(0);

    await mkdir(join(nvim.home, "config/nvim"), { recursive: true });
    await writeFile(join(nvim.home, "config/nvim/init.lua"), "vim.o.exrc = true");
    const told = ["-c", "lua io.stdout:write(tostring(vim.g.fired))", "-c", "qa!"];
    const { stdout } = await execa(program.path, ["--headless", "-n", ...told], {
      cwd: nvim.cwd,
      env: Object.fromEntries(
        ["CONFIG", "DATA", "STATE", "CACHE"].map((name) => [
          `XDG_${name}_HOME`,
          join(nvim.home, name.toLowerCase()),
        ]),
      ),
    });
    expect(stdout).toContain("100");
  });
});
