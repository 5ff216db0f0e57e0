import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** Writes a command with a long output, which is folded. */
async function command(chat: OpenChat): Promise<void> {
  const lines = ["```console output", ...Array.from({ length: 20 }, (_, n) => `line ${n}`), "```"];
  await chat.edit(
    { op: "insert", id: "a", after: "history", lines: ["**Ran** `ls` · exit 0"], gap: 1 },
    { op: "insert", id: "a.out", after: "a", lines, gap: 0 },
    { op: "fold", from: "a.out", to: "a.out", label: "output" },
  );
}

const FOLDED = `vim.fn.foldclosedend(vim.fn.search("^\\\\*\\\\*Ran", "nw"))
  - vim.fn.search("^\\\\*\\\\*Ran", "nw") >= 21`;

/** A plugin that replaces the folds of each buffer that it is attached to, as nvim-ufo does. */
const FOLDS_ALL = `
  local attached, refused = {}, {}
  package.loaded["ufo"] = {
    detach = function(buf)
      refused[buf], attached[buf] = true, nil
    end,
  }
  local function attach(buf)
    attached[buf] = not refused[buf] or nil
  end
  attach(vim.api.nvim_get_current_buf())
  vim.api.nvim_create_autocmd({ "BufWinEnter", "TextChanged", "CursorMoved" }, {
    callback = function(args)
      if args.event == "BufWinEnter" then
        attach(args.buf)
      elseif attached[args.buf] then
        vim.cmd("normal! zE")
      end
    end,
  })`;

describe.each(neovims)("a chat's folds on Neovim $name", (program) => {
  const config = { window: { startinsert: false } };

  it("are kept from a plugin that makes the folds of every buffer", async () => {
    await using chat = await openChat({ program, config });
    const { nvim } = chat;
    await command(chat);
    await nvim.until(FOLDED);
    // Loaded for another file, it attaches to all windows.
    await nvim.lua(FOLDS_ALL);
    await nvim.command("wincmd p");
    await nvim.command("wincmd p");
    await nvim.type("ggG");
    await nvim.lua("vim.api.nvim_exec_autocmds('CursorMoved', { buffer = 0 })");
    expect(await nvim.lua(`return ${FOLDED}`)).toBe(true);
    // Loaded before the next conversation.
    await nvim.command("CodexChat new");
    const buf = await nvim.buf();
    expect(buf).not.toBe(chat.buf);
    await nvim.type("gg");
    await nvim.lua("vim.api.nvim_exec_autocmds('CursorMoved', { buffer = 0 })");
    await nvim.until("vim.fn.foldclosed(1)", 1);
  });

  it.each([
    "v:lua.vim.treesitter.foldexpr()",
    "nvim_treesitter#foldexpr()",
    "v:lua.vim.lsp.foldexpr()",
  ])("are kept where every file type gets %s", async (expression) => {
    const set = `autocmd FileType * setlocal foldmethod=expr foldexpr=${expression}`;
    await using chat = await openChat({ program, config, args: ["--cmd", set] });
    await command(chat);
    await chat.nvim.until(FOLDED);
  });

  it("are the user's where the file type has a method of its own", async () => {
    const set = "autocmd FileType codexchat setlocal foldmethod=expr foldexpr=0";
    await using chat = await openChat({ program, config, args: ["--cmd", set] });
    expect(await chat.nvim.lua("return vim.wo.foldmethod")).toBe("expr");
  });
});
