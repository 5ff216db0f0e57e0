import { access, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims, startNeovim } from "../../support/neovim.ts";
import { TestHost } from "../../support/test-host.ts";

describe.each(neovims)("the chat's window on Neovim $name", (program) => {
  const screen = { columns: 120, rows: 30 };

  it("is hidden and shown again with the same view, cursor and half-typed text", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    const lines = Array.from({ length: 100 }, (_, n) => `line ${n}`);
    await chat.edit({ op: "insert", id: "a", after: user, lines, gap: 1 });
    await nvim.keys("half typed<Esc>");
    await nvim.type("50Gzt3j2l");
    const look = "return { vim.fn.getline('w0'), vim.fn.getline('.'), vim.fn.col('.') }";
    const before = await nvim.lua(look);
    await nvim.command("CodexChat toggle");
    expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(1);
    expect(await nvim.buf()).not.toBe(chat.buf);
    // The text grows above while nobody looks.
    await chat.edit({ op: "insert", id: "up", after: user, lines: ["1", "2", "3"], gap: 1 });
    await nvim.command("CodexChat toggle");
    expect(await nvim.buf()).toBe(chat.buf);
    expect(await nvim.lua(look)).toEqual(before);
    expect((await nvim.lines()).at(-1)).toBe("half typed");
    expect(await nvim.mode()).toBe("n");
  });

  it("is focused if it is already visible, and never opened twice", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p");
    await nvim.command("CodexChat");
    await nvim.command("CodexChat open");
    expect(await nvim.buf()).toBe(chat.buf);
    expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(2);
    expect(chat.host.of("chat/open")).toHaveLength(1);
  });

  it("lets :q leave Neovim without a question if it is the last one", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("typed<Esc>");
    await nvim.until("vim.fn.getline('.')", "typed");
    await nvim.command("only");
    await nvim.keys(":q<CR>");
    expect(await nvim.exited).toBe(0);
  });

  it("lets ZZ and :qa leave Neovim from anywhere, with text in the prompt", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("typed<Esc>");
    await nvim.until("vim.fn.getline('.')", "typed");
    await nvim.command("wincmd p");
    await nvim.keys(":qa<CR>");
    expect(await nvim.exited).toBe(0);
  });

  it("survives :only in another window, and can be reopened", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await nvim.keys("<Esc>");
    await nvim.command("wincmd p | only");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["while hidden"], gap: 1 });
    await nvim.command("CodexChat");
    expect(await nvim.buf()).toBe(chat.buf);
    expect(await nvim.lines()).toContain("while hidden");
  });

  it("shows the previous buffer when toggled off as the last window", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("<Esc>");
    await nvim.command("only");
    await nvim.command("CodexChat toggle");
    expect(await nvim.buf()).not.toBe(chat.buf);
    expect(await nvim.lua("return #vim.api.nvim_list_wins()")).toBe(1);
  });

  it("keeps its options to itself", async () => {
    await using chat = await openChat({
      program,
      config: { window: { startinsert: false } },
      args: ["-c", "set number list signcolumn=yes"],
    });
    const { nvim } = chat;
    const look =
      "return { vim.wo.number, vim.wo.list, vim.wo.winbar, vim.wo.signcolumn, vim.bo.undolevels, vim.go.undolevels, vim.wo.foldmethod }";
    const own = [true, true, "", "yes", -123456, 1000, "manual"];
    expect((await nvim.lua<unknown[]>(look))[0]).toBe(false);
    await nvim.command("enew");
    expect(await nvim.lua(look)).toEqual(own);
    await nvim.command(`buffer ${chat.buf}`);
    expect((await nvim.lua<unknown[]>(look)).slice(0, 2)).toEqual([false, false]);
    await nvim.command("vsplit | enew");
    expect(await nvim.lua(look)).toEqual(own);
  });

  it.each([
    ["left", { row: 0, col: 0, wide: false }],
    ["right", { row: 0, col: 61, wide: false }],
    ["top", { row: 0, col: 0, wide: true }],
    ["bottom", { row: 15, col: 0, wide: true }],
  ])("opens at the %s if configured so", async (position, where) => {
    await using chat = await openChat({
      program,
      screen,
      config: { window: { position, size: 0.5 } },
    });
    const got = await chat.nvim.lua<{ row: number; col: number; wide: boolean }>(
      "local p = vim.api.nvim_win_get_position(0); return { row = p[1], col = p[2], wide = vim.api.nvim_win_get_width(0) == 120 }",
    );
    expect(got.wide).toBe(where.wide);
    expect(Math.abs(got.col - where.col)).toBeLessThanOrEqual(1);
    expect(Math.abs(got.row - where.row)).toBeLessThanOrEqual(2);
  });

  it("opens in its own tabpage, and leaves no empty buffer behind", async () => {
    await using chat = await openChat({ program, config: { window: { position: "tab" } } });
    expect(await chat.nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(2);
    expect(await chat.nvim.lua("return #vim.api.nvim_list_bufs()")).toBe(2);
  });
});

describe.each(neovims)("the chat's buffer on Neovim $name", (program) => {
  it("ends its conversation when wiped out during a turn, and can be reopened", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    const user = await chat.send("go on");
    await chat.setState({ phase: "running" });
    await nvim.keys("<Esc>");
    await nvim.command(`bwipeout! ${chat.buf}`);
    await host.heard("chat/close");
    const late = await host.editor.call.buf_set_edits(chat.buf, [
      { op: "insert", id: "a", after: user, lines: ["late"], gap: 1 },
    ]);
    expect(late).toEqual({
      ok: true,
      value: { ok: false, reason: `buffer ${chat.buf} is not a conversation` },
    });
    expect((await host.editor.call.buf_set_state(chat.buf, { phase: "idle" })).ok).toBe(true);
    await nvim.command("CodexChat");
    await host.heard("chat/open", 2);
    expect(await nvim.messages()).not.toMatch(/E\d+|rror/);
  });

  it("keeps its turn and everything that belongs to it after :edit!", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 30 } });
    const { nvim, host } = chat;
    await chat.setState({ phase: "idle" });
    const user = await chat.send("go on");
    await chat.setState({ phase: "running" });
    await chat.edit(
      { op: "insert", id: "h", after: user, lines: ["## Codex"], gap: 1 },
      { op: "mark", id: "h", mark: "running", text: "busy" },
      { op: "insert", id: "a", after: "h", lines: ["**Asks** to run `ls`"], gap: 1 },
    );
    await host.editor.call.buf_set_approval(chat.buf, { id: "q", block: "a", kind: "command" });
    await nvim.keys("half<Esc>");
    await nvim.until("vim.fn.getline('.')", "half");
    const lines = await nvim.lines();
    const cursor = await nvim.cursor();
    await nvim.command("edit!");
    await host.heard("chat/reread");
    expect(await nvim.lines()).toEqual(lines);
    expect(await nvim.cursor()).toEqual(cursor);
    await chat.edit({ op: "append", id: "a", text: " and more" });
    expect((await chat.body()).slice(-5)).toEqual([
      "",
      "**Asks** to run `ls` and more",
      "",
      "## You",
      "half",
    ]);
    await nvim.untilShown(/Codex {2}busy/);
    await nvim.untilShown(" a  once");
    await nvim.type("u");
    expect((await nvim.lines()).at(-1)).toBe("");
    await nvim.type("gg");
    await nvim.lua("vim.fn.search('Asks')");
    // Neovim tells of the cursor when it gets to it.
    await nvim.until("vim.fn.maparg('a', 'n') ~= ''");
    await nvim.type("a");
    await host.heard("approval/answer");
    expect(host.of("chat/close")).toEqual([]);
    expect(host.of("chat/open")).toHaveLength(1);
  });

  it("keeps its text after :bdelete, which ends the turn", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.setState({ phase: "idle" });
    const user = await chat.send("go on");
    await chat.setState({ phase: "running" });
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["answer"], gap: 1 });
    await nvim.keys("half<Esc>");
    await nvim.until("vim.fn.getline('.')", "half");
    await nvim.command("bdelete");
    await host.heard("chat/close");
    await nvim.command("CodexChat");
    expect((await nvim.lines()).at(-1)).toBe("half");
    await host.heard("chat/open", 2);
    // A block of before is not known any more: what belongs to it goes on above the prompt.
    await chat.edit({ op: "append", id: "a", text: " and more" });
    expect((await chat.body()).slice(-5)).toEqual(["", " and more", "", "## You", "half"]);
    await nvim.keys("A way<C-s>");
    expect((await host.heard("turn/send", 2)).text).toBe("half way");
  });

  it("is never modified, and :write tells the host to save", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.setState({ phase: "idle" });
    await nvim.keys("typed<Esc>");
    await nvim.until("vim.fn.getline('.')", "typed");
    await nvim.until("vim.bo.modified", false);
    await nvim.command("write");
    await host.heard("chat/save");
    expect(await nvim.lua("return vim.bo.modified")).toBe(false);
  });

  it("is written by Lua if no host does it, and :write with a name writes a copy", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    await nvim.keys("typed<Esc>");
    await nvim.until("vim.fn.getline('.')", "typed");
    await nvim.command("write");
    expect(await readFile(chat.path, "utf8")).toMatch(/## You\n\ntyped\n$|## You\ntyped\n$/);
    const copy = join(nvim.cwd, "a copy.md");
    await nvim.command("write a\\ copy.md");
    expect(await readFile(copy, "utf8")).toBe(await readFile(chat.path, "utf8"));
    expect(await nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(chat.path);
    await nvim.command("7,8write lines.md");
    expect((await readFile(join(nvim.cwd, "lines.md"), "utf8")).split("\n")).toHaveLength(3);
  });

  it("takes another name without leaving the old one behind, and is written under it", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.setState({ phase: "idle" });
    await nvim.keys("<Esc>");
    const name = chat.path.replace(/[^/]*$/, "2026-01-01-it's 100% [new]*.md");
    await mkdir(dirname(name), { recursive: true });
    await writeFile(name, "there already\n");
    expect((await host.editor.call.buf_set_name(chat.buf, name)).ok).toBe(true);
    expect(await nvim.lua("return vim.api.nvim_buf_get_name(0)")).toBe(name);
    expect(await nvim.lua("return #vim.api.nvim_list_bufs()")).toBe(2);
    await nvim.command("write");
    await host.heard("chat/save");
  });

  it("has one name if a symlink leads to the state directory", async () => {
    await using home = await startNeovim({ program });
    const [real, link] = [join(home.home, "real"), join(home.home, "link")];
    await mkdir(real);
    await symlink(real, link);
    await using chat = await openChat({ program, config: { state_dir: join(link, "state") } });
    const { nvim, host } = chat;
    expect(chat.path).toMatch(new RegExp(`^${real}/state/`));
    await mkdir(dirname(chat.path), { recursive: true });
    // As a host names it that was started before the directory was there.
    const name = join(dirname(chat.path).replace(real, link), "2026-01-01-named.md");
    await host.editor.call.buf_set_name(chat.buf, name);
    await nvim.lua("vim.wait(100)");
    expect(
      await nvim.lua(
        "return { vim.api.nvim_buf_get_name(...), require('codex-chat.registry').get(...).path }",
        chat.buf,
      ),
    ).toEqual(Array(2).fill(name.replace(link, real)));
    expect(await nvim.messages()).toBe("");
  });

  it("is not written before something is typed", async () => {
    await using chat = await openChat({ program });
    await chat.nvim.keys("<Esc>");
    await chat.nvim.command("CodexChat toggle");
    await expect(access(chat.path)).rejects.toThrow();
  });

  it("gets a prompt below the text of a broken file, and nothing else is changed", async () => {
    await using first = await openChat({ program });
    await first.nvim.keys("<Esc>");
    const path = first.path.replace(/[^/]*$/, "broken.md");
    const text = "# odd\n\n```\n### You\nno end";
    await first.nvim.lua("vim.fn.mkdir(vim.fs.dirname(...), 'p')", path);
    await writeFile(path, text);
    await first.nvim.lua("vim.cmd.edit(vim.fn.fnameescape(...))", path);
    expect(await first.nvim.lua("return vim.bo.filetype")).toBe("codexchat");
    expect(await first.nvim.lines()).toEqual([...text.split("\n"), "", "## You", ""]);
  });

  it("gets the heading of its prompt back on sending if the user deleted it", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await nvim.keys("ask<Esc>");
    await nvim.until("vim.fn.getline('.')", "ask");
    await nvim.type("ggdG");
    await nvim.keys("iask again<C-s>");
    expect((await host.heard("turn/send")).text).toBe("ask again");
    expect(await nvim.lines()).toEqual(["## You", "", "ask again", "", "## You", ""]);
  });

  it("is restored by a session as a chat, without an error", async () => {
    await using chat = await openChat({ program });
    const { nvim, host } = chat;
    await chat.send("remember me");
    await nvim.keys("<Esc>");
    await nvim.command("write");
    await nvim.command("split");
    await nvim.command("mksession s.vim");
    const lines = await nvim.lines();
    await using again = await startNeovim({
      program,
      home: nvim.home,
      cwd: nvim.cwd,
      config: { host_cmd: host.command },
      args: ["-S", "s.vim"],
    });
    await again.until("vim.bo.filetype", "codexchat");
    expect(await again.lines()).toEqual(lines);
    const names =
      "return vim.tbl_map(function(w) return vim.api.nvim_buf_get_name(vim.api.nvim_win_get_buf(w)) end, vim.api.nvim_list_wins())";
    expect(await again.lua(names)).toEqual(["", chat.path, chat.path]);
    expect(await again.lua("return { vim.bo.filetype, vim.bo.buftype }")).toEqual([
      "codexchat",
      "acwrite",
    ]);
    expect(host.editors).toHaveLength(1);
    await again.command("CodexChat");
    await host.heard("chat/open", 2);
    expect(await again.messages()).not.toMatch(/E\d+/);
  });

  it("obeys no modeline in its text", async () => {
    await using host = await TestHost.start();
    await using first = await startNeovim({ program, config: { host_cmd: host.command } });
    await first.command("CodexChat");
    const { path } = await host.heard("chat/open");
    await first.keys("<Esc>");
    await first.lua("vim.fn.mkdir(vim.fs.dirname(...), 'p')", path);
    const other = path.replace(/[^/]*$/, "m.md");
    await writeFile(other, "## You\n\nvim: set textwidth=7 foldlevel=3:\n");
    await first.lua("vim.cmd.edit(vim.fn.fnameescape(...))", other);
    expect(await first.lua("return vim.bo.textwidth")).toBe(0);
  });
});
