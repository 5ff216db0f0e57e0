import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";

const screen = { columns: 120, rows: 30 };

/** An answer with all that the host sends: text that grows, a fold, a badge. */
async function begin(chat: OpenChat): Promise<void> {
  const user = await chat.send("go on");
  await chat.setState({ phase: "running", model: "gpt-5.5", sandbox: "gVisor" });
  await chat.edit(
    { op: "insert", id: "h", after: user, lines: ["## Codex"], gap: 1 },
    { op: "mark", id: "h", mark: "running", text: "working" },
    { op: "insert", id: "run", after: "h", lines: ["**Ran** `ls` · exit 0"], gap: 1 },
    {
      op: "insert",
      id: "out",
      after: "run",
      lines: ["```console output", "one", "two", "```"],
      gap: 0,
    },
    { op: "fold", from: "out", to: "out" },
    { op: "insert", id: "a", after: "out", lines: ["Some"], gap: 1 },
  );
}

/** More of it: a line that grows, and new lines. */
async function goOn(chat: OpenChat): Promise<void> {
  await chat.edit({ op: "append", id: "a", text: " words\nand more" });
  await chat.edit({ op: "replace", id: "run", lines: ["**Ran** `ls` · exit 0 · 0.1 s"] });
}

const ANSWER = [
  "## You",
  "",
  "go on",
  "",
  "## Codex",
  "",
  "**Ran** `ls` · exit 0 · 0.1 s",
  "```console output",
  "one",
  "two",
  "```",
  "",
  "Some words",
  "and more",
  "",
  "## You",
];

/** The text is whole, and nobody complained. */
async function isWhole(chat: OpenChat, prompt: readonly string[] = [""]): Promise<void> {
  const lines = (await chat.nvim.lines(chat.buf)) as string[];
  expect(lines.slice(lines.indexOf("## You"))).toEqual([...ANSWER, ...prompt]);
  expect(await chat.nvim.messages()).not.toMatch(/E\d+:|rror/);
}

describe.each(neovims)("a turn on Neovim $name", (program) => {
  it.each([
    "set shiftwidth=3 textwidth=20 autoindent smartindent cindent formatoptions+=awn",
    "set conceallevel=3 concealcursor=nvic",
    "set foldmethod=expr foldexpr=1 foldenable foldlevel=0 foldminlines=0 foldclose=all",
    "set foldmethod=indent nofoldenable",
    "set foldmethod=syntax",
    "set nowrap number relativenumber signcolumn=yes:3 list spell foldcolumn=5",
    "set scrolloff=999 sidescrolloff=99",
    "set scrolloff=0 smoothscroll",
    "set virtualedit=all",
    "set splitkeep=screen",
    "set splitkeep=topline winfixwidth noequalalways",
    "set undolevels=5 undofile undoreload=0",
    "set notermguicolors background=light",
    "set cmdheight=0",
    "set laststatus=3 showtabline=2",
    "set nohidden autowrite autowriteall confirm",
    "set swapfile backup writebackup backupcopy=yes",
    "set autochdir",
    "set shortmess=filnxtToO report=0",
    "set lazyredraw",
    "set rightleft",
    "set fileformat=dos fileencoding=latin1 bomb",
    "set noincsearch inccommand=split",
    "set winwidth=100 winminwidth=40 winheight=20",
    "set modeline modelines=5 autoread",
    "set timeoutlen=1 updatetime=1",
    "set scrollback=1 colorcolumn=20 cursorline cursorcolumn",
    "set breakindent showbreak=>>> linebreak cpoptions+=n",
    "set eventignore=BufWinEnter",
    "set statuscolumn=%l%s%C",
    "set nostartofline whichwrap+=<,>,h,l",
    "set iskeyword=@ isfname= matchpairs=",
    "set wrapmargin=10 expandtab tabstop=3",
  ])("streams in with :%s", async (settings) => {
    await using chat = await openChat({ program, screen, args: ["-c", settings] });
    const { nvim } = chat;
    await begin(chat);
    await nvim.command(settings);
    await nvim.keys("half<Esc>");
    await nvim.until("vim.fn.getline('$')", "half");
    await goOn(chat);
    await nvim.keys("A way");
    await nvim.until("vim.fn.getline('$')", "half way");
    await isWhole(chat, ["half way"]);
    await nvim.untilShown(settings.includes("rightleft") ? "yaw flah" : "half way");
    // Hidden and shown again, and left for another buffer.
    await nvim.keys("<Esc>");
    await nvim.until("vim.api.nvim_get_mode().mode", "n");
    await nvim.command("CodexChat toggle");
    await nvim.command("CodexChat");
    await nvim.command(`enew | buffer ${chat.buf}`);
    await isWhole(chat, ["half way"]);
    await nvim.keys("<Esc>A<C-s>");
    expect((await chat.host.heard("turn/send", 2)).text).toBe("half way");
  });
});

describe.each(neovims)("a streaming turn on Neovim $name", (program) => {
  /** What the user does after the turn has begun, and how the text below the last heading is then. */
  it.each([
    ["a new tabpage and back", "tabnew | tabprevious"],
    ["a new tabpage", "tabnew"],
    ["a second window", "split"],
    ["a second window of another width", "vsplit | vertical resize 20"],
    ["its window moved to a tabpage", "wincmd T"],
    ["no window", "only | enew"],
    ["another tabpage that also shows it", "tab split"],
    ["diff mode", "diffthis | wincmd p | diffthis"],
    ["diff mode that was left again", "diffthis | wincmd p | diffthis | diffoff!"],
    ["a terminal beside it", "split | terminal sh -c 'sleep 60'"],
    ["help over it", "help windows"],
    ["a quickfix window below", "call setqflist([{'text': 'x', 'filename': 'a'}]) | copen"],
    ["netrw beside it", "split | edit ."],
    ["a window without height", "set winminheight=0 | split | wincmd p | resize 0"],
    ["a window of one line", "split | wincmd p | resize 1"],
    ["a window without width", "set winminwidth=0 | wincmd p | wincmd |"],
    [
      "a small floating window of it",
      "call nvim_open_win(0, v:true, {'relative': 'editor', 'row': 1, 'col': 1, 'width': 9, 'height': 2})",
    ],
    [
      "an input field that floats",
      "call nvim_open_win(nvim_create_buf(v:false, v:true), v:true, {'relative': 'cursor', 'row': 1, 'col': 1, 'width': 9, 'height': 1, 'style': 'minimal'})",
    ],
    [
      "a floating window of its own",
      "close | call nvim_open_win(bufnr('chats/'), v:true, {'relative': 'editor', 'row': 1, 'col': 1, 'width': 60, 'height': 9, 'border': 'single'})",
    ],
    ["a preview window", "pedit"],
    ["an unmodifiable buffer", "set nomodifiable"],
    ["a read-only buffer", "set readonly"],
    ["a window whose buffer is fixed", "set winfixbuf"],
    ["a tiny screen", "set columns=12 lines=4"],
    ["a larger screen", "set columns=300 lines=90"],
    ["another colour scheme", "set background=light | colorscheme habamax | colorscheme default"],
    ["syntax off and on", "syntax off | syntax on"],
    ["filetype set by hand", "set filetype=markdown"],
    ["every window visited", "windo set number"],
    ["every buffer visited", "silent! bufdo let b:seen = 1"],
    ["session options", "set sessionoptions+=options,localoptions | mksession! s.vim"],
    ["a closed tabpage", "tab split | tabclose"],
    ["an alternate buffer", "enew | buffer #"],
    ["scrollbind", "set scrollbind cursorbind | wincmd p | set scrollbind cursorbind"],
    ["a user's formatter", "autocmd BufWritePre * %delete _ | write"],
    ["automatic writing", "autocmd InsertLeave,TextChanged * silent! update | wall"],
    ["a sticky last line", "set display=uhex | set statusline=%{repeat('x',999)}"],
    ["marks and jumps", "keepjumps normal! gg | mark a | normal! G"],
  ])("continues with %s", async (_name, command) => {
    await using chat = await openChat({ program, screen });
    await begin(chat);
    await chat.nvim.keys("<Esc>");
    await chat.nvim.until("vim.api.nvim_get_mode().mode", "n");
    await chat.nvim.command(command);
    await goOn(chat);
    await chat.setState({ phase: "waiting", detail: "a word" });
    await chat.setState({ phase: "idle" });
    await isWhole(chat);
    // Whatever it is, the chat is had by its command, and works.
    await chat.nvim.command("CodexChat");
    expect(await chat.nvim.buf()).toBe(chat.buf);
    await chat.nvim.lua(`require("codex-chat").ask("still there")`);
    expect((await chat.host.heard("turn/send", 2)).text).toBe("still there");
    expect(await chat.nvim.messages()).not.toMatch(/E\d+:|rror/);
  });

  it("continues while a macro is recorded, which contains only what was typed", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await begin(chat);
    await nvim.keys("<Esc>qqvG$");
    await nvim.until("vim.api.nvim_get_mode().mode", "v");
    await goOn(chat);
    await nvim.keys("<Esc>Ahalf");
    await nvim.until("vim.fn.getline('$')", "half");
    await chat.edit({ op: "append", id: "a", text: "" });
    await nvim.keys("<Esc>q");
    await nvim.until("vim.fn.reg_recording()", "");
    expect(await nvim.lua("return vim.fn.keytrans(vim.fn.getreg('q'))")).toBe("vG$<Esc>Ahalf<Esc>");
    await isWhole(chat, ["half"]);
  });

  it("leaves an open insert completion menu intact", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await begin(chat);
    await nvim.keys("wor<Esc>");
    await nvim.until("vim.fn.getline('$')", "wor");
    await nvim.keys("A<C-r>=complete(1, ['world', 'worry', 'worse'])[-1]<CR>");
    await nvim.until("vim.fn.pumvisible()", 1);
    await goOn(chat);
    await chat.setState({ phase: "running", detail: "still at it" });
    await nvim.untilShown("still at it");
    expect(await nvim.lua("return vim.fn.pumvisible()")).toBe(1);
    await nvim.keys("<C-n>");
    await nvim.until("vim.fn.getline('$')", "worry");
    await nvim.keys("<C-y>");
    await nvim.untilShown("and more");
    await isWhole(chat, ["worry"]);
  });

  it("continues while the command-line window is open over it", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await begin(chat);
    await nvim.keys("<Esc>:let g:did = 1<CR>q:");
    await nvim.until("vim.fn.getcmdwintype()", ":");
    await goOn(chat);
    await chat.setState({ phase: "running", detail: "still at it" });
    await nvim.untilShown("and more");
    await nvim.untilShown("still at it");
    await nvim.keys(":quit<CR>");
    await nvim.until("vim.fn.getcmdwintype()", "");
    await isWhole(chat);
  });

  it("continues in the command-line window, which reports the commands it cannot run", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await begin(chat);
    await nvim.keys("<Esc>q:");
    await nvim.until("vim.fn.getcmdwintype()", ":");
    await nvim.lua("pcall(vim.cmd, 'CodexChat toggle'); pcall(vim.cmd, 'CodexChat')");
    await nvim.keys("<C-c><C-c>");
    await nvim.until("vim.fn.getcmdwintype()", "");
    await goOn(chat);
    const lines = await nvim.lines(chat.buf);
    expect(lines.slice(lines.indexOf("## You"))).toEqual([...ANSWER, ""]);
  });
});

describe.each(neovims)("beside a chat on Neovim $name", (program) => {
  it("a buffer without a file belongs to the same project, even after 'autochdir' has left it", async () => {
    await using chat = await openChat({ program, args: ["-c", "set autochdir"] });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.lua("vim.fn.mkdir(vim.fs.dirname(...), 'p')", chat.path);
    await nvim.command("new");
    expect(await nvim.lua("return vim.fn.getcwd()")).toBe(join(chat.path, ".."));
    await nvim.command("CodexChat");
    expect(await nvim.buf()).toBe(chat.buf);
  });

  it.each(["", "options,localoptions,", "buffers,curdir,folds,globals,help,"])(
    "a session restores it in all its windows and tabpages (sessionoptions=%s…)",
    async (sessionoptions) => {
      await using chat = await openChat({ program });
      const { nvim, host } = chat;
      await chat.setState({ phase: "idle" });
      await chat.send("remember me");
      await nvim.keys("<Esc>");
      await nvim.lua(
        "require('codex-chat.chat.write').save(require('codex-chat.registry').get(...))",
        chat.buf,
      );
      await nvim.command("split | tabnew other.txt | vsplit | execute 'CodexChat' | tabnew");
      await nvim.command(`set sessionoptions=${sessionoptions}blank,tabpages,winsize,terminal`);
      await nvim.command("mksession s.vim");
      const layout =
        "return vim.tbl_map(function(w) return vim.fs.basename(vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(w))) end, vim.api.nvim_list_wins())";
      const windows = await nvim.lua<string[]>(layout);
      await using again = await startNeovim({
        program,
        home: nvim.home,
        cwd: nvim.cwd,
        config: { host_cmd: host.command },
        args: ["-S", "s.vim"],
      });
      const name = chat.path.replace(/.*\//, "");
      const wanted = windows.filter(Boolean);
      await expect
        .poll(async () => (await again.lua<string[]>(layout)).filter(Boolean))
        .toEqual(wanted);
      expect(wanted.filter((other) => other === name)).toHaveLength(3);
      await again.command("CodexChat");
      await host.heard("chat/open", 2);
      expect(await again.lua("return vim.bo.filetype")).toBe("codexchat");
      expect((await again.lines()).filter((line) => line === "remember me")).toHaveLength(1);
      expect(await again.messages()).not.toMatch(/E\d+:|rror/);
    },
  );
});

describe.each(neovims)("a user's edit during a turn, on Neovim $name,", (program) => {
  it.each([
    ["deletes all headings", "g/^## /d"],
    ["deletes everything", "%delete _"],
    ["sorts the whole text", "sort"],
    ["reverses it", "g/^/move 0"],
    ["replaces in every line", "%s/.*/x/"],
    ["joins all lines", "%join"],
    ["doubles every line", "g/^/copy ."],
    ["moves the answer below the prompt", "/^Some/move $"],
    ["filters it", "%!tac"],
    ["indents it", "%>"],
    ["formats it", "silent normal! gggqG"],
    ["reads a file in", "0read doc.txt"],
    ["inserts above everything", "0put ='top'"],
    ["undoes everything", "silent! normal! 99u"],
  ])("that %s loses neither later text nor the prompt", async (_name, command) => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    await writeFile(join(nvim.cwd, "doc.txt"), "from a file\n## You\n");
    await begin(chat);
    await nvim.keys("<Esc>");
    await nvim.until("vim.api.nvim_get_mode().mode", "n");
    await nvim.command(`silent! ${command}`);
    await chat.edit({ op: "append", id: "a", text: " late words" });
    await chat.edit(
      { op: "insert", id: "b", after: "a", lines: ["A new paragraph."], gap: 1 },
      { op: "fold", from: "run", to: "out" },
    );
    const lines = await nvim.lines();
    expect(lines.filter((line) => line.includes("late words"))).toHaveLength(1);
    expect(lines.filter((line) => line === "A new paragraph.")).toHaveLength(1);
    await nvim.lua(`require("codex-chat").ask("still there")`);
    expect((await chat.host.heard("turn/send", 2)).text).toBe("still there");
    await nvim.command("CodexChat");
    await nvim.keys("<Esc>Gotyped<C-s>");
    expect((await chat.host.heard("turn/send", 3)).text).toContain("typed");
    const after = await nvim.lines();
    expect(after.filter((line) => line.includes("late words"))).toHaveLength(1);
    expect(after.slice(-2)).toEqual(["## You", ""]);
    expect(await nvim.messages()).not.toMatch(/E\d+:|rror/);
  });
});
