import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

describe.each(neovims)("files that an undo left as they were, on Neovim $name", (program) => {
  it("are in the quickfix list with both versions", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const file = join(nvim.cwd, "ä b.lua");
    const wanted = join(nvim.home, "wanted");
    await writeFile(file, "mine\n");
    await writeFile(wanted, "local x = 1 -- vim: set tw=33:\r\nlocal y = 2\r\n");
    await nvim.command("wincmd p");
    await nvim.lua("vim.cmd('set modeline'); vim.cmd.edit(vim.fn.fnameescape(...))", file);
    await nvim.lua("vim.bo.fileformat = 'dos'; vim.bo.modified = false");
    const count = await nvim.lua(
      `local file, wanted = ...
       return require("codex-chat.review.conflicts").show({
         queries = {}, files = {}, others = {},
         conflicts = { { path = file, why = "you changed it", wanted = wanted },
                       { path = file .. "2", why = "it is gone" } } })`,
      file,
      wanted,
    );
    expect(count).toBe(2);
    expect(await nvim.lua("return vim.fn.getqflist({ title = 1 }).title")).toBe(
      "Left as they were",
    );
    expect(
      await nvim.lua(
        `return vim.tbl_map(function(entry)
           return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(entry.bufnr), ":t") .. ": " .. entry.text
         end, vim.fn.getqflist())`,
      ),
    ).toEqual([
      "ä b.lua: you changed it",
      "ä b.lua: the version that was to be restored",
      "ä b.lua2: it is gone",
    ]);
    await nvim.command("cc 2");
    expect(await nvim.lines(0)).toEqual(["local x = 1 -- vim: set tw=33:", "local y = 2"]);
    expect(
      await nvim.lua(
        "return { vim.bo.filetype, vim.bo.textwidth, vim.bo.modifiable, vim.bo.buftype }",
      ),
    ).toEqual(["lua", 0, false, "nofile"]);
    expect(await nvim.messages()).toContain("2 files changed since");
  });

  it("leave the quickfix list alone if there are none", async () => {
    await using chat = await openChat({ program });
    const count = await chat.nvim.lua(
      `vim.fn.setqflist({}, " ", { title = "mine" })
       return require("codex-chat.review.conflicts").show(
         { queries = {}, files = {}, others = {}, conflicts = {} })`,
    );
    expect(count).toBe(0);
    expect(await chat.nvim.lua("return vim.fn.getqflist({ title = 1 }).title")).toBe("mine");
  });
});
