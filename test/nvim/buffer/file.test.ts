import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("the file of a chat on Neovim $name", (program) => {
  /** A chat that its host has, with a short text and nothing running. */
  async function quiet(): Promise<OpenChat> {
    const chat = await openChat({ program });
    await chat.setState({ phase: "idle" });
    await chat.nvim.keys("typed<Esc>");
    await chat.nvim.until("vim.fn.getline('$')", "typed");
    return chat;
  }
  const names = "vim.tbl_map(vim.api.nvim_buf_get_name, vim.api.nvim_list_bufs())";

  it.each(["write", "write!", "saveas", "saveas!"])(
    "is copied by :%s to another path, and keeps its own",
    async (command) => {
      await using chat = await quiet();
      const { nvim } = chat;
      const copy = join(nvim.cwd, "it's a [copy].md");
      await nvim.lua(
        "vim.cmd({ cmd = select(1, ...):gsub('!', ''), bang = select(1, ...):find('!') ~= nil, args = { vim.fn.fnameescape(select(2, ...)) } })",
        command,
        copy,
      );
      const text = `${(await nvim.lines()).join("\n")}\n`;
      expect(await readFile(copy, "utf8")).toBe(text);
      await nvim.until("vim.api.nvim_buf_get_name(0)", chat.path);
      // `:write` has Neovim remember the copy as the alternate file, as always.
      if (command.startsWith("saveas")) await nvim.until(names, ["", chat.path]);
      expect(await nvim.lua("return { vim.bo.modified, vim.bo.buftype, vim.bo.filetype }")).toEqual(
        [false, "acwrite", "codexchat"],
      );
      await nvim.command("write");
      await chat.host.heard("chat/save");
      expect(await nvim.messages()).not.toMatch(/E\d+:|rror/);
    },
  );

  it("does not overwrite another file with :write, only with :write!", async () => {
    await using chat = await quiet();
    const other = join(chat.nvim.cwd, "other.md");
    await writeFile(other, "mine\n");
    await chat.nvim.lua("pcall(vim.cmd.write, ...)", other);
    expect(await readFile(other, "utf8")).toBe("mine\n");
    await chat.nvim.lua("vim.cmd('write! ' .. ...)", other);
    expect(await readFile(other, "utf8")).toContain("typed");
  });

  it("keeps its name after :file", async () => {
    await using chat = await quiet();
    const { nvim } = chat;
    await nvim.command("file elsewhere.md");
    await nvim.until("vim.api.nvim_buf_get_name(0)", chat.path);
    expect(await nvim.messages()).toContain("the conversation stays");
    await nvim.until(names, ["", chat.path]);
  });

  it.each(["wq", "x", "xall", "wqall", "quit", "qall", "quit!"])(
    "does not stop Neovim from leaving with :%s",
    async (command) => {
      await using chat = await quiet();
      await chat.nvim.command("only");
      await chat.nvim.keys(`:${command}<CR>`);
      expect(await chat.nvim.exited).toBe(0);
    },
  );
});
