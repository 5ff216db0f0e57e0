import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const ONE = { "a.txt": { before: "one\ntwo\n", now: "one\n2\n" } };
const MANY = {
  "src/a b.ts": { before: "const a = 1;\n", now: "const a = 2;\n" },
  "src/new.ts": { now: "export {};\n" },
  "src/old.ts": { before: "gone\n" },
  "src/to.ts": { before: "1\n2\n3\n", now: "1\n2\n4\n", old: "src/from.ts", change: "renamed" },
  "run.sh": { before: "#!/bin/sh\n", now: "#!/bin/sh\n", change: "mode" },
  "ü.png": { before: Buffer.from([1, 0]), now: Buffer.from([1, 0, 2]) },
  "dist/x.js": { before: "1\n", now: "2\n", ignored: true },
  "huge.bin": { now: "?", unknown: true },
} as const;

/** All options that a review could leave behind. */
const OPTIONS = `(function()
  local found = {}
  for name, info in pairs(vim.api.nvim_get_all_options_info()) do
    local scope = info.scope == "win" and vim.wo or info.scope == "global" and vim.o
    local ok, value = pcall(function() return scope[name] end)
    -- The height of a window depends on the line of tabs.
    found[name] = ok and name ~= "scroll" and name ~= "window" and tostring(value) or nil
  end
  return found
end)()`;

const LAYOUT = `(function()
  local wins = {}
  for _, tab in ipairs(vim.api.nvim_list_tabpages()) do
    for _, win in ipairs(vim.api.nvim_tabpage_list_wins(tab)) do
      table.insert(wins, { win, vim.api.nvim_win_get_width(win), vim.api.nvim_win_get_height(win) })
    end
  end
  return wins
end)()`;

/** The text of the review's windows: the list's, the left one's and the right one's. */
const TEXTS = `(function()
  return vim.tbl_map(function(win)
    return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(win), 0, -1, false)
  end, vim.api.nvim_tabpage_list_wins(0))
end)()`;

describe.each(neovims)("a review on Neovim $name", (program) => {
  it.each([
    { columns: 200, rows: 50 },
    { columns: 80, rows: 24 },
  ])("shows the files beside diff mode at $columns columns", async (screen) => {
    await using review = await Reviewed.open({ program, screen }, MANY);
    const { nvim } = review;
    await review.diff();
    expect(
      await nvim.lua(`return vim.tbl_map(function(win) return vim.wo[win].diff end,
      vim.api.nvim_tabpage_list_wins(0))`),
    ).toEqual([false, true, true]);
    const wide = screen.columns > 100;
    expect(await nvim.lua("return vim.fn.winlayout()")).toEqual([
      wide ? "row" : "col",
      wide
        ? [
            ["leaf", expect.anything()],
            ["leaf", expect.anything()],
            ["leaf", expect.anything()],
          ]
        : [
            ["leaf", expect.anything()],
            ["row", expect.anything()],
          ],
    ]);
    const [left, right] = await nvim.lua<number[]>(
      "return vim.tbl_map(vim.api.nvim_win_get_width, { vim.fn.win_getid(2), vim.fn.win_getid(3) })",
    );
    expect(Math.abs((left ?? 0) - (right ?? 0))).toBeLessThanOrEqual(1);
    const [list] = await nvim.lua<string[][]>(`return ${TEXTS}`);
    expect(list).toEqual([
      "▸ X run.sh",
      "  M src/a b.ts",
      "  A src/new.ts",
      "  D src/old.ts",
      "  R from.ts → src/to.ts",
      "  M ü.png",
      "   hidden by ignore rules",
      "  M dist/x.js",
      "   content not on record",
      "  ? huge.bin",
    ]);
    await nvim.untilShown(/Since/);
    if (wide) await nvim.untilShown(/M ü\.png +binary/);
    await nvim.untilShown(/X run\.sh +permissions/);
  });

  it("walks the files from anywhere, and shows each kind of change", async () => {
    await using review = await Reviewed.open({ program }, MANY);
    const { nvim } = review;
    await review.diff();
    const shown = async () => (await nvim.lua<string[][]>(`return ${TEXTS}`)).slice(1);
    expect(await shown()).toEqual([["#!/bin/sh"], ["#!/bin/sh"]]);
    await review.keys("]f");
    expect(await shown()).toEqual([["const a = 1;"], ["const a = 2;"]]);
    await nvim.command("1wincmd w");
    await review.keys("]f");
    expect(await shown()).toEqual([[""], ["export {};"]]);
    await nvim.command("2wincmd w");
    await review.keys("]f");
    expect(await shown()).toEqual([["gone"], [""]]);
    await review.keys("]f");
    expect(await shown()).toEqual([
      ["1", "2", "3"],
      ["1", "2", "4"],
    ]);
    expect(await nvim.lua("return vim.bo[vim.fn.winbufnr(2)].filetype")).toBe("typescript");
    await review.keys("]f");
    expect(await shown()).toEqual([
      ["It was binary and had 2 bytes."],
      ["ü.png is binary and has 3 bytes."],
    ]);
    await review.keys("]f]f");
    expect((await shown())[0]).toEqual([
      "The content before is not on record:",
      "the file was too large, or changed while it was read.",
    ]);
    await review.keys("]f[f[f");
    expect(await shown()).toEqual([["1"], ["2"]]);
    await nvim.command("1wincmd w");
    await review.keys("gg<CR>");
    expect(await nvim.lua("return vim.fn.expand('%:t')")).toBe("run.sh");
  });

  it.each([
    [80, 24],
    [200, 50],
  ])("shows its keys once on a screen of %d columns", async (columns, rows) => {
    await using review = await Reviewed.open({ program, screen: { columns, rows } }, MANY);
    const { nvim } = review;
    await review.diff();
    await nvim.untilShown(/gy accept {2}gb back {2}gC comment/);
    expect(nvim.screen?.text().match(/gy accept/g)).toHaveLength(1);
  });

  it("leaves windows, options and buffers as they were", async () => {
    await using review = await Reviewed.open({ program }, MANY);
    const { nvim } = review;
    await nvim.command("set diffopt+=vertical noequalalways nohidden winbar=mine number");
    await nvim.command("vsplit | 20wincmd |");
    const state = `{ ${OPTIONS}, ${LAYOUT}, vim.fn.execute('ls!'), vim.api.nvim_get_current_win() }`;
    const count = "#vim.api.nvim_list_bufs()";
    const before = await nvim.lua(`return ${state}`);
    const bufs = await nvim.lua(`return ${count}`);
    await review.diff();
    await review.keys("]f]f]f]f]f]f]f");
    await nvim.type("q");
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(await nvim.lua(`return ${state}`)).toEqual(before);
    expect(await nvim.lua(`return ${count}`)).toBe(bufs);
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
  });

  it("leaves nothing of itself in a file that the user has open", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    await nvim.lua("vim.cmd.edit((...))", review.path("a.txt"));
    await nvim.command("set scrollopt+=hor");
    await nvim.lua(`vim.keymap.set("n", "gb", "<Cmd>let g:mine = 1<CR>", { buffer = 0 })`);
    const before = await nvim.lua(`return { ${OPTIONS}, vim.api.nvim_buf_get_keymap(0, "n") }`);
    await review.diff();
    expect(await nvim.lua(`return vim.fn.maparg("gy", "n") ~= ""`)).toBe(true);
    await nvim.type("gb");
    expect(review.now("a.txt")).toBe("one\n2\n");
    await nvim.command("1tabnext");
    expect(await nvim.lua(`return vim.fn.maparg("gy", "n")`)).toBe("");
    expect(await nvim.lua("return { vim.wo.diff, vim.wo.winbar }")).toEqual([false, ""]);
    await nvim.command("tabnext");
    await nvim.type("Gonew<Esc>");
    await nvim.type("q");
    expect(await nvim.lua(`return { ${OPTIONS}, vim.api.nvim_buf_get_keymap(0, "n") }`)).toEqual(
      before,
    );
    expect(await nvim.lines()).toEqual(["one", "2", "new"]);
    expect(await nvim.lua("return vim.bo.modified")).toBe(true);
  });

  it("leaves nothing of itself in another file that the user opens in its window", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    await nvim.command(`badd ${review.path("a.txt")}`);
    await review.diff();
    const file = await nvim.buf();
    await nvim.lua("vim.cmd.edit((...))", review.path("other.txt"));
    expect(await nvim.lua("return vim.api.nvim_buf_get_keymap(..., 'n')", file)).toEqual([]);
    await nvim.command("1tabnext");
    await nvim.command("tabclose 2");
    await nvim.command(`buffer ${file}`);
    expect(await nvim.lua("return { vim.wo.diff, vim.wo.winbar, vim.wo.foldmethod }")).toEqual([
      false,
      "",
      "manual",
    ]);
  });

  it("continues if 'hidden' is off and a file is not saved", async () => {
    await using review = await Reviewed.open(
      { program },
      { ...ONE, "b.txt": { before: "1\n", now: "2\n" } },
    );
    const { nvim } = review;
    await nvim.command("set nohidden");
    await review.diff();
    await review.keys("Gomine<Esc>");
    await review.keys("]f");
    expect(await nvim.lua("return vim.fn.expand('%:t')")).toBe("b.txt");
    await nvim.type("q");
    expect(
      await nvim.lua("return vim.fn.getbufline(vim.fn.bufnr((...)), 1, '$')", review.path("a.txt")),
    ).toEqual(["one", "2", "mine"]);
    expect(
      await nvim.lua("return vim.bo[vim.fn.bufnr((...))].buflisted", review.path("a.txt")),
    ).toBe(true);
    // A window that shows it next gets the options of its last one.
    await nvim.lua("vim.cmd.buffer(vim.fn.bufnr((...)))", review.path("a.txt"));
    expect(await nvim.lua("return { vim.wo.diff, vim.wo.winbar, vim.wo.foldmethod }")).toEqual([
      false,
      "",
      "manual",
    ]);
  });

  it.each(["q", ":q<CR>", "<C-w>h:q<CR>", ":tabclose<CR>"])("ends with %s", async (keys) => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    const win = await nvim.lua("return vim.api.nvim_get_current_win()");
    await review.diff();
    await nvim.type(keys);
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    await nvim.until("require('codex-chat.review.state').current == nil");
    expect(await nvim.lua("return vim.api.nvim_get_current_win()")).toBe(win);
    expect(
      await nvim
        .lua("return #vim.api.nvim_get_autocmds({ group = 'codex-chat.reviewing' })")
        .catch(() => 0),
    ).toBe(0);
  });

  it("ends with its conversation", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    await review.diff();
    await nvim.command(`bwipeout ${review.chat.buf}`);
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
  });

  it("takes over the tab page of the one before", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    await review.diff();
    await review.diff("all");
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(2);
    await nvim.command("1tabnext");
    await review.diff("2");
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(2);
    await nvim.type("q");
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(1);
    const lists = review.chat.host.of("action/run").filter(({ name }) => name === "changes/list");
    expect(lists.map(({ params }) => params)).toEqual([
      { since: "turn" },
      { since: "all" },
      { since: 2 },
    ]);
  });

  it("shows the turn under the cursor in the chat", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim, chat } = review;
    await chat.send("Do it.");
    await nvim.command("wincmd p");
    await nvim.type("<Esc>gg");
    await nvim.lua("vim.fn.search('Do it')");
    const [line] = await nvim.cursor();
    await review.diff();
    expect(chat.host.of("action/run").at(0)?.params).toEqual({ since: "turn", row: line - 1 });
  });

  it("says that there is nothing to review, or that the arguments are wrong", async () => {
    await using review = await Reviewed.open({ program }, {});
    const { nvim } = review;
    await nvim.command("CodexChat diff");
    await expect.poll(() => nvim.messages()).toContain("there is nothing to review");
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(1);
    await expect(nvim.command("CodexChat diff sideways")).rejects.toThrow("inline or quickfix");
    await nvim.command("CodexChat review accept");
    expect(await nvim.messages()).toContain("no review is open in this tab page");
  });

  it("shows its keys", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    await review.nvim.command("nmap <Leader>y <Plug>(codex-chat-review-accept)");
    await review.diff();
    await review.nvim.command("1wincmd w");
    await review.nvim.type("g?");
    expect((await review.nvim.lines()).join("\n")).toMatch(
      /\\y +accept \(yes\)\n.*gY +accept the file/,
    );
    await review.nvim.type("q");
    expect(await review.nvim.lua("return vim.fn.winnr('$')")).toBe(3);
  });

  it("shows a file that vanishes meanwhile as one that is gone", async () => {
    await using review = await Reviewed.open(
      { program },
      { ...ONE, "b.txt": { before: "1\n", now: "2\n" } },
    );
    await review.diff();
    await rm(review.path("b.txt"));
    await review.keys("]f");
    expect((await review.nvim.lua<string[][]>(`return ${TEXTS}`))[2]).toEqual([
      "b.txt is not there any more.",
    ]);
  });

  it("obeys no modeline and runs no file type plugin of the project", async () => {
    const evil = "-- vim: set textwidth=33 foldmethod=expr foldexpr=evil():\n";
    await using review = await Reviewed.open(
      { program },
      {
        "a.lua": { before: evil, now: `${evil}return 1\n` },
        "ftplugin/lua.lua": { now: "vim.g.fired = true\n" },
      },
    );
    const { nvim } = review;
    await nvim.lua(
      `vim.cmd("set modeline modelineexpr | filetype plugin indent on"); vim.opt.rtp:prepend((...))`,
      nvim.cwd,
    );
    await review.diff();
    expect(
      await nvim.lua(`return vim.tbl_map(function(win)
        local buf = vim.api.nvim_win_get_buf(win)
        return { vim.bo[buf].filetype, vim.bo[buf].textwidth, vim.wo[win].foldmethod }
      end, { vim.fn.win_getid(2), vim.fn.win_getid(3) })`),
    ).toEqual([
      ["lua", 0, "diff"],
      ["lua", 0, "diff"],
    ]);
    expect(await nvim.lua("return vim.g.fired")).toBeNull();
    expect(await nvim.lua("return vim.bo[vim.fn.winbufnr(3)].modeline")).toBe(true);
  });

  it("is left out of a session that is written meanwhile", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    const session = join(nvim.home, "s.vim");
    await review.diff();
    await nvim.command(`mksession ${session}`);
    await nvim.type("q");
    await nvim.command(`source ${session}`);
    expect(await nvim.messages()).not.toMatch(/E\d+:/);
    await nvim.until(
      `vim.tbl_filter(function(buf)
        return vim.api.nvim_buf_get_name(buf):find("codex%-chat://") ~= nil
      end, vim.api.nvim_list_bufs())`,
      [],
    );
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(1);
  });

  it("stands above one another where 'diffopt' says so", async () => {
    await using review = await Reviewed.open({ program, screen: { columns: 200, rows: 50 } }, ONE);
    await review.nvim.command("set diffopt+=horizontal");
    await review.diff();
    expect(await review.nvim.lua("return vim.fn.winlayout()")).toEqual([
      "row",
      [
        ["leaf", expect.anything()],
        ["col", expect.anything()],
      ],
    ]);
  });

  it("shows the versions that an undo was to bring back", async () => {
    await using review = await Reviewed.open({ program }, ONE);
    const { nvim } = review;
    const wanted = join(nvim.home, "wanted");
    await writeFile(wanted, "one\ntwo\n");
    await nvim.lua(
      `local path, wanted = ...
       require("codex-chat.review.conflicts").show({ queries = {}, files = {}, others = {},
         conflicts = { { path = path, why = "it changed", wanted = wanted } } })`,
      review.path("a.txt"),
      wanted,
    );
    await review.diff("conflicts");
    expect((await nvim.lua<string[][]>(`return ${TEXTS}`)).slice(1)).toEqual([
      ["one", "two"],
      ["one", "2"],
    ]);
    await review.keys("do");
    expect(await nvim.lines()).toEqual(["one", "two"]);
  });
});
