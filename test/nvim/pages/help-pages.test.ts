import { expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const screen = { columns: 120, rows: 30 };

it.each(neovims)(
  "q closes a page and goes back where one came from on Neovim $name",
  async (program) => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const wins = "vim.tbl_count(vim.api.nvim_list_wins())";
    await nvim.until("vim.api.nvim_get_mode().mode", "i");
    await nvim.keys("/help<C-s>");
    await nvim.until("vim.fn.bufname()", "codex-chat://help");
    await nvim.until("vim.api.nvim_get_mode().mode", "n");
    // Every subcommand has a line that says what it does, each slash command has, too.
    const lines = await nvim.lines();
    const names = await nvim.lua<string[]>(
      "return vim.tbl_keys(require('codex-chat.commands.subcommands').by_name)",
    );
    const about = new Map(lines.map((line) => line.trim().split(/\s{2,}/, 2) as [string, string]));
    expect(names.filter((name) => (about.get(name) ?? "").length < 5)).toEqual([]);
    const extra = await nvim.lua<string[]>(
      "return vim.tbl_keys(require('codex-chat.commands.help').about)",
    );
    expect(extra.filter((name) => !names.includes(name))).toEqual([]);
    expect(about.get("/compact")).toBe("summarizes what Codex remembers");
    expect(about.get("/explain")).toBeTruthy();
    // A page that is shown again, and one that was opened from it.
    await nvim.command("CodexChat help");
    await nvim.type("g?");
    await nvim.command("CodexChat preview words");
    await nvim.until("vim.fn.bufname()", "codex-chat://preview");
    await nvim.keys("q");
    await nvim.until("vim.fn.bufname()", "codex-chat://help");
    await nvim.keys("q");
    await nvim.until("vim.api.nvim_get_current_buf()", chat.buf);
    await nvim.until("vim.api.nvim_get_mode().mode", "i");
    expect(await nvim.lua(`return ${wins}`)).toBe(2);
    await nvim.keys("<Esc>");
    await nvim.until("vim.api.nvim_get_mode().mode", "n");
    // From a window that is not the one beside the page.
    await nvim.command("wincmd t | split | split");
    const from = await nvim.lua("return vim.api.nvim_get_current_win()");
    await nvim.command("CodexChat help");
    await nvim.keys("q");
    await nvim.until("vim.api.nvim_get_current_win()", from);
    expect(await nvim.mode()).toBe("n");
    // The chat itself is never closed by it.
    await nvim.command("CodexChat");
    expect(await nvim.lua("return vim.fn.maparg('q', 'n')")).toBe("");
  },
);

it.each(neovims)("a page has no marks, and lines that hang, on Neovim $name", async (program) => {
  await using chat = await openChat({ program, screen: { columns: 60, rows: 30 } });
  const { nvim } = chat;
  await nvim.lua(
    "require('codex-chat.ui.page').show(...)",
    ["# Title", "", "- **State** ready", `    <Up>  <C-p>    ${"word ".repeat(12).trim()}`],
    "test",
  );
  const lines = () => (nvim.screen?.lines() ?? []).map((line) => line.trimEnd());
  await expect
    .poll(() => lines().slice(lines().indexOf("Title")))
    .toEqual(
      expect.arrayContaining([
        "Title",
        "- State ready",
        `    <Up>  <C-p>    ${"word ".repeat(8).trim()}`,
        `${" ".repeat(19)}${"word ".repeat(4).trim()}`,
      ]),
    );
});

it.each(neovims)("g? shows the keys that the chat has on Neovim $name", async (program) => {
  await using chat = await openChat({
    program,
    screen,
    config: {
      window: { startinsert: false },
      keys: { next_turn: "<M-j>", prev_turn: false, accept: "y" },
    },
    args: [
      "-c",
      "autocmd FileType codexchat nnoremap <buffer> gy :let g:own = 1<CR>",
      "-c",
      "nmap <Leader>xx <Plug>(codex-chat-toggle)",
    ],
  });
  const { nvim } = chat;
  await nvim.type("g?");
  expect(await nvim.lua("return vim.fn.bufname()")).toBe("codex-chat://keys");
  const lines = (await nvim.lines()).map((line) => line.trim().replace(/ {2,}/g, " "));
  expect(lines).toEqual(
    expect.arrayContaining([
      "## Prompt",
      "<CR> send the prompt",
      "<C-s> send the prompt (insert mode)",
      "<M-j> next query",
      "gf gF <CR> go to the file or address under the cursor",
      "y accept once, on the question",
      "g? show these keys",
      "\\xx toggle",
    ]),
  );
  expect(lines.filter((line) => /^(gy|\[\[|\]\]|a) /.test(line))).toEqual([]);
  // What it says is so.
  await nvim.type("q");
  expect(await nvim.buf()).toBe(chat.buf);
  const mapped = (lhs: string) =>
    nvim.lua<string>("return vim.fn.maparg(..., 'n', false, true).desc or ''", lhs);
  expect(await mapped("<M-j>")).toBe("codex-chat: next query");
  expect(await mapped("]]")).toBe("");
  expect(await mapped("[[")).toBe("");
  await nvim.type("gy");
  expect(await nvim.lua("return vim.g.own")).toBe(1);
});
