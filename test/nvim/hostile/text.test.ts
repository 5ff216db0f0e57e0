import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

/** Texts that open more quotations and lists within each other than the parser has room for. */
const nested: Record<string, string[]> = {
  quotations: ["> ".repeat(260)],
  "quotations without blanks": [`${">".repeat(300)} x`],
  lists: [`${"- ".repeat(260)}x`],
  "lists of all kinds": ["- * + > 1. 23) ".repeat(60)],
  "lists after tabs": ["-\t>\t".repeat(150)],
  "lists that go on in the next lines": [0, 1, 2, 3, 4, 5, 6, 7].map(
    (step) => `${" ".repeat(step * 80)}${"- ".repeat(40)}x`,
  ),
  "a fence of markdown": ["```markdown", "> ".repeat(260), "```"],
  "a fence of markdown in a quotation": ["> ```markdown", `> ${"> ".repeat(258)}`, "> ```"],
  "a carriage return": [`words\r${"> ".repeat(260)}`],
};

/** The groups of highlights at the first line that holds `text`. */
async function groupsAt(nvim: Neovim, text: string): Promise<string[]> {
  return nvim.lua(
    `local row = vim.fn.search("\\\\V" .. ..., "nwc") - 1
     return vim.tbl_map(function(it) return it.opts.hl_group end,
       vim.inspect_pos(0, row, 0).extmarks)`,
    text,
  );
}

const config = { window: { startinsert: false } };

describe.each(neovims)("an answer on Neovim $name", (program) => {
  it.each(Object.keys(nested))("does not crash Neovim with %s", async (name) => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const lines = [...(nested[name] ?? []), "", "## A heading"];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await expect.poll(() => groupsAt(chat.nvim, "## A heading")).not.toEqual([]);
  });

  it("would crash Neovim if its depth were not checked (the control)", async () => {
    await using nvim = await startNeovim({ program, bare: true });
    const ended = nvim
      .lua(`vim.treesitter.get_string_parser(("> "):rep(260), "markdown"):parse()`)
      .catch(() => "ended");
    await Promise.race([ended, nvim.exited]);
    await nvim.exited;
  });

  it("does not crash Neovim when its conversation is reopened", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const dir = join(chat.nvim.cwd, "chats");
    await mkdir(dir);
    const path = join(dir, "deep.md");
    await writeFile(path, `## You\n\nq\n\n## Codex\n\n${"> ".repeat(260)}\n\n## You\n\n`);
    await chat.nvim.lua(
      "local path = ...; local c = require('codex-chat.chat'); local p = require('codex-chat.project').of_buf();" +
        "c.show(c.load(path, p))",
      path,
    );
    await expect.poll(() => groupsAt(chat.nvim, "## Codex")).toContain("CodexChatCodex");
  });

  it("is highlighted with ordinary lists, quotations and deeply indented code", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const lines = [
      "# Top",
      ...Array.from({ length: 60 }, (_, i) => `${" ".repeat((i % 5) * 2)}- item`),
      "```lua",
      `${" ".repeat(150)}local x = 1`,
      "```",
    ];
    expect(
      await chat.nvim.lua(
        "return require('codex-chat.highlight.trees').may_parse(..., 'markdown')",
        lines.join("\n"),
      ),
    ).toBe(true);
  });

  it("does not block keys with a fence that is slow to parse, and drops that language afterwards", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const took = await chat.nvim.lua<number[]>(
      `local trees, slow, took = require("codex-chat.highlight.trees"), {}, {}
       trees.parse("\`\`\`lua\\nlocal x\\n\`\`\`\\n", "markdown", slow)
       for _, line in ipairs({ "~~", "[" }) do
         for _ = 1, 10 do
           local began = os.clock()
           trees.parse("\`\`\`lua\\n" .. (line:rep(40) .. "\\n"):rep(300) .. "\`\`\`\\n", "markdown", slow)
           trees.parse((line:rep(2400) .. "\\n"):rep(3), "markdown", slow)
           took[#took + 1] = (os.clock() - began) * 1000
         end
       end
       return took`,
    );
    // Where each had its time, they would take far longer together.
    expect(took.reduce((sum, ms) => sum + ms)).toBeLessThan(4000);
  });

  it("drops a language that once took too long, in that conversation only", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const names = (slow: string) =>
      chat.nvim.lua<string[]>(
        `local found = require("codex-chat.highlight.trees").parse("\`\`\`lua\\nlocal x\\n\`\`\`\\n", "markdown", ${slow})
         return vim.tbl_map(function(it) return it.language.name end, found)`,
      );
    expect(await names("{ lua = true }")).toEqual(["markdown"]);
    expect(await names("{}")).toEqual(["markdown", "lua"]);
    // A parse whose time is over at once.
    const slow = await chat.nvim.lua(
      `local trees, slow, clock, n = require("codex-chat.highlight.trees"), {}, os.clock, 0
       os.clock = function()
         n = n + 1
         return clock() + (n > 3 and 1e6 or 0)
       end
       pcall(trees.parse, "\`\`\`lua\\nlocal x\\n\`\`\`\\n", "markdown", slow)
       os.clock = clock
       return slow`,
    );
    expect(slow).toEqual({ lua: true });
  });

  it("does not parse a long piece of another language, or a fence that is still growing", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 }, config });
    const { nvim } = chat;
    const long = () =>
      nvim.lua(
        `local found = require("codex-chat.highlight.trees").parse(
           "\`\`\`lua\\n" .. ("local x = 1\\n"):rep(400) .. "\`\`\`\\n", "markdown")
         return vim.tbl_map(function(it) return it.language.name end, found)`,
      );
    expect(await long()).toEqual(["markdown"]);
    const lines = ["# Top", "```lua", "local x = 1"];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await expect
      .poll(() => groupsAt(nvim, "# Top"))
      .toContain("CodexChat.markup.heading.1.markdown");
    await expect.poll(() => groupsAt(nvim, "```lua")).toContain("CodexChatMuted");
    expect(await groupsAt(nvim, "local x")).toEqual([]);
    await chat.edit({ op: "append", id: "a", text: "\n```" });
    await expect.poll(() => groupsAt(nvim, "local x")).toContain("@keyword.lua");
  });
});
