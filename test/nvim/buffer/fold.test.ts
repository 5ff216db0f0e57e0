import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

const OUTPUT = ["```console output", "one", "two", "```"];

/** Writes a command with its output, folded, as the host does. */
async function command(chat: OpenChat, id: string, after: string): Promise<void> {
  await chat.edit(
    { op: "insert", id, after, lines: ["**Ran** `ls`"], gap: 1 },
    { op: "insert", id: `${id}.out`, after: id, lines: OUTPUT, gap: 0 },
    { op: "fold", from: `${id}.out`, to: `${id}.out`, label: "output" },
  );
}

/**
 * First line and length of every closed fold in the current window, but for the front matter, and
 * without the blank line that a call's fold ends with on Neovim 0.10.
 */
const CLOSED = `(function()
  local folds, row = {}, 1
  while row <= vim.fn.line("$") do
    if vim.fn.foldclosed(row) == row then
      if row > 1 then
        local last = vim.fn.foldclosedend(row)
        last = vim.fn.getline(last) == "" and last - 1 or last
        folds[#folds + 1] = vim.fn.getline(row) .. " +" .. (last - row)
      end
      row = vim.fn.foldclosedend(row)
    end
    row = row + 1
  end
  return folds
end)()`;

/** Writes a command that has begun, and one that has ended with an output. */
async function begun(chat: OpenChat, n: number, script: string): Promise<void> {
  const after = n === 1 ? "history" : `r${n - 1}.out`;
  await chat.edit(
    { op: "insert", id: `r${n}`, after, lines: [`**Running** \`${script}\``], gap: 1 },
    { op: "insert", id: `r${n}.out`, after: `r${n}`, lines: OUTPUT, gap: 0 },
    { op: "fold", from: `r${n}.out`, to: `r${n}.out`, label: "output" },
  );
}
const ended = (chat: OpenChat, n: number, script: string, verb = "Ran", code = 0) =>
  chat.edit({
    op: "replace",
    id: `r${n}`,
    lines: [`**${verb}** \`${script}\` · exit ${code} · 0.01 s`],
  });

/** Their lines: those of a window's closed folds, and other calls. */
const calls = (chat: OpenChat) =>
  (chat.nvim.screen?.lines() ?? []).flatMap(
    (line) => /[✔✘◌] (.*?)(?: {3,}(?:\d+ \w+))? *$/.exec(line)?.[1]?.trim() ?? [],
  );

describe.each(neovims)("folds on Neovim $name", (program) => {
  it("are closed over command output, in every window that shows it", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 40 } });
    await command(chat, "a", "history");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    await chat.nvim.untilShown("Ran     ls");
    await chat.nvim.type("<Esc><C-w>v");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    await command(chat, "b", "a.out");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4", "**Ran** `ls` +4"]);
    await chat.nvim.type("<C-w>p");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4", "**Ran** `ls` +4"]);
  });

  it("stay open once the user has opened them", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 40 } });
    await command(chat, "a", "history");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    await chat.nvim.type("<Esc>?Ran<CR>zo");
    await command(chat, "b", "a.out");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    await chat.edit({ op: "append", id: "b.out", text: "\nmore" });
    await chat.nvim.until("vim.fn.foldclosed('.')", -1);
  });

  it("are still there after the conversation was hidden and shown", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 40 } });
    await command(chat, "a", "history");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    await chat.nvim.command("CodexChat toggle");
    await chat.nvim.command("CodexChat toggle");
    await chat.nvim.until(CLOSED, ["**Ran** `ls` +4"]);
    // Once, not one within the other: Neovim has remembered them as well.
    const level = "vim.fn.foldlevel(vim.fn.search('^..Ran', 'nw'))";
    expect(await chat.nvim.lua(`return ${level}`)).toBe(1);
    await chat.nvim.command("vsplit");
    await chat.nvim.command("tab split");
    expect(await chat.nvim.lua(`return ${level}`)).toBe(1);
    await chat.nvim.command("tabclose");
    await chat.nvim.command("close");
    await chat.nvim.command("CodexChat");
  });

  it("move neither the view nor the cursor when they are created", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 20 } });
    const lines = Array.from({ length: 60 }, (_, n) => `line ${n}`);
    await chat.edit({ op: "insert", id: "text", after: "history", lines, gap: 1 });
    await chat.nvim.type("<Esc>30Gzt5j");
    const view = await chat.nvim.lua("return vim.fn.winsaveview()");
    await command(chat, "a", "text");
    await chat.nvim.until(
      "#require('codex-chat.buffer.fold').list(vim.api.nvim_get_current_buf())",
      2,
    );
    expect(await chat.nvim.lua("return vim.fn.winsaveview()")).toEqual(view);
  });

  it("show how long Codex thought, and about what", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 20 } });
    const lines = ["> **Thought** for 3.0 s · Of \\*this\\*", ">", "> Words."];
    await chat.edit(
      { op: "insert", id: "t", after: "history", lines, gap: 1 },
      { op: "fold", from: "t", to: "t", label: "thinking" },
    );
    await chat.nvim.untilShown("Thought for 3.0 s · Of *this*");
    expect(chat.nvim.screen?.text()).not.toContain("Words.");
  });

  it("are the same after the conversation is reopened", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 40 } });
    const block = (id: string, after: string, lines: string[], gap: 0 | 1) =>
      ({ op: "insert", id, after, lines, gap }) as const;
    const fold = (id: string) => ({ op: "fold", from: id, to: id, label: "details" }) as const;
    await chat.edit(
      block("t", "history", ["> **Thought** for 3.0 s · Of it", ">", "> Words."], 1),
      fold("t"),
      block("s", "t", ["**Started** a sub-agent · `m`"], 1),
      block("s.told", "s", ["> Count.", ">", "> Twice."], 0),
      fold("s.told"),
      block("h", "s.told", ["> **Hook** `a.sh`"], 1),
      block("h.said", "h", ["```text hook", "bye", "```"], 0),
      fold("h.said"),
      block("q", "h.said", ["> A quotation", "> of the model's."], 1),
      block("n", "q", ["> **Note:** a note", "> goes on."], 1),
      block("a", "n", ["**Ran** `a sub-agent`"], 1),
      block("a.why", "a", ["> To see", "> it."], 0),
    );
    const closed = ["> **Thought** for 3.0 s · Of it +2", "> Count. +2", "```text hook +2"];
    await chat.nvim.until(CLOSED, closed);
    await chat.nvim.command("write | edit!");
    await chat.nvim.until(CLOSED, closed);
  });

  it("keep the last lines of a failed command in view, and the first hunk of a long diff", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 50 } });
    const { nvim } = chat;
    const fence = (id: string, info: string, lines: readonly string[]) =>
      [
        {
          op: "insert",
          id: `${id}.d`,
          after: id,
          lines: [`\`\`\`${info}`, ...lines, "```"],
          gap: 0,
        },
        { op: "fold", from: `${id}.d`, to: `${id}.d` },
      ] as const;
    const many = Array.from({ length: 20 }, (_, n) => `+${n}`);
    await chat.edit(
      { op: "insert", id: "run", after: "history", lines: ["**Running** `make`"], gap: 1 },
      ...fence("run", "console output", ["one", "two", "three", "four"]),
      { op: "insert", id: "short", after: "run.d", lines: ["**Edited** `a` · +1 −0"], gap: 1 },
      ...fence("short", "diff patch", ["@@ -1 +1 @@", "+x"]),
      { op: "insert", id: "hunks", after: "short.d", lines: ["**Edited** `b` · +21 −0"], gap: 1 },
      ...fence("hunks", "diff patch", ["@@ -1 +1 @@", "+x", "@@ -9 +9 @@", ...many]),
      { op: "insert", id: "long", after: "hunks.d", lines: ["**Added** `c` · +20"], gap: 1 },
      ...fence("long", "diff patch", many),
    );
    const diffs = ["@@ -9 +9 @@ +21", "+10 +10"];
    await nvim.until(CLOSED, ["**Running** `make` +6", ...diffs]);
    await nvim.untilShown(/◌ Running make +4 lines/);
    await nvim.untilShown("… 1 more hunk");
    await nvim.untilShown("… 10 more lines");
    await chat.edit({ op: "replace", id: "run", lines: ["**Failed** `make` · exit 2 · 1.5 s"] });
    await nvim.until(CLOSED, ["**Failed** `make` · exit 2 · 1.5 s +3", ...diffs]);
    await nvim.untilShown(/✘ Failed {2}make {2}exit 2 +4 lines {2}1\.5 s/);
    await nvim.untilShown(/│ three\n.*│ four/);
    expect(nvim.screen?.text()).not.toContain("two");
    await nvim.command("write | edit!");
    await nvim.until(CLOSED, ["**Failed** `make` · exit 2 · 1.5 s +3", ...diffs]);
  });

  it("take in lines that are added to the front matter, unless the user has opened it", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 20 } });
    const { nvim, host } = chat;
    const visible = "vim.fn.foldclosed(vim.fn.search('^thread:', 'nw'))";
    await nvim.until("vim.fn.foldclosedend(1)", 5);
    await host.editor.call.buf_set_meta(chat.buf, { thread: "t", model: "m" });
    await nvim.until("vim.fn.foldclosedend(1)", 7);
    await nvim.untilShown(/^[^\n]*\n[^\n]*· m ·/);
    await nvim.type("<Esc>ggzo");
    await host.editor.call.buf_set_meta(chat.buf, { name: "n" });
    expect(await nvim.lua(`return ${visible}`)).toBe(-1);
  });

  it("are made in the whole of a long conversation that nobody scrolls", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 30 } });
    const { nvim } = chat;
    const path = join(nvim.cwd, "long.md");
    const turn = `## You\n\nq\n\n## Codex\n\n**Ran** \`ls\`\n${OUTPUT.join("\n")}\n\nDone.\n\n`;
    await writeFile(path, `${turn.repeat(300)}## You\n\n`);
    const open = `local path = ...; local c = require("codex-chat.chat"); local p = require("codex-chat.project").of_buf()
      c.show(c.load(path, p))`;
    // Those that the window shows are made at once: the view never moves for them.
    const shown = await nvim.lua<number[]>(
      `${open}
       vim.cmd.redraw()
       local open = {}
       for row = vim.fn.line("w0"), vim.fn.line("w$") do
         if vim.fn.getline(row) == "one" and vim.fn.foldclosed(row) < 0 then open[#open + 1] = row end
       end
       return open`,
      path,
    );
    expect(shown).toEqual([]);
    const view = await nvim.lua("return vim.fn.winsaveview()");
    await nvim.until(`#${CLOSED}`, 300);
    expect(await nvim.lua("return vim.fn.winsaveview()")).toEqual(view);
  });

  it("count the lines of output that belongs to no call", async () => {
    await using chat = await openChat({ program, screen: { columns: 120, rows: 20 } });
    const lines = ["```console output", "$ a long command", "```"];
    await chat.edit(
      { op: "insert", id: "c", after: "history", lines, gap: 1 },
      { op: "fold", from: "c", to: "c", label: "output" },
    );
    await chat.nvim.untilShown("1 line");
  });

  it("are one over more than five calls that only look, which grows as Codex goes on", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 } });
    const scripts = ["cat a", "sed -n '1,9p' b", "rg x", "cat a", "rg 'y|z' src", "ls", "cat c"];
    for (const [n, script] of scripts.entries()) {
      await begun(chat, n + 1, script);
      if (n < 6) await ended(chat, n + 1, script);
    }
    const six = "Looked  at 2 files, searched twice, listed once";
    await expect.poll(() => calls(chat)).toEqual([six, "Running cat c"]);
    await ended(chat, 7, "cat c");
    await expect.poll(() => calls(chat)).toEqual([six, "Ran     cat c"]);
    // As many lines as before: the newest one stays in view.
    await begun(chat, 8, "cat d");
    const seven = six.replace("2", "3");
    await expect.poll(() => calls(chat)).toEqual([seven, "Running cat d"]);
    await ended(chat, 8, "cat d", "Failed", 1);
    await begun(chat, 9, "cat e");
    await expect.poll(() => calls(chat)).toEqual([seven, "Failed  cat d exit 1", "Running cat e"]);
  });

  it("of such calls stay open for the user, with the calls in them closed", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 } });
    const { nvim } = chat;
    for (let n = 1; n <= 7; n += 1) {
      await begun(chat, n, `cat f${n}`);
      if (n < 7) await ended(chat, n, `cat f${n}`);
    }
    await expect.poll(() => calls(chat)).toEqual(["Looked  at 6 files", "Running cat f7"]);
    await nvim.untilShown(/at 6 files +6 calls/);
    await nvim.type("<Esc>gg/cat f1<CR>zM");
    await nvim.type("zo");
    const single = (n: number) => `Ran     cat f${n}`;
    const six = [1, 2, 3, 4, 5, 6].map(single);
    await expect.poll(() => calls(chat)).toEqual([...six, "Running cat f7"]);
    const view = await nvim.lua("return vim.fn.winsaveview()");
    await ended(chat, 7, "cat f7");
    await begun(chat, 8, "cat f8");
    await expect.poll(() => calls(chat)).toEqual([...six, single(7), "Running cat f8"]);
    expect(await nvim.lua("return vim.fn.winsaveview()")).toEqual(view);
    // The seventh is within it as well.
    await nvim.type("zc");
    await expect.poll(() => calls(chat)).toEqual(["Looked  at 7 files", "Running cat f8"]);
    await nvim.type("zozo");
    await nvim.untilShown("one");
  });

  it("of such calls are the same after the conversation is reopened", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 } });
    for (let n = 1; n <= 6; n += 1) {
      await begun(chat, n, `cat f${n}`);
      await ended(chat, n, `cat f${n}`);
    }
    const insert = (id: string, after: string, line: string) =>
      chat.edit({ op: "insert", id, after, lines: [line], gap: 1 });
    await insert("t", "r6.out", "> **Thought** for 3.0 s");
    await insert("v", "t", "**Viewed** `shot.png`");
    await insert("w", "v", "Words.");
    // Another five are too few, and what changes a file, or may, is none of them.
    await insert("r11", "w", "**Ran** `cat 1 > x` · exit 0 · 0.01 s");
    for (let n = 12; n <= 16; n += 1)
      await insert(`r${n}`, `r${n - 1}`, `**Ran** \`cat f${n}\` · exit 0 · 0.01 s`);
    await insert("y", "r16", "**Ran** `cat f17` · approved · exit 0 · 0.01 s");
    await insert("z", "y", "The end.");
    const shown = [
      "Looked  at 7 files",
      ...["1 > x", "f12", "f13", "f14", "f15", "f16"].map((name) => `Ran     cat ${name}`),
      "Ran     cat f17 approved",
    ];
    await expect.poll(() => calls(chat)).toEqual(shown);
    await chat.nvim.command("write | edit!");
    await expect.poll(() => calls(chat)).toEqual(shown);
    await chat.nvim.command("CodexChat toggle");
    await chat.nvim.command("CodexChat toggle");
    await expect.poll(() => calls(chat)).toEqual(shown);
    await chat.nvim.command("vsplit | only");
    await expect.poll(() => calls(chat)).toEqual(shown);
  });

  it("of such calls leave the prompt where it is on the screen", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 24 } });
    const text = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    await chat.edit({ op: "insert", id: "text", after: "history", lines: text, gap: 1 });
    for (let n = 1; n <= 6; n += 1) {
      await begun(chat, n, `cat f${n}`);
      await ended(chat, n, `cat f${n}`);
    }
    const row = await chat.nvim.lua<number>("return vim.fn.winline()");
    expect(row).toBeGreaterThan(15);
    await begun(chat, 7, "cat f7");
    await expect.poll(() => calls(chat)).toEqual(["Looked  at 6 files", "Running cat f7"]);
    // A blank line between calls is hidden a moment later.
    const now = await chat.nvim.lua<number>("return vim.fn.winline()");
    expect(row - now).toBeLessThanOrEqual(1);
  });

  it("leave no blank lines between calls", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 } });
    const { nvim } = chat;
    await begun(chat, 1, "make");
    await begun(chat, 2, "make two");
    await ended(chat, 1, "make");
    await ended(chat, 2, "make two");
    const insert = (id: string, after: string, line: string) =>
      chat.edit({ op: "insert", id, after, lines: [line], gap: 1 });
    // Without details, and with those that come when the next call has begun.
    await insert("a", "r2.out", "**Viewed** `a.png`");
    await insert("b", "a", "**Calling** `b`");
    await insert("c", "b", "**Called** `c`");
    await insert("d", "c", "Words.");
    await chat.edit(
      { op: "replace", id: "b", lines: ["**Called** `b`"] },
      { op: "insert", id: "b.out", after: "b", lines: OUTPUT, gap: 0 },
      { op: "fold", from: "b.out", to: "b.out", label: "result" },
    );
    const shown = ["Ran     make", "Ran     make two", "Viewed  a.png", "Called  b", "Called  c"];
    const together = async () => {
      await expect.poll(() => calls(chat)).toEqual(shown);
      await nvim.untilShown(
        /Ran {5}make +2 lines.*\n.*make two.*\n.*Viewed.*\n.*Called {2}b.*\n.*Called {2}c/,
      );
    };
    await together();
    // One fold each: it opens at once.
    const open = async () => {
      await nvim.type("<Esc>gg/Called.* .b<CR>zMzo");
      await nvim.untilShown(/Called {2}b[\s\S]*one[\s\S]*Called {2}c/);
      await nvim.type("zc");
    };
    await open();
    await together();
    await nvim.command("write | edit!");
    await together();
    await open();
  });
});
