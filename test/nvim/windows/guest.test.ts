import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { type NeovimProgram, neovims } from "../../support/neovim.ts";

const screen = { columns: 200, rows: 40 };

/** A chat beside code, in normal mode, with files to go to. */
async function beside(
  program: NeovimProgram,
  more: { config?: Record<string, unknown>; settings?: string } = {},
): Promise<OpenChat> {
  const chat = await openChat({
    program,
    screen,
    ...(more.config === undefined ? {} : { config: more.config }),
    args: ["-c", `silent! edit code.lua | ${more.settings ?? "let g:none = 1"}`],
  });
  const { nvim } = chat;
  await nvim.keys("<Esc>");
  await nvim.until("vim.api.nvim_get_mode().mode", "n");
  await mkdir(join(nvim.cwd, "src", "deep"), { recursive: true });
  const lines = Array.from({ length: 40 }, (_, n) => `${n + 1} some words of a line`);
  for (const name of ["src/a.lua", "src/größe und maß.lua", "b.lua", "src/deep/c.lua"]) {
    await writeFile(join(nvim.cwd, name), `${lines.join("\n")}\n`);
  }
  return chat;
}

/** The width of the chat's window, of the others in their order, and whether the chat is current. */
const WIDTHS = `(function()
  local buf, found = ${"%d"}, { others = {} }
  for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    local width = vim.api.nvim_win_get_width(win)
    if vim.api.nvim_win_get_buf(win) == buf then
      found.chat = width
    else
      table.insert(found.others, width)
    end
  end
  return found
end)()`;

async function widths(chat: OpenChat): Promise<{ chat?: number; others: number[] }> {
  // An event of before must have been worked off.
  await chat.nvim.lua("vim.cmd.redraw()");
  return chat.nvim.lua(`return ${WIDTHS.replace("%d", String(chat.buf))}`);
}

async function untilWide(chat: OpenChat, columns: number): Promise<void> {
  await expect.poll(async () => (await widths(chat)).chat).toBe(columns);
}

/** Runs commands one by one, with all that each leads to. */
async function run(chat: OpenChat, ...commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    await chat.nvim.command(command);
    await chat.nvim.lua("vim.cmd.redraw()");
  }
}

describe.each(neovims)("a chat's width on Neovim $name", (program) => {
  it.each([
    ["a split in the code", "wincmd p | vsplit"],
    ["three splits", "wincmd p | vsplit | vsplit | split"],
    ["a split that is closed again", "wincmd p | vsplit | quit"],
    ["CTRL-W =", "wincmd p | vsplit | wincmd ="],
    ["help and quickfix", "help | wincmd p | copen"],
    ["a new window from the chat", "new | wincmd p | vnew"],
    ["setting 'winwidth'", "set winwidth=999 | wincmd p | wincmd p | wincmd p"],
    ["setting 'winminwidth'", "set winwidth=40 winminwidth=40 | wincmd p | vsplit"],
    ["a visit to another tabpage", "tabnew | vsplit | tabprevious"],
    ["a move to the left", "wincmd H"],
    ["a move below and back", "wincmd J | wincmd L"],
  ])("is kept after %s", async (_name, command) => {
    await using chat = await beside(program);
    expect((await widths(chat)).chat).toBe(90);
    await run(chat, ...command.split(" | "));
    await untilWide(chat, 90);
    for (const other of (await widths(chat)).others) expect(other).toBeGreaterThan(1);
  });

  it("is the width that the user set by hand, even after the chat was hidden", async () => {
    await using chat = await beside(program);
    await run(chat, "vertical resize 60");
    await run(chat, "wincmd p");
    await run(chat, "vsplit");
    await untilWide(chat, 60);
    await run(chat, "CodexChat toggle");
    expect((await widths(chat)).chat).toBeUndefined();
    await run(chat, "CodexChat toggle");
    await untilWide(chat, 60);
    await chat.nvim.keys("<Esc>");
    // From the other side.
    await run(chat, "wincmd t", "only", "CodexChat", "stopinsert", "wincmd p");
    await untilWide(chat, 60);
    await run(chat, "vertical resize +5");
    await untilWide(chat, 55);
    await run(chat, "vsplit", "CodexChat toggle", "CodexChat toggle");
    await untilWide(chat, 55);
  });

  it("follows the screen's width, and leaves every window some columns", async () => {
    await using chat = await beside(program);
    const { nvim } = chat;
    await run(chat, "wincmd p");
    const resize = async (columns: number): Promise<void> => {
      await nvim.request("nvim_ui_try_resize", columns, 30);
      await nvim.until("vim.o.columns", columns);
    };
    for (const [columns, chatColumns] of [
      [100, 50],
      [60, 49],
      [30, 19],
      [200, 90],
      [300, 135],
      [200, 90],
    ] as const) {
      await resize(columns);
      await untilWide(chat, chatColumns);
      for (const other of (await widths(chat)).others) expect(other).toBeGreaterThan(9);
    }
    await run(chat, "vsplit", "vsplit");
    for (const columns of [120, 90, 200]) {
      await resize(columns);
      await untilWide(chat, Math.max(50, columns * 0.45));
      for (const other of (await widths(chat)).others) expect(other).toBeGreaterThan(5);
    }
    await run(chat, "tabnew");
    await resize(120);
    await run(chat, "tabprevious");
    await untilWide(chat, 54);
  });

  it("is restored after it filled the whole screen or shrank to nothing", async () => {
    await using chat = await beside(program);
    await run(chat, "only");
    await untilWide(chat, 200);
    await run(chat, "leftabove vnew");
    await untilWide(chat, 90);
    await run(chat, "wincmd |");
    await untilWide(chat, 1);
    await run(chat, "wincmd =");
    await untilWide(chat, 90);
    await run(chat, "wincmd |");
    await untilWide(chat, 1);
    await run(chat, "CodexChat");
    await untilWide(chat, 90);
  });

  it("is not kept if the user does not want it", async () => {
    await using chat = await beside(program);
    await run(chat, "setlocal nowinfixwidth");
    await run(chat, "wincmd p");
    await run(chat, "vsplit");
    await untilWide(chat, 66);
  });

  it("is a number of columns if configured so, as far as there are any", async () => {
    await using chat = await beside(program, { config: { window: { size: 70 } } });
    await untilWide(chat, 70);
    await chat.nvim.request("nvim_ui_try_resize", 300, 30);
    await chat.nvim.until("vim.o.columns", 300);
    await untilWide(chat, 70);
    await chat.nvim.request("nvim_ui_try_resize", 60, 30);
    await chat.nvim.until("vim.o.columns", 60);
    await untilWide(chat, 49);
    await chat.nvim.request("nvim_ui_try_resize", 200, 30);
    await chat.nvim.until("vim.o.columns", 200);
    await untilWide(chat, 70);
  });

  it("leaves the other windows unchanged when the chat is hidden", async () => {
    await using chat = await beside(program);
    await run(chat, "CodexChat toggle");
    await run(chat, "vsplit");
    await run(chat, "vertical resize 140");
    await run(chat, "split");
    await run(chat, "resize 5");
    const look =
      "return vim.tbl_map(function(w) return { vim.api.nvim_win_get_width(w), vim.api.nvim_win_get_height(w) } end, vim.api.nvim_tabpage_list_wins(0))";
    const before = await chat.nvim.lua(look);
    await run(chat, "CodexChat toggle");
    await untilWide(chat, 90);
    await run(chat, "stopinsert");
    await run(chat, "CodexChat toggle");
    expect(await chat.nvim.lua(look)).toEqual(before);
  });

  it("is a height if the chat is below", async () => {
    await using chat = await beside(program, { config: { window: { position: "bottom" } } });
    const high = await chat.nvim.lua("return vim.api.nvim_win_get_height(0)");
    await run(chat, "wincmd p");
    await run(chat, "split");
    await run(chat, "vsplit");
    await run(chat, "wincmd =");
    const look = `vim.api.nvim_win_get_height(vim.fn.bufwinid(${chat.buf}))`;
    expect(await chat.nvim.lua(`return ${look}`)).toBe(high);
  });
});

/** Names of the buffers in the windows of this tabpage, in their order, and of the current one. */
const BUFFERS = `(function()
  local function name(win)
    local path = vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(win))
    return path:find("/chats/", 1, true) and "chat" or vim.fs.basename(path)
  end
  return { vim.tbl_map(name, vim.api.nvim_tabpage_list_wins(0)), name(0) }
end)()`;

describe.each(neovims)("a chat's place on Neovim $name", (program) => {
  const resize = async ({ nvim }: OpenChat, columns: number, rows: number): Promise<void> => {
    await nvim.request("nvim_ui_try_resize", columns, rows);
    await nvim.until("{ vim.o.columns, vim.o.lines }", [columns, rows]);
  };

  it("may be a float, which keeps its share of the screen, and the user's", async () => {
    await using chat = await beside(program, { config: { window: { position: "float" } } });
    const { nvim } = chat;
    const size = () =>
      nvim.lua(
        `local win = vim.fn.bufwinid(...)
         return { vim.api.nvim_win_get_width(win), vim.api.nvim_win_get_height(win) }`,
        chat.buf,
      );
    const untilSize = (width: number, height: number) => expect.poll(size).toEqual([width, height]);
    expect(await nvim.lua("return vim.api.nvim_win_get_config(0).relative")).toBe("editor");
    await untilSize(90, 31);
    await resize(chat, 120, 30);
    await untilSize(54, 23);
    await resize(chat, 40, 10);
    await untilSize(38, 7);
    await resize(chat, 200, 40);
    await untilSize(90, 31);
    await run(chat, "vertical resize 120", "wincmd p", "vsplit", "wincmd =");
    await untilSize(120, 31);
    await resize(chat, 100, 40);
    await untilSize(60, 31);
    await run(chat, "CodexChat toggle", "CodexChat toggle");
    await untilSize(60, 31);
    await nvim.keys("<Esc>");
    await resize(chat, 200, 40);
    await untilSize(120, 31);
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("is left by a float that would cover the file that the user goes to", async () => {
    await using chat = await beside(program, { config: { window: { position: "float" } } });
    const { nvim } = chat;
    for (const command of ["edit b.lua", "normal gf"]) {
      await nvim.lua("vim.api.nvim_buf_set_lines(..., -2, -1, false, { 'see b.lua:7' })", chat.buf);
      await run(chat, "normal! G$", command);
      await nvim.until(BUFFERS, [["b.lua"], "b.lua"]);
      await run(chat, "CodexChat", "stopinsert");
      // Nothing that was typed is lost.
      expect(await nvim.lua("return vim.fn.getline('$')")).toBe("see b.lua:7");
      await run(chat, "edit src/a.lua");
      await nvim.until(BUFFERS, [["a.lua"], "a.lua"]);
      await run(chat, "CodexChat", "stopinsert");
    }
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("may be the current window, whose width and buffer the user gets back", async () => {
    await using chat = await beside(program, { config: { window: { position: "current" } } });
    const { nvim } = chat;
    expect(await nvim.lua(`return ${BUFFERS}`)).toEqual([["chat"], "chat"]);
    await run(chat, "CodexChat toggle");
    expect(await nvim.lua(`return ${BUFFERS}`)).toEqual([["code.lua"], "code.lua"]);
    await run(chat, "vsplit b.lua", "vertical resize 70", "CodexChat", "stopinsert");
    expect(await nvim.lua(`return ${BUFFERS}`)).toEqual([["chat", "code.lua"], "chat"]);
    await untilWide(chat, 70);
    await run(chat, "wincmd p", "vsplit", "wincmd =");
    await untilWide(chat, 70);
    await resize(chat, 100, 40);
    await untilWide(chat, 50);
    await resize(chat, 200, 40);
    await untilWide(chat, 70);
    await run(chat, "CodexChat toggle");
    expect(await nvim.lua(`return ${BUFFERS}[1]`)).toEqual(["b.lua", "code.lua", "code.lua"]);
    expect(await nvim.lua("return vim.wo[vim.fn.win_getid(1)].winfixwidth")).toBe(false);
    // A list keeps its window.
    await run(chat, "copen", "CodexChat", "stopinsert");
    expect(await nvim.lua(`return ${BUFFERS}[1][4]`)).toBe("");
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });
});

describe.each(neovims)("a file that is opened from the chat on Neovim $name", (program) => {
  it.each([
    ["edit b.lua", "b.lua"],
    ["edit! b.lua", "b.lua"],
    ["edit +7 b.lua", "b.lua"],
    ["find b.lua", "b.lua"],
    ["bnext", "b.lua"],
    ["b#", "code.lua"],
    ["silent normal! \u001e", "code.lua"],
    ["cfirst", "a.lua"],
    ["cnext", "b.lua"],
    ["argument 1", "b.lua"],
    ["call nvim_win_set_buf(0, bufadd('b.lua'))", "b.lua"],
    ["lua vim.cmd.edit('b.lua') vim.api.nvim_win_set_cursor(0, { 7, 0 })", "b.lua"],
    ["lua vim.api.nvim_set_current_buf(vim.fn.bufadd('b.lua'))", "b.lua"],
    ["enew", ""],
    ["terminal true", "true"],
    ["edit .", ""],
  ])("opens in a code window with :%s", async (command, name) => {
    await using chat = await beside(program, { settings: "set number" });
    const { nvim } = chat;
    await nvim.lua(
      "vim.fn.setqflist({ { filename = 'src/a.lua', lnum = 3 }, { filename = 'b.lua', lnum = 7 } })",
    );
    await nvim.command("argadd b.lua");
    await nvim.command("wincmd p | edit code.lua | wincmd p | 0");
    const where = "return { vim.fn.line('.'), vim.fn.line('w0') }";
    const before = await nvim.lua(where);
    const options = "return { vim.wo.number, vim.wo.winfixwidth, vim.wo.foldtext, vim.wo.winbar }";
    await run(chat, command);
    await nvim.until(`#${BUFFERS}[1]`, 2);
    const current = expect.stringContaining(name);
    await expect.poll(() => nvim.lua(`return ${BUFFERS}`)).toEqual([[current, "chat"], current]);
    if (/7/.test(command)) expect((await nvim.cursor())[0]).toBe(7);
    if (!/terminal|edit \./.test(command)) {
      expect(await nvim.lua(options)).toEqual([true, false, "foldtext()", ""]);
    }
    await nvim.command("wincmd l");
    expect(await nvim.lua(where)).toEqual(before);
    expect((await widths(chat)).chat).toBe(90);
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("opens in a code window with <CR> in the quickfix list, reached from the chat", async () => {
    await using chat = await beside(program);
    const { nvim } = chat;
    await nvim.lua("vim.fn.setqflist({ { filename = 'b.lua', lnum = 7 } })");
    await run(chat, "set switchbuf=uselast", "copen");
    await nvim.type("<CR>");
    await nvim.until(BUFFERS, [["b.lua", "chat", ""], "b.lua"]);
    expect((await nvim.cursor())[0]).toBe(7);
    await untilWide(chat, 90);
  });

  it("gets a window beside the chat if there is none, or none that it may use", async () => {
    await using chat = await beside(program);
    await run(chat, "only", "edit b.lua");
    await chat.nvim.until(BUFFERS, [["b.lua", "chat"], "b.lua"]);
    await untilWide(chat, 90);
    await run(chat, "setlocal winfixbuf", "wincmd l", "edit src/a.lua");
    await chat.nvim.until(BUFFERS, [["b.lua", "a.lua", "chat"], "a.lua"]);
    await run(chat, "close", "wincmd h", "set nowinfixbuf nohidden", "normal! x", "wincmd l");
    await run(chat, "edit src/a.lua");
    await chat.nvim.until(BUFFERS, [["b.lua", "a.lua", "chat"], "a.lua"]);
    expect(await chat.nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("may take the window of a chat that is also shown elsewhere, or one whose chat is over", async () => {
    await using chat = await beside(program);
    await run(chat, "split", "edit b.lua");
    await chat.nvim.until(BUFFERS, [["code.lua", "b.lua", "chat"], "b.lua"]);
    await run(chat, "close", "tabnew");
    await chat.nvim.until(BUFFERS, [[""], ""]);
    await run(chat, "tabclose", "CodexChat", "stopinsert", "only");
    await run(chat, `bdelete ${chat.buf}`);
    await chat.nvim.until(`#${BUFFERS}[1]`, 1);
    expect(await chat.nvim.lua(`return ${BUFFERS}[2]`)).not.toBe("chat");
  });

  it("does not change the chat's width if a plugin resizes any window with a file", async () => {
    await using chat = await beside(program);
    await run(
      chat,
      "autocmd BufEnter * if &buftype == '' | execute 'vertical resize 120' | endif",
      "edit b.lua",
    );
    await chat.nvim.until(BUFFERS, [["b.lua", "chat"], "b.lua"]);
    await run(chat, "wincmd l", "vsplit", "close");
    await untilWide(chat, 90);
  });

  it("leaves a floating chat where it is", async () => {
    await using chat = await beside(program);
    await run(chat, "close");
    await chat.nvim.lua(
      "vim.api.nvim_open_win(..., true, { relative = 'editor', row = 1, col = 1, width = 60, height = 9 })",
      chat.buf,
    );
    await run(chat, "edit b.lua");
    await chat.nvim.until(BUFFERS, [["b.lua", "chat"], "b.lua"]);
  });

  it("replaces the chat if it is another chat", async () => {
    await using chat = await beside(program);
    await run(chat, "CodexChat new");
    await chat.nvim.until(`#${BUFFERS}[1]`, 2);
    expect(await chat.nvim.buf()).not.toBe(chat.buf);
    await run(chat, "stopinsert", `buffer ${chat.buf}`);
    expect(await chat.nvim.buf()).toBe(chat.buf);
    expect(await chat.nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
  });
});

/** What a user may have set for a window of the chat. */
const LOOKS = `(function()
  local wo = vim.wo
  return { wo.number, wo.relativenumber, wo.spell, wo.conceallevel, wo.foldcolumn, wo.signcolumn,
    wo.cursorline, wo.statuscolumn, wo.winhighlight, wo.listchars, wo.wrap, wo.foldlevel }
end)()`;
const OWN =
  "setlocal number relativenumber spell conceallevel=1 foldcolumn=2 signcolumn=yes cursorline statuscolumn=%l winhighlight=Normal:Pmenu listchars=tab:>> nowrap foldlevel=3";
const OWN_LOOKS = [
  ...[true, true, true, 1, "2", "yes", true, "%l", "Normal:Pmenu", "tab:>>", false, 3],
];
const DEFAULTS = [false, false, false, 2, "0", "yes:1"];

describe.each(neovims)("what the user sets for a chat's window on Neovim $name", (program) => {
  it.each([
    ["an autocommand for the file type", `autocmd FileType codexchat ${OWN}`, ""],
    [
      "an autocommand for the window",
      `autocmd BufWinEnter * if &ft == 'codexchat' | ${OWN} | endif`,
      "",
    ],
    ["a file in after/ftplugin", "", OWN],
    ["the user by hand", "", ""],
  ])("stays in effect wherever the chat is shown, if set by %s", async (_name, before, after) => {
    const args = ["-c", "set rtp+=$HOME/after", "-c", before || "let g:none = 1"];
    await using home = await openChat({ program });
    await home.nvim.lua("vim.fn.mkdir(vim.env.HOME .. '/after/ftplugin', 'p')");
    await writeFile(join(home.nvim.home, "after/ftplugin/codexchat.vim"), `${after}\n`);
    await using chat = await openChat({
      program,
      screen,
      args,
      home: home.nvim.home,
      config: { window: { startinsert: false } },
    });
    const { nvim } = chat;
    if (before === "" && after === "") {
      expect(await nvim.lua<unknown[]>(`return ${LOOKS}`)).toEqual(
        expect.arrayContaining(DEFAULTS),
      );
      await nvim.command(OWN);
    }
    const holds = async (commands: readonly string[]): Promise<void> => {
      expect([commands, await nvim.buf()]).toEqual([commands, chat.buf]);
      expect([commands, await nvim.lua(`return ${LOOKS}`)]).toEqual([commands, OWN_LOOKS]);
    };
    await holds([]);
    for (const commands of [
      ["CodexChat toggle", "CodexChat toggle"],
      ["split"],
      ["close", "vsplit"],
      ["close", "CodexChat", "tab split"],
      ["tabclose", "close", "CodexChat"],
      ["wincmd p", `buffer ${chat.buf}`],
      ["enew", `buffer ${chat.buf}`],
      ["edit!"],
      ["wincmd H", "wincmd L"],
    ]) {
      await run(chat, ...commands);
      await holds(commands);
    }
    await run(chat, "CodexChat new");
    expect(await nvim.buf()).not.toBe(chat.buf);
    expect(await nvim.lua(`return ${LOOKS}`)).toEqual(OWN_LOOKS);
  });

  it("keeps our own settings out of other windows", async () => {
    await using chat = await openChat({
      program,
      screen,
      args: ["-c", "set number spell signcolumn=yes foldcolumn=1 conceallevel=1 listchars=tab:xx"],
      config: { window: { startinsert: false } },
    });
    const { nvim } = chat;
    const look =
      "return { vim.wo.number, vim.wo.spell, vim.wo.signcolumn, vim.wo.foldcolumn, vim.wo.conceallevel, vim.wo.foldtext, vim.wo.fillchars, vim.wo.winbar, vim.wo.winfixwidth, vim.wo.linebreak }";
    const own = [true, true, "yes", "1", 1, "foldtext()", "", "", false, false];
    expect((await nvim.lua<unknown[]>(look)).slice(0, 5)).toEqual([false, false, "yes:1", "0", 2]);
    for (const command of [
      "new",
      "vnew",
      "tabnew",
      "split a.txt",
      "vsplit b.txt",
      "sbuffer 1",
      "botright vnew",
      "call nvim_open_win(nvim_create_buf(v:true, v:false), v:true, {'split': 'above', 'win': 0})",
    ]) {
      await run(chat, command);
      expect([command, await nvim.buf()]).not.toEqual([command, chat.buf]);
      expect([command, await nvim.lua(look)]).toEqual([command, own]);
      await run(chat, "close!", "CodexChat");
    }
    await run(chat, "CodexChat toggle", `buffer ${chat.buf}`, "buffer 1");
    await run(chat, "wincmd t");
    await run(chat, `buffer ${chat.buf}`, "split", "edit c.txt");
    expect(await nvim.lua(look)).toEqual(own);
  });
});

describe.each(neovims)("the winbar of another plugin on Neovim $name", (program) => {
  it("stays, with urgent notices in the text, and ours returns after it", async () => {
    await using chat = await beside(program);
    const { nvim } = chat;
    const lines = Array.from({ length: 200 }, (_, n) => `line ${n}`);
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines, gap: 1 });
    await nvim.untilShown("ready");
    // As lualine does it: again and again.
    await nvim.lua(`
      local n = 0
      _G.timer = vim.uv.new_timer()
      _G.lost = 0
      timer:start(0, 20, vim.schedule_wrap(function()
        if over then
          return
        end
        n = n + 1
        for _, win in ipairs(vim.api.nvim_list_wins()) do
          if n > 2 and vim.wo[win].winbar ~= "" and not vim.wo[win].winbar:find("theirs", 1, true) then
            lost = lost + 1
          end
          vim.api.nvim_set_option_value("winbar", "theirs", { scope = "local", win = win })
        end
        _G.n = n
      end))`);
    await nvim.until("(n or 0) > 3");
    await chat.setState({ phase: "running" });
    await nvim.untilShown(/theirs[^\n]*\n[^\n]*working/);
    await chat.setState({ phase: "waiting", note: "not saved" });
    await nvim.untilShown(/theirs[^\n]*\n[^\n]*waiting for you {2}not saved/);
    // Wherever the user is in the text.
    for (const keys of ["gg", "50Gzt", "3<C-e>", "10<C-y>", "G"]) {
      await nvim.type(keys);
      await nvim.lua("vim.cmd.redraw()");
      const rows = nvim.screen?.lines().filter((line) => line.includes("waiting for you"));
      expect([keys, rows?.length]).toEqual([keys, 1]);
      // The first line, or the one below the folded front matter.
      expect([keys, nvim.screen?.lines().slice(1, 3).join("\n")]).toEqual([
        keys,
        expect.stringContaining("waiting for you"),
      ]);
    }
    await nvim.lua("seen = n");
    await nvim.until("n > seen + 10");
    expect(await nvim.lua("return lost")).toBe(0);
    // One more turn of the timer may be on its way already.
    await nvim.lua(`
      timer:stop()
      over = true
      for _, win in ipairs(vim.api.nvim_list_wins()) do
        vim.api.nvim_set_option_value("winbar", "", { scope = "local", win = win })
      end`);
    await chat.setState({ phase: "running" });
    await nvim.untilShown(/not saved|working \d+s[^\n]*\n/);
    await chat.setState({ phase: "idle" });
    await nvim.untilShown("done in");
    expect(nvim.screen?.text()).not.toContain("theirs");
    expect(nvim.screen?.text()).not.toContain("waiting for you");
  });

  it("is not inherited from the window that the chat opens in", async () => {
    // Some set it for the window's next buffers, too.
    await using chat = await beside(program, { settings: "set winbar=theirs | setglobal winbar=" });
    await chat.nvim.untilShown("ready");
    expect(await chat.nvim.lua("return vim.wo.winbar")).toContain("ready");
  });

  it("is not restored with the chat when the other plugin is gone", async () => {
    await using chat = await beside(program);
    await chat.nvim.untilShown("ready");
    await chat.nvim.lua(
      "vim.api.nvim_set_option_value('winbar', 'theirs', { scope = 'local', win = 0 })",
    );
    await chat.nvim.untilShown("theirs");
    await run(chat, "CodexChat toggle", "CodexChat toggle");
    await chat.nvim.untilShown("ready");
    expect(chat.nvim.screen?.text()).not.toContain("theirs");
  });

  it("is the user's own if their file type settings contain one", async () => {
    await using chat = await openChat({
      program,
      screen,
      args: ["-c", "autocmd FileType codexchat setlocal winbar=mine"],
    });
    await chat.nvim.untilShown("mine");
    await run(chat, "CodexChat toggle", "CodexChat toggle");
    await chat.setState({ phase: "running" });
    await chat.nvim.untilShown(/mine[^\n]*\n[^\n]*\n[^\n]*working/);
  });
});

describe.each(neovims)("a plugin that draws markdown on Neovim $name", (program) => {
  /** The line of the help that gives the file type its parser. */
  async function register(): Promise<string> {
    const help = await readFile(join(import.meta.dirname, "../../../doc/codex-chat.txt"), "utf8");
    const line = /^ +(vim\.treesitter\.language\.register\(.*\))$/m.exec(help)?.[1];
    return line ?? "no such line";
  }

  it("finds a syntax tree through the line in the help, without Neovim's highlighter", async () => {
    await using chat = await openChat({
      program,
      screen,
      config: { window: { startinsert: false } },
    });
    const { nvim } = chat;
    const tree = `(function()
      local ok, parser = pcall(vim.treesitter.get_parser, ${chat.buf})
      return ok and parser ~= nil and parser:parse({ 0, 20 })[1]:root():sexpr():find("atx_heading") ~= nil
    end)()`;
    expect(await nvim.lua(`return ${tree}`)).toBe(false);
    await nvim.lua(await register());
    expect(await nvim.lua(`return ${tree}`)).toBe(true);
    expect(await nvim.messages()).not.toMatch(/E\d+/);
  });

  it("does not start Neovim's highlighter in the chat, however it tries", async () => {
    await using chat = await openChat({
      program,
      screen,
      config: { window: { startinsert: false } },
      args: [
        ...["-c", `lua ${await register()}`],
        ...["-c", "autocmd FileType * lua pcall(vim.treesitter.start) _G.asked = true"],
      ],
    });
    const { nvim } = chat;
    const active = `vim.treesitter.highlighter.active[${chat.buf}] ~= nil`;
    expect(await nvim.lua("return asked")).toBe(true);
    await nvim.until(active, false);
    const user = await chat.send("go on");
    const start = `vim.treesitter.start(${chat.buf}) return ${active}`;
    expect(await nvim.lua(start)).toBe(true);
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["some *words*"], gap: 1 });
    await nvim.until(active, false);
    // Ours goes on.
    await nvim.until(`require("codex-chat.highlight").count(${chat.buf}) > 1`);
    // In a file of the user's it does.
    await nvim.command("edit x.md");
    expect(await nvim.lua("return next(vim.treesitter.highlighter.active) ~= nil")).toBe(true);
  });
});

describe.each(neovims)(":CodexChat on Neovim $name", (program) => {
  it("puts the cursor into the prompt from anywhere in the text", async () => {
    await using chat = await beside(program);
    const { nvim } = chat;
    await chat.send("go on");
    for (const half of ["", "half"]) {
      await nvim.lua(
        "vim.api.nvim_buf_set_lines(..., -2, -1, false, { select(2, ...) })",
        chat.buf,
        half,
      );
      for (const from of ["wincmd p", "let g:none = 1", "tabnew", "split"]) {
        await run(chat, "CodexChat", "stopinsert", "normal! gg", from, "CodexChat");
        const at = "return { vim.api.nvim_get_current_buf(), vim.fn.line('.'), vim.fn.line('$') }";
        const [buf, line, last] = await nvim.lua<number[]>(at);
        expect([half, from, buf, line]).toEqual([half, from, chat.buf, last]);
        // What is typed is a query, or stands where one is written.
        if (half === "") await nvim.until("vim.api.nvim_get_mode().mode", "i");
        await run(chat, "stopinsert", "silent! tabonly", "silent! wincmd o", "leftabove vnew");
      }
    }
  });

  it("leaves the cursor where it is in the prompt", async () => {
    await using chat = await beside(program);
    const { nvim } = chat;
    await nvim.keys("ione<CR>two<CR>three<Esc>");
    await nvim.until("vim.fn.getline('$')", "three");
    await run(chat, "normal! k0", "wincmd p", "CodexChat");
    expect(await nvim.lua("return vim.fn.getline('.')")).toBe("two");
  });
});
