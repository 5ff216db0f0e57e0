import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** Where every window on the chat stands: its first line's text, its cursor and the cursor's row. */
const WINDOWS = `
  local buf = ...
  return vim.tbl_map(function(win)
    return vim.api.nvim_win_call(win, function()
      local top = vim.fn.winsaveview().topline
      return {
        top = vim.fn.getline(top),
        line = vim.fn.getline("."),
        col = vim.fn.col("."),
        row = vim.fn.winline(),
      }
    end)
  end, vim.fn.win_findbuf(buf))`;

const paragraph = (n: number): string =>
  `${n} ${"words that wrap over several lines of the window ".repeat(4)}`;

describe.each(neovims)("windows on Neovim $name", (program) => {
  const screen = { columns: 120, rows: 30 };

  it("scroll along while the cursor is in the prompt, and keep the prompt's end in view", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await nvim.keys("half");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["## Codex"], gap: 1 });
    let last = 0;
    for (let n = 0; n < 40; n += 1) {
      await chat.edit({
        op: "insert",
        id: `p${n}`,
        after: n === 0 ? "a" : `p${n - 1}`,
        lines: [paragraph(n)],
        gap: 1,
      });
      const [win] = await nvim.lua<{ row: number; line: string }[]>(WINDOWS, chat.buf);
      expect(win?.line).toBe("half");
      const row = win?.row ?? 0;
      // The prompt only ever goes down, until it is at the window's end, where it stays within a
      // paragraph's height.
      expect(row).toBeGreaterThanOrEqual(Math.min(last, 20));
      last = row;
    }
    expect(last).toBeGreaterThan(20);
    await nvim.untilShown("half");
  });

  it("stay where they are while the user reads further up", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    const lines = Array.from({ length: 200 }, (_, n) => paragraph(n));
    await chat.edit({ op: "insert", id: "a", after: user, lines, gap: 1 });
    await nvim.keys("<Esc>");
    await nvim.type("60Gzt5j3l");
    const before = await nvim.lua(WINDOWS, chat.buf);
    // Neovim answers before it draws.
    await nvim.lua("vim.cmd.redraw()");
    const shown = nvim.screen?.lines().slice(2, 25);
    for (let n = 0; n < 20; n += 1) await chat.edit({ op: "append", id: "a", text: `more ${n}\n` });
    expect(await nvim.lua(WINDOWS, chat.buf)).toEqual(before);
    await nvim.lua("vim.cmd.redraw()");
    expect(nvim.screen?.lines().slice(2, 25)).toEqual(shown);
  });

  it("keep the line under the cursor in place while text above it grows", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    const lines = Array.from({ length: 100 }, (_, n) => `line ${n}`);
    await chat.edit(
      { op: "insert", id: "a", after: user, lines: ["working"], gap: 1 },
      { op: "insert", id: "b", after: "a", lines, gap: 1 },
    );
    await nvim.keys("<Esc>");
    await nvim.type("60Gzz");
    const before = await nvim.lua(WINDOWS, chat.buf);
    await chat.edit({ op: "replace", id: "a", lines: ["now", "it is", "longer"] });
    await chat.edit({ op: "append", id: "a", text: "\nand\nlonger" });
    expect(await nvim.lua(WINDOWS, chat.buf)).toEqual(before);
    await nvim.type("15Gzt3j");
    const between = await nvim.lua<{ row: number; line: string }[]>(WINDOWS, chat.buf);
    await chat.edit({ op: "append", id: "a", text: "\nby\nmuch" });
    const after = await nvim.lua<{ row: number; line: string }[]>(WINDOWS, chat.buf);
    expect(after[0]?.line).toBe(between[0]?.line);
    expect(after[0]?.row).toBe(between[0]?.row);
  });

  it("each keep their own position if several show the chat", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    const lines = Array.from({ length: 200 }, (_, n) => paragraph(n));
    await chat.edit({ op: "insert", id: "a", after: user, lines, gap: 1 });
    await nvim.keys("<Esc>");
    await nvim.type(":split<CR>40Gzt2j");
    await nvim.command("tab split");
    await nvim.type("100Gzz");
    const before = await nvim.lua<{ line: string }[]>(WINDOWS, chat.buf);
    expect(before).toHaveLength(3);
    for (let n = 0; n < 10; n += 1) await chat.edit({ op: "append", id: "a", text: `more ${n}\n` });
    const after = await nvim.lua<{ line: string; row: number }[]>(WINDOWS, chat.buf);
    // The one in the prompt follows, the others stand still.
    const still = (list: { line: string }[]) => list.filter((win) => win.line.includes("words"));
    expect(still(after)).toEqual(still(before));
    expect(still(after)).toHaveLength(2);
  });

  it("scroll along below closed folds without leaving the window half empty", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    let after = await chat.send("go on");
    for (let n = 0; n < 30; n += 1) {
      const id = `f${n}`;
      await chat.edit(
        { op: "insert", id, after, lines: ["```", ...Array<string>(50).fill("x"), "```"], gap: 0 },
        { op: "fold", from: id, to: id, label: "output" },
      );
      after = id;
    }
    await nvim.lua("vim.cmd.redraw()");
    const shown = await nvim.lua<{ row: number }[]>(WINDOWS, chat.buf);
    const height = await nvim.lua<number>(
      "return vim.fn.getwininfo(vim.api.nvim_get_current_win())[1].height",
    );
    expect(shown[0]?.row).toBe(height);
  });
});

describe.each(neovims)("what the user types while Codex writes, on Neovim $name", (program) => {
  const screen = { columns: 100, rows: 24 };

  it("stays in the prompt, complete and in order", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["## Codex", "", ""], gap: 1 });
    const typed = "the quick brown fox, jumps over; the lazy dog. 0123456789 ".repeat(4);
    const streaming = (async () => {
      for (let n = 0; n < 120; n += 1) {
        await chat.edit({ op: "append", id: "a", text: n % 3 === 0 ? `w${n}\n` : `word${n} ` });
      }
    })();
    for (const char of typed) await nvim.keys(char);
    await nvim.keys("x<BS><CR>second line<Left><Left>");
    await streaming;
    await expect.poll(async () => (await chat.body()).slice(-2)).toEqual([typed, "second line"]);
    expect((await nvim.cursor())[1]).toBe("second line".length - 2);
    expect(await nvim.mode()).toBe("i");
  });

  it("is what an operator works on even if the text moved between its two keys", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one", "two", "three"], gap: 1 });
    await nvim.keys("first<CR>second<CR>third<Esc>kk");
    await nvim.until("vim.fn.getline('.')", "first");
    await nvim.keys("d");
    await expect.poll(() => nvim.mode()).toBe("no");
    await chat.edit({ op: "append", id: "a", text: "\nfour\nfive\nsix" });
    await nvim.keys("j");
    await expect.poll(() => nvim.mode()).toBe("n");
    await expect
      .poll(() => chat.body())
      .toEqual([
        "## You",
        "",
        "go on",
        "",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "",
        "## You",
        "third",
      ]);
  });

  it("keeps its visual selection while text arrives above", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one"], gap: 1 });
    await nvim.keys("first<CR>second<CR>third<Esc>kk");
    await nvim.until("vim.fn.getline('.')", "first");
    await nvim.keys("Vj");
    await expect.poll(() => nvim.mode()).toBe("V");
    await chat.edit({ op: "append", id: "a", text: "\ntwo\nthree" });
    await nvim.keys("d");
    await expect
      .poll(() => chat.body())
      .toEqual(["## You", "", "go on", "", "one", "two", "three", "", "## You", "third"]);
  });

  it("keeps a charwise selection while the line above it grows", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["one"], gap: 1 });
    await nvim.keys("abcdef<Esc>0llv");
    await expect.poll(() => nvim.mode()).toBe("v");
    await chat.edit({ op: "append", id: "a", text: "\ntwo\nthree" });
    await nvim.keys("ld");
    await expect.poll(() => chat.body().then((lines) => lines.at(-1))).toBe("abef");
  });

  it("is searched from where the search began, even if the search is aborted", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["needle one"], gap: 1 });
    await nvim.keys("here<Esc>");
    await nvim.until("vim.fn.getline('.')", "here");
    await nvim.keys("/needle");
    await nvim.until("vim.fn.getcmdline()", "needle");
    await chat.edit({ op: "append", id: "a", text: "\ntwo\nthree" });
    await nvim.keys("<Esc>");
    await nvim.until("vim.fn.getline('.')", "here");
    await nvim.until("vim.fn.search('^three$', 'nw') > 0");
    await nvim.until("vim.fn.getline('.')", "here");
  });

  it("does not hide arriving text while a command line is open", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    await nvim.keys("<Esc>:echo 1");
    await nvim.until("vim.fn.getcmdline()", "echo 1");
    await chat.edit({ op: "insert", id: "a", after: user, lines: ["comes in"], gap: 1 });
    await nvim.lua("vim.cmd.redraw()");
    await nvim.untilShown("comes in");
    expect(nvim.screen?.lines().at(-1)).toBe(":echo 1");
  });
});
