import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** A project with files, and a chat beside a window, in which the cursor is. */
async function opened(options: Parameters<typeof openChat>[0], follow = true): Promise<OpenChat> {
  const chat = await openChat({ ...options, config: { window: { follow } } });
  const { cwd } = chat.nvim;
  mkdirSync(join(cwd, "src"));
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index + 1}`).join("\n");
  writeFileSync(join(cwd, "src/a.lua"), `${lines}\n-- vim: set tabstop=3 :\n`);
  writeFileSync(join(cwd, "b.txt"), "b\n");
  await chat.nvim.command("stopinsert");
  return chat;
}

/** What each window shows, the current one with a star; `cwd` is left out. */
async function shown({ nvim, buf }: OpenChat): Promise<unknown> {
  return nvim.lua(
    `local cwd, chat = ...
    return vim.tbl_map(function(win)
      local buf = vim.api.nvim_win_get_buf(win)
      local name = buf == chat and "chat" or vim.api.nvim_buf_get_name(buf):gsub("^" .. vim.pesc(cwd) .. "/", "")
      return name .. (win == vim.api.nvim_get_current_win() and "*" or "")
    end, vim.api.nvim_tabpage_list_wins(0))`,
    nvim.cwd,
    buf,
  );
}

const tell = ({ host, nvim, buf }: OpenChat, name: string, line?: number) =>
  host.editor.call.buf_show_file(buf, {
    path: join(nvim.cwd, name),
    ...(line === undefined ? {} : { line }),
  });

describe.each(neovims)("the window beside the chat on Neovim $name", (program) => {
  it("follows the files of Codex, and the focus stays", async () => {
    await using chat = await opened({ program });
    await tell(chat, "src/a.lua", 40);
    expect(await shown(chat)).toEqual(["src/a.lua", "chat*"]);
    expect(
      await chat.nvim.lua(`local win = vim.api.nvim_tabpage_list_wins(0)[1]
        local buf = vim.api.nvim_win_get_buf(win)
        return { vim.api.nvim_win_get_cursor(win)[1], vim.bo[buf].filetype, vim.bo[buf].tabstop, vim.bo[buf].buflisted }`),
    ).toEqual([40, "lua", 8, true]);
    await tell(chat, "b.txt", 999);
    expect(await shown(chat)).toEqual(["b.txt", "chat*"]);
  });

  it("follows nothing without the setting", async () => {
    await using chat = await opened({ program }, false);
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["", "chat*"]);
  });

  it("is left alone while the user is in it, or has unsaved changes in it", async () => {
    await using chat = await opened({ program });
    const { nvim } = chat;
    await nvim.command("wincmd p");
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["*", "chat"]);
    await nvim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'mine' })");
    await nvim.command("wincmd p");
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["", "chat*"]);
  });

  it("is neither a float nor a diff nor a window of another tab page", async () => {
    await using chat = await opened({ program });
    const { nvim } = chat;
    await nvim.lua(`vim.api.nvim_win_call(vim.api.nvim_tabpage_list_wins(0)[1], function() vim.cmd("diffthis") end)
      vim.api.nvim_open_win(vim.api.nvim_create_buf(true, false), false,
        { relative = "editor", row = 1, col = 1, width = 9, height = 2 })`);
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["", "chat*", ""]);
    await nvim.command("diffoff!");
    await nvim.command("tabnew");
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["*"]);
  });

  it("shows no file outside of the project, behind a link, with secrets or of git", async () => {
    await using chat = await opened({ program });
    const { cwd, home } = chat.nvim;
    writeFileSync(join(home, "secret"), "secret\n");
    symlinkSync(join(home, "secret"), join(cwd, "link"));
    symlinkSync(home, join(cwd, "home"));
    writeFileSync(join(cwd, ".env"), "KEY=1\n");
    writeFileSync(join(cwd, ".git/config"), "\n");
    writeFileSync(join(cwd, "binary"), "\0");
    for (const name of ["link", "home/secret", ".env", ".git/config", "binary", "none", "src"])
      await tell(chat, name);
    await chat.host.editor.call.buf_show_file(chat.buf, { path: join(home, "secret") });
    await chat.host.editor.call.buf_show_file(chat.buf, { path: `${cwd}/src/../../x` });
    expect(await shown(chat)).toEqual(["", "chat*"]);
  });

  it("asks nothing about a swap file", async () => {
    await using chat = await opened({ program });
    await using other = await openChat({ program, cwd: chat.nvim.cwd });
    for (const { nvim } of [chat, other])
      await nvim.command(`set swapfile updatecount=200 directory=${chat.nvim.home}`);
    await other.nvim.command("wincmd p");
    await other.nvim.command("edit b.txt");
    await other.nvim.lua(
      "vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'mine' }) vim.cmd('preserve')",
    );
    await tell(chat, "b.txt");
    expect(await shown(chat)).toEqual(["b.txt", "chat*"]);
  });
});
