/** What a buffer keeps when its file is changed by the agent. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Neovim, type NeovimProgram, neovims, startNeovim } from "../../support/neovim.ts";

/** Records in `_G.heard` what a listener of the buffer hears. */
const LISTEN = `_G.heard = {}
  vim.api.nvim_buf_attach(0, false, {
    on_lines = function(_, _, _, first, last, new_last)
      table.insert(_G.heard, { first, last, new_last })
    end,
    on_reload = function() table.insert(_G.heard, "reload") end,
    on_detach = function() table.insert(_G.heard, "detach") end,
  })`;

const letters = (count: number, from = 1) =>
  Array.from({ length: count }, (_, i) => `line ${from + i}`);

const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;

describe.each(neovims)("a buffer whose file the agent changes, on Neovim $name", (program) => {
  it("keeps marks, extmarks, folds, views, jumps and changes, each at its line", async () => {
    await using editor = await opened(program, text(letters(200)));
    const { nvim } = editor;
    await nvim.lua(
      `vim.cmd("set foldmethod=manual scrolloff=0 | 10,14fold | 120,130fold | 150mark a | 60mark b")
       _G.ns = vim.api.nvim_create_namespace("another plugin")
       _G.on_line = vim.api.nvim_buf_set_extmark(0, _G.ns, 149, 5, { end_col = 8 })
       _G.in_changed = vim.api.nvim_buf_set_extmark(0, _G.ns, 29, 5, {})
       vim.cmd("normal! 90GixxG100G170G")
       vim.cmd("silent write | split")
       _G.heard = {}
       _G.other = vim.fn.win_getid(vim.fn.winnr("j"))
       vim.fn.winrestview({ topline = 50, lnum = 55, col = 3 })
       vim.api.nvim_win_call(_G.other, function()
         vim.fn.winrestview({ topline = 140, lnum = 145, col = 2 })
       end)`,
    );
    const state = `
      local function rows(list) return vim.tbl_map(function(at) return at.lnum end, list) end
      local folds = {}
      for row = 1, vim.fn.line("$") do
        if vim.fn.foldclosed(row) == row then table.insert(folds, vim.fn.getline(row)) end
      end
      local function view(win)
        return vim.api.nvim_win_call(win, function()
          return { vim.fn.getline(vim.fn.line("w0")), vim.fn.getline("."), vim.fn.col(".") }
        end)
      end
      return {
        marks = { vim.fn.getline("'a"), vim.fn.getline("'b") },
        extmark = vim.api.nvim_buf_get_extmark_by_id(0, _G.ns, _G.on_line, { details = true }),
        folds = folds,
        views = { view(0), view(_G.other) },
        jumps = vim.tbl_map(function(row) return vim.fn.getline(row) end, rows(vim.fn.getjumplist()[1])),
        changes = vim.tbl_map(function(row) return vim.fn.getline(row) end, rows(vim.fn.getchangelist()[1])),
        last_change = vim.fn.getline("'."),
      }`;
    const before = await nvim.lua<{ extmark: unknown[] }>(state);
    const lines = await nvim.lines();
    lines.splice(180, 5);
    lines.splice(29, 1, "line 30 is another");
    lines.splice(1, 0, "new", "new too", "and new");
    await editor.change(text(lines));
    expect(await nvim.lines()).toEqual(lines);
    const after = await nvim.lua<{ extmark: unknown[] }>(state);
    expect(after.extmark.slice(0, 2)).toEqual([152, 5]);
    expect({ ...after, extmark: 0 }).toEqual({ ...before, extmark: 0 });
    expect(before).toMatchObject({
      folds: ["line 10", "line 120"],
      marks: ["line 150", "line 60"],
    });
    const inside = "return vim.api.nvim_buf_get_extmark_by_id(0, _G.ns, _G.in_changed, {})";
    expect(await nvim.lua(inside)).toEqual([32, 5]);
    expect(await nvim.lua("return _G.heard")).toEqual([
      [180, 185, 180],
      [29, 30, 30],
      [1, 1, 4],
    ]);
  });

  it("gets the change as one undo step, which is not in the file", async () => {
    await using editor = await opened(program, text(letters(50)));
    const { nvim } = editor;
    await nvim.command("set undoreload=10");
    await nvim.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, { 'typed' })");
    await nvim.command("silent write");
    const mine = await nvim.lines();
    const theirs = [...mine.slice(0, 20), "agent", ...mine.slice(25), "agent"];
    await editor.change(text(theirs));
    const state = "return { vim.bo.modified, vim.fn.undotree().seq_cur, vim.fn.line('$') }";
    expect(await nvim.lua(state)).toEqual([false, 2, 47]);
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(mine);
    expect(await nvim.lua(state)).toEqual([true, 1, 50]);
    await nvim.command("silent undo");
    expect(await nvim.lua(state)).toEqual([true, 0, 50]);
    await nvim.command("silent redo | silent redo");
    expect(await nvim.lines()).toEqual(theirs);
    expect(await nvim.lua(state)).toEqual([false, 2, 47]);
    await nvim.command("silent earlier 1f");
    expect(await nvim.lines()).toEqual(mine);
  });

  it("can be written without a question afterwards, and has its undo file", async () => {
    await using editor = await opened(program, text(letters(5)));
    const { nvim } = editor;
    await nvim.command("set undofile noautoread");
    await nvim.command("silent write");
    await editor.change("another\n");
    await editor.change("another\nonce more\n");
    const undofile = "return vim.fn.filereadable(vim.fn.undofile(vim.fn.expand('%:p')))";
    expect(await nvim.lua(undofile)).toBe(1);
    await nvim.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, { 'typed' })");
    await nvim.command("silent write");
    expect(await readFile(editor.path, "utf8")).toBe("typed\nanother\nonce more\n");
    expect(await nvim.lua("return { vim.bo.autoread, vim.bo.undofile, vim.bo.readonly }")).toEqual([
      null,
      true,
      false,
    ]);
    await nvim.command(`bwipeout | edit ${editor.path}`);
    await nvim.command("silent undo | silent undo | silent undo");
    expect(await nvim.lines()).toEqual(letters(5));
  });

  it("keeps its undo history where autocommands cannot run, and is written without a question", async () => {
    await using editor = await opened(program, text(letters(5)));
    const { nvim } = editor;
    await writeFile(editor.path, "another\n");
    const { mtimeNs } = await stat(editor.path, { bigint: true });
    await nvim.lua(
      `vim.api.nvim_create_autocmd("User", { pattern = "Test", callback = function()
         require("codex-chat.reload").reload({ root = vim.uv.cwd() })
       end })
       vim.cmd("doautocmd User Test")`,
    );
    expect(await nvim.lines()).toEqual(["another"]);
    await nvim.until("require('codex-chat.reload.base').is_known(1)");
    expect((await stat(editor.path, { bigint: true })).mtimeNs).toBe(mtimeNs);
    await nvim.command("silent write");
    await nvim.command("silent undo");
    expect(await nvim.lines()).toEqual(letters(5));
  });

  it("is reloaded as a whole if the user's own BufWriteCmd writes it", async () => {
    await using editor = await opened(program, text(letters(5)));
    const { nvim } = editor;
    await nvim.command("autocmd BufWriteCmd *.txt let g:written = 1");
    await editor.change("another\n");
    expect(await nvim.lines()).toEqual(["another"]);
    expect(await nvim.lua("return { vim.bo.modified, vim.g.written == nil }")).toEqual([
      false,
      true,
    ]);
    expect(await nvim.lua("return vim.list_contains(_G.heard, 'reload')")).toBe(true);
  });

  it("keeps folds of an expression as they are open and closed", async () => {
    const block = (name: string) => [`begin ${name}`, `  ${name} 1`, `  ${name} 2`, "end"];
    const lines = ["a", "b", "c", "d"].flatMap(block);
    await using editor = await opened(program, text(lines));
    const { nvim } = editor;
    await nvim.lua(
      `vim.wo.foldexpr = "getline(v:lnum) =~# '^begin' ? '>1' : getline(v:lnum) ==# 'end' ? '<1' : '='"
       vim.wo.foldmethod = "expr"
       vim.cmd("redraw | normal! zM")
       vim.cmd("5foldopen")`,
    );
    const closed = `vim.cmd("redraw") local list = {}
      for row = 1, vim.fn.line("$") do
        if vim.fn.foldclosed(row) == row then table.insert(list, vim.fn.getline(row)) end
      end return list`;
    expect(await nvim.lua(closed)).toEqual(["begin a", "begin c", "begin d"]);
    await editor.change(text(["first", ...lines.slice(0, 14), "  d 1½", ...lines.slice(14)]));
    expect(await nvim.lua(closed)).toEqual(["begin a", "begin c", "begin d"]);
  });

  it("tells a language server of the changed lines only", async () => {
    await using editor = await opened(program, text(letters(40)));
    const { nvim } = editor;
    await nvim.lua(
      `_G.sent = {}
       vim.lsp.start({
         name = "test", root_dir = vim.uv.cwd(), flags = { debounce_text_changes = 0 },
         cmd = function()
           return {
             request = function(method, _, callback)
               if method == "initialize" then
                 callback(nil, { capabilities = { textDocumentSync = { openClose = true, change = 2 } } })
               end
               return true, 1
             end,
             notify = function(method, params)
               if method:find("^textDocument") then table.insert(_G.sent, { method, params.contentChanges }) end
               return true
             end,
             is_closing = function() return false end,
             terminate = function() end,
           }
         end,
       })`,
    );
    await nvim.until("#_G.sent", 1);
    const lines = await nvim.lines();
    lines[9] = "line ten";
    lines.splice(30, 2);
    await editor.change(text(lines));
    await nvim.until("#_G.sent > 1");
    const changes = await nvim.lua<[string, { text: string; range: unknown }[]][]>(
      "return vim.list_slice(_G.sent, 2)",
    );
    expect(changes.map(([method]) => method)).toEqual(changes.map(() => "textDocument/didChange"));
    const edits = changes.flatMap(([, list]) => list);
    expect(edits.map((edit) => edit.text)).toEqual(["", "ten"]);
    expect(edits[1]?.range).toEqual({
      start: { line: 9, character: 5 },
      end: { line: 9, character: 7 },
    });
  });

  it("has treesitter parse again only what changed", async () => {
    const code = Array.from({ length: 60 }, (_, i) => `local a${i} = { ${i}, "${i}" }`);
    await using editor = await opened(program, text(code), "a.lua");
    const { nvim } = editor;
    await nvim.lua(
      `_G.parser = vim.treesitter.get_parser(0, "lua")
       _G.parser:parse()
       _G.ranges = {}
       _G.parser:register_cbs({ on_changedtree = function(ranges) vim.list_extend(_G.ranges, ranges) end })`,
    );
    code[30] = "local function added() return 1 end";
    code.splice(40, 2);
    await editor.change(text(code));
    const [same, ranges] = await nvim.lua<[boolean, [number, ...number[]][]]>(
      `local tree = _G.parser:parse()[1]
       local whole = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n") .. "\\n"
       local fresh = vim.treesitter.get_string_parser(whole, "lua"):parse()[1]
       local _, _, stop = tree:root():end_()
       local _, _, fresh_stop = fresh:root():end_()
       return { tree:root():sexpr() == fresh:root():sexpr() and stop == fresh_stop, _G.ranges }`,
    );
    expect(same).toBe(true);
    expect(ranges.length).toBeGreaterThan(0);
    for (const [row] of ranges) expect(row).toBeGreaterThanOrEqual(29);
  });

  it("has the lines, the encoding and the line ends of its file, also when these change", async () => {
    await using editor = await opened(program, "one\ntwo\n");
    const { nvim } = editor;
    const bytes = (value: string) => Buffer.from(value, "latin1");
    const forms: readonly [name: string, from: Buffer, to: Buffer, whole?: boolean][] = [
      ["CRLF", bytes("a\r\nb\r\nc\r\n"), bytes("a\r\nB\r\nc\r\nd\r\n")],
      ["CRLF to LF", bytes("a\r\nb\r\n"), bytes("a\nb\nc\n")],
      ["LF to CRLF", bytes("a\nb\n"), bytes("a\r\nb\r\nc\r\n")],
      ["CRLF in some lines", bytes("a\r\nb\r\n"), bytes("a\r\nb\nc\r\n")],
      ["latin1", bytes("caf\xe9\nb\n"), bytes("caf\xe9\nb\xfc\nc\n")],
      ["latin1 to UTF-8", bytes("caf\xe9\nb\n"), Buffer.from("café\nbü\n")],
      ["UTF-8 to latin1", Buffer.from("café\nb\n"), bytes("caf\xe9\nb\xfc\n")],
      ["UTF-8 in the middle of characters", Buffer.from("aéb\n"), Buffer.from("aèb€\n")],
      ["a byte order mark", bytes("a\n"), Buffer.from("\ufeffa\nb\n")],
      ["without the mark", Buffer.from("\ufeffa\nb\n"), bytes("a\nc\n")],
      ["no newline at the end", bytes("a\nb\n"), bytes("a\nc")],
      ["a newline at the end", bytes("a\nb"), bytes("a\nb\n")],
      ["empty", bytes("a\nb\n"), bytes("")],
      ["no more empty", bytes(""), bytes("a\nb\n")],
      ["an empty line", bytes(""), bytes("\n")],
      ["empty lines at the end", bytes("a\n"), bytes("a\n\n\n")],
      ["zero bytes", bytes("a\nb\n"), bytes("a\0\nb\n"), true],
      ["UTF-16", bytes("\xff\xfea\0\n\0"), bytes("\xff\xfea\0b\0\n\0"), true],
    ];
    const state = `return { vim.bo.fileencoding, vim.bo.fileformat, vim.bo.bomb, vim.bo.endofline,
      vim.bo.modified, vim.api.nvim_buf_get_lines(0, 0, -1, false) }`;
    for (const [name, from, to, whole = false] of forms) {
      await writeFile(editor.path, from);
      await nvim.command("silent edit!");
      await nvim.lua(LISTEN);
      await editor.change(to);
      // An empty file may be about to be written.
      if (to.length === 0) await nvim.until("vim.fn.getline(1)", "");
      const is = await nvim.lua<unknown[]>(state);
      expect(await nvim.lua("return vim.list_contains(_G.heard, 'reload')"), name).toBe(whole);
      await nvim.command("set nofixendofline | silent write");
      expect(await readFile(editor.path), name).toEqual(to);
      await nvim.command("silent edit!");
      const fresh = await nvim.lua<unknown[]>(state);
      if (!whole) expect(is, name).toEqual(fresh);
    }
  });

  it("is edited in a bounded number of places, however much has changed", async () => {
    const lines = letters(50_000);
    await using editor = await opened(program, text(lines));
    const { nvim } = editor;
    const one = lines.map((line, i) => (i === 40_000 ? "changed" : line));
    await editor.change(text(one));
    expect(await nvim.lua("return _G.heard")).toEqual([[40_000, 40_001, 40_001]]);
    await nvim.lua("_G.heard = {}");
    const many = one.map((line, i) => (i % 20 === 0 ? `${line}!` : line));
    await editor.change(text(many));
    expect(await nvim.lua("return #_G.heard")).toBe(1);
    const other = many.map((line) => `${line}?`);
    await editor.change(text(other));
    expect(await nvim.lua("return { #_G.heard, vim.bo.modified }")).toEqual([2, false]);
    expect(await nvim.lines()).toEqual(other);
    await nvim.command("silent undo | silent undo | silent undo");
    expect(await nvim.lines()).toEqual(lines);
  });

  it("has the new text, and the old one after an undo, for random texts", async () => {
    await using editor = await opened(program, "");
    // Few different lines, so that hunks touch and repeat.
    const wrong = await editor.nvim.lua<unknown>(
      `local edit, hunks = require("codex-chat.reload.edit"), require("codex-chat.reload.hunks")
       math.randomseed(7)
       local words = { "", "a", "ä", "aä", "bä b", "ab", "a b" }
       local function text()
         local lines = {}
         for i = 1, math.random(1, 9) do lines[i] = words[math.random(#words)] end
         return lines
       end
       local function lines() return vim.api.nvim_buf_get_lines(0, 0, -1, false) end
       for _ = 1, 400 do
         local old, new, other = text(), text(), text()
         vim.api.nvim_buf_set_lines(0, 0, -1, false, old)
         edit.break_undo(0)
         edit.apply(0, old, new)
         edit.break_undo(0)
         if not hunks.same(lines(), new) then return { "apply", old, new, lines() } end
         if not hunks.same(old, new) then vim.cmd("silent undo") end
         if not hunks.same(lines(), old) then return { "undo", old, new, lines() } end
         for _, case in ipairs({ { old, new, old, new }, { old, old, new, new }, { old, new, new, new } }) do
           local merged = hunks.merge(case[1], case[2], case[3])
           if #merged.conflicts > 0 or not hunks.same(merged.lines, case[4]) then
             return { "merge", case, merged }
           end
         end
         -- Each side is in the result with its lines of every conflict.
         local merged, both = hunks.merge(old, new, other).lines, {}
         for _, line in ipairs(merged) do both[line] = true end
         for _, hunk in ipairs(hunks.of(old, new)) do
           for row = hunk.new + 1, hunk.new + hunk.new_count do
             if not both[new[row]] then return { "lost", old, new, other, merged } end
           end
         end
       end
       return "none"`,
    );
    expect(wrong).toBe("none");
  });

  it("follows a quick succession of changes while the user types elsewhere", async () => {
    await using editor = await opened(program, "0\n");
    const { nvim } = editor;
    await nvim.command("new");
    await nvim.keys("i");
    for (let i = 1; i <= 30; i++) {
      await nvim.keys(`${i} `);
      await editor.change(text(letters(i)));
    }
    await nvim.keys("<Esc>");
    await nvim.until("vim.fn.mode()", "n");
    expect(await nvim.lines()).toEqual([
      letters(30)
        .map((_, i) => `${i + 1} `)
        .join(""),
    ]);
    const other = await nvim.lua<number>("return vim.fn.bufnr('a.txt')");
    expect(await nvim.lines(other)).toEqual(letters(30));
    expect(await nvim.lua("return vim.list_contains(_G.heard, 'reload')")).toBe(false);
  });

  it("waits until the user's command there is complete", async () => {
    await using editor = await opened(program, text(letters(5)));
    const { nvim } = editor;
    await nvim.command("3");
    await nvim.keys("d");
    await expect.poll(() => nvim.mode()).toBe("no");
    await editor.change(text(["new", ...letters(5)]));
    expect(await nvim.lines()).toEqual(letters(5));
    await nvim.keys("<Esc>");
    await expect.poll(() => nvim.lines()).toEqual(["new", ...letters(5)]);
    await nvim.keys("i");
    await expect.poll(() => nvim.mode()).toBe("i");
    await editor.change(text(letters(5)));
    expect(await nvim.lines()).toEqual(["new", ...letters(5)]);
    await nvim.keys("<Esc>");
    await expect.poll(() => nvim.lines()).toEqual(letters(5));
    expect((await nvim.messages()).trim()).toBe("");
  });

  it("highlights the changed lines for a moment, unless the group is linked to nothing", async () => {
    await using editor = await opened(program, text(letters(5)));
    const { nvim } = editor;
    const shown = `local ns = vim.api.nvim_get_namespaces()["codex-chat.reload.flash"]
      return vim.tbl_map(function(mark) return { mark[2], mark[4].end_row, mark[4].hl_group } end,
        vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true }))`;
    await editor.change(text(["new", ...letters(4), "other"]));
    expect(await nvim.lua(shown)).toEqual([
      [0, 1, "CodexChatReloaded"],
      [5, 6, "CodexChatReloaded"],
    ]);
    await expect.poll(() => nvim.lua(shown), { timeout: 10_000 }).toEqual([]);
    const group = "return vim.api.nvim_get_hl(0, { name = 'CodexChatReloaded' })";
    expect(await nvim.lua(group)).toMatchObject({ link: "Visual" });
    await nvim.command("highlight! link CodexChatReloaded NONE");
    await editor.change(text(letters(5)));
    expect(await nvim.lua(group)).not.toHaveProperty("link");
  });
});

type Opened = AsyncDisposable & {
  readonly nvim: Neovim;
  readonly path: string;
  /** Writes the file and has it reloaded. */
  readonly change: (content: string | Buffer) => Promise<void>;
};

/** A file of a project, open in a Neovim with listeners. */
async function opened(program: NeovimProgram, content: string, name = "a.txt"): Promise<Opened> {
  const nvim = await startNeovim({ program, screen: { columns: 80, rows: 40 } });
  const path = join(nvim.cwd, name);
  await writeFile(path, content);
  await nvim.command(`edit ${path}`);
  await nvim.lua(`require("codex-chat.reload").guard() ${LISTEN} vim.cmd("messages clear")`);
  return {
    nvim,
    path,
    change: async (to) => {
      await writeFile(path, to);
      await nvim.lua(`require("codex-chat.reload").reload({ root = ... })`, nvim.cwd);
    },
    [Symbol.asyncDispose]: () => nvim.close(),
  };
}
