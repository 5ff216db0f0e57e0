import { describe, expect, it } from "vitest";
import { type OpenChat, openChat } from "../../support/chat.ts";
import { neovims } from "../../support/neovim.ts";

/** The chat's part of the screen, its lines without what is at the left of the window. */
function shown(chat: OpenChat): string[] {
  const lines = chat.nvim.screen?.lines() ?? [];
  const left = Math.max(...lines.map((line) => line.indexOf("▌ You")));
  return lines.map((line) => line.slice(left).trimEnd());
}

/** The groups of backgrounds in a row, the topmost last. */
const BANDS = `
  local row = vim.fn.search(..., "nw") - 1
  local groups = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, -1, { row, 0 }, { row, -1 }, { details = true })) do
    if mark[4].line_hl_group then
      table.insert(groups, { mark[4].priority, mark[4].line_hl_group })
    end
  end
  table.sort(groups, function(a, b) return a[1] < b[1] end)
  return vim.tbl_map(function(group) return group[2] end, groups)`;

describe.each(neovims)("the elements of a conversation on Neovim $name", (program) => {
  const screen = { columns: 120, rows: 40 };
  const block = (id: string, after: string, lines: string[], gap: 0 | 1 = 1) =>
    ({ op: "insert", id, after, lines, gap }) as const;

  it("are calls in one line each, close together", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("a", "h", ["**Ran** `a · b` · exit 0 · 0.2 s"]),
      block("b", "a", ["**Searched** the web for `x`"]),
      block("c", "b", ["**Failed** to edit `y` · +1 −2"]),
      block("d", "c", ["Words."]),
    );
    // It is drawn in slices of time.
    await expect
      .poll(() => {
        const lines = shown(chat);
        const first = lines.findIndex((line) => line.startsWith("✔ Ran"));
        return [0, 1, 2, 4].map((n) => lines[first + n]?.replace(/ {2}\+/, " +"));
      })
      .toEqual([
        "✔ Ran     a · b",
        "✔ Searched the web for x",
        "✘ Failed  to edit y +1 −2",
        "  Words.",
      ]);
  });

  it("are the same above a diff that is too long for a parser", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    const diff = Array.from({ length: 500 }, (_, n) => `+line ${n}`);
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("p", "h", ["**Edited** `big.txt` · +500 −0"]),
      block("d", "p", ["```diff patch", "@@ -0,0 +1,500 @@", ...diff, "```"], 0),
      { op: "fold", from: "d", to: "d", label: "patch" },
    );
    await chat.nvim.untilShown(/● Edited {2}big\.txt \+500/);
    const groups = await chat.nvim.lua<string[]>(
      `local row = vim.fn.search("Edited", "nw") - 1
      return vim.tbl_map(function(mark) return mark[4].hl_group or "" end,
        vim.api.nvim_buf_get_extmarks(0, -1, { row, 0 }, { row, -1 }, { details = true }))`,
    );
    expect(groups).not.toContain("Bold");
  });

  it("are text like any other inside code and in the words of an answer", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("a", "h", ["```text", "**Ran** `inside`", "## You", "| a | b |", "```"]),
      block("b", "a", ["**Answer**", "", "**Bold** words, and **Ran** in the middle."]),
    );
    await chat.nvim.untilShown("Bold words, and Ran in the middle.");
    const code = ["  **Ran** `inside`", "  ## You", "  | a | b |"];
    await expect.poll(() => shown(chat)).toEqual(expect.arrayContaining(code));
  });

  it("are tables with aligned columns if the window is wide enough", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    const long = "word ".repeat(20).trim();
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("t", "h", ["| A | B |", "| --- | :-: |", "| `x\\|y` | **bold** |", "| 漢字 |  |"]),
      block("w", "t", ["| A | B |", "| --- | --- |", `| ${long} | x |`]),
      block("e", "w", ["The end."]),
    );
    await chat.nvim.untilShown("The end.");
    await chat.nvim.untilShown(/│ A {4}│ B {4}│/);
    const table = () => {
      const lines = shown(chat);
      const first = lines.findIndex((line) => line.startsWith("  │ A"));
      return lines.slice(first, first + 4);
    };
    await expect
      .poll(table)
      .toEqual([
        "  │ A    │ B    │",
        "  ├──────┼──────┤",
        "  │ x\\|y │ bold │",
        "  │ 漢字 │      │",
      ]);
    expect(shown(chat).filter((line) => line.includes("| A | B |"))).toEqual([]);
  });

  it("are tables with borders where the columns do not fit, and with the alignment of each column", async () => {
    await using chat = await openChat({ program, screen });
    const { nvim } = chat;
    const user = await chat.send("go on");
    const rows = ["| Name | Size |", "| --- | ---: |", "| **a** and `b` | 7 |", "| c | 1234 |"];
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("t", "h", rows),
      block("w", "t", ["The end."]),
    );
    const table = () => {
      const lines = shown(chat);
      const first = lines.findIndex((line) => line.includes("Name"));
      return lines.slice(first, first + 5);
    };
    await expect
      .poll(table)
      .toEqual([
        "  │ Name    │ Size │",
        "  ├─────────┼──────┤",
        "  │ a and b │    7 │",
        "  │ c       │ 1234 │",
        "",
      ]);
    // Neovim wraps the third line as if the marks in it were shown.
    await nvim.command("vertical resize 25");
    await expect
      .poll(table)
      .toEqual([
        "  │ Name │ Size │",
        `  ${"─".repeat(23)}`,
        "  │ a and b │ 7 │",
        "  │ c │ 1234 │",
        "",
      ]);
  });

  it("stand apart from the prompt where an answer has not begun", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    await chat.edit(block("h", user, ["## Codex"]));
    const rows = () => {
      const lines = shown(chat);
      return lines.slice(lines.indexOf("  Codex"), lines.lastIndexOf("▌ You"));
    };
    await expect.poll(rows).toEqual(["  Codex", ""]);
    await chat.edit(block("a", "h", ["Words."]));
    const blank = program.name === "0.10" ? [""] : [];
    await expect.poll(rows).toEqual(["  Codex", ...blank, "  Words.", ""]);
  });

  it("hide the backslash of an escape and the brackets of an address", async () => {
    await using chat = await openChat({ program, screen: { columns: 160, rows: 30 } });
    const user = await chat.send("go on");
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("t", "h", ["A \\<b> and \\*c\\*, at <https://example.org/a>, not `\\*d`."]),
    );
    await chat.nvim.untilShown("A <b> and *c*, at https://example.org/a, not \\*d.");
  });

  it("hang the rest of a list's item below its text", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 30 } });
    const user = await chat.send("go on");
    const words = "word ".repeat(12).trim();
    const items = [`- ${words}`, `  12. ${words}`, `plain ${words}`];
    await chat.edit(block("h", user, ["## Codex"]), block("t", "h", items));
    await expect
      .poll(() => shown(chat).filter((line) => line.includes("word")))
      .toEqual([
        expect.stringMatching(/^ {2}- word/),
        expect.stringMatching(/^ {4}word/),
        expect.stringMatching(/^ {4}12\. word/),
        expect.stringMatching(/^ {8}word/),
        expect.stringMatching(/^ {2}plain word/),
        expect.stringMatching(/^ {2}word/),
      ]);
  });

  it("say the command of a question once", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("go on");
    const asked = (id: string, after: string, code: string, command: string) => [
      block(id, after, [`**Asks** to run ${code}`, "> to look"]),
      block(`${id}-what`, id, ["```console output", `$ ${command}`, "```"], 0),
    ];
    await chat.edit(
      block("h", user, ["## Codex"]),
      ...asked("q", "h", "`ls -l`", "ls -l"),
      ...asked("r", "q-what", "`rm a`", "rm b"),
      block("end", "r-what", ["The end."]),
    );
    await chat.nvim.untilShown("The end.");
    const lines = () => shown(chat).filter((line) => /Asks|\$/.test(line));
    // One bar from top to bottom.
    await expect
      .poll(() => shown(chat).filter((line) => line.includes("to look")))
      .toEqual(["▌ to look", "▌ to look"]);
    const once = program.name === "0.10" ? ["▌ Asks to run", "▌ $ ls -l"] : ["▌ Asks to run ls -l"];
    await expect.poll(lines).toEqual([...once, "▌ Asks to run rm a", "▌ $ rm b"]);
  });

  it("have a background for queries, questions, code and changed lines, and for nothing else", async () => {
    await using chat = await openChat({ program, screen });
    const user = await chat.send("first paragraph\n\nsecond paragraph");
    await chat.edit(
      block("h", user, ["## Codex"]),
      block("w", "h", ["Plain words.", "", "```lua", "local x = 1", "```"]),
      block("p", "w", ["**Edited** `a` · +1 −1"]),
      block("d", "p", ["```diff patch", "@@ -7,2 +7,2 @@", "-gone", "+here", " same", "```"], 0),
      block("q", "d", ["**Asks** to run `ls`"]),
      block("y", "q", ["> to look"], 0),
    );
    await chat.nvim.untilShown(/ 7 \+here/);
    await chat.nvim.untilShown(/ 8 {2}same/);
    const bands = (pattern: string) => chat.nvim.lua<string[]>(BANDS, pattern);
    for (const pattern of ["first paragraph", "second paragraph"])
      await expect.poll(() => bands(pattern)).toEqual(["CodexChatYouBand"]);
    await expect.poll(() => bands("local x")).toEqual(["CodexChatCodeLine"]);
    await expect.poll(() => bands("^-gone")).toEqual(["CodexChatRemovedLine"]);
    await expect.poll(() => bands("^+here")).toEqual(["CodexChatAddedLine"]);
    for (const pattern of ["Asks", "to look"])
      await expect.poll(() => bands(pattern)).toEqual(["CodexChatAsksLine"]);
    for (const pattern of ["Plain", "^ same", "Edited"]) expect(await bands(pattern)).toEqual([]);
  });
});
