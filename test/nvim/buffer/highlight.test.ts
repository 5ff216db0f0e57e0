import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, neovims } from "../../support/neovim.ts";

/** The groups at a place of the line that holds `text`, the front matter aside. */
async function groupsAt(nvim: Neovim, text: string, column = 0): Promise<string[]> {
  return nvim.lua(
    `local text, column = ...
     local row = vim.fn.search("\\\\V" .. text, "nwc") - 1
     local found = {}
     for _, mark in ipairs(vim.inspect_pos(0, row, column).extmarks) do
       found[#found + 1] = mark.opts.hl_group
     end
     table.sort(found)
     return found`,
    text,
    column,
  );
}

const count = "require('codex-chat.highlight').count(vim.api.nvim_get_current_buf())";

describe.each(neovims)("highlighting on Neovim $name", (program) => {
  it("conceals emphasis and code markers only if the user conceals", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 30 } });
    const { nvim } = chat;
    const lines = ["**Ran** `ls` · exit 0 · 0.1 s", "", "Some *emphasis* here."];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await nvim.untilShown("**Ran** `ls` · exit 0");
    await nvim.command("setlocal conceallevel=2");
    await nvim.untilShown("Ran ls · exit 0 · 0.1 s");
    await nvim.untilShown("Some emphasis here.");
  });

  it("colours markdown, code in fences, headings, summaries, notices and diffs", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 50 } });
    const lines = [
      "Some *emphasis* here.",
      "",
      "```lua",
      "local answer = 42",
      "```",
      "",
      "**Failed** `make` · exit 2",
      "```diff patch",
      "+added",
      "-removed",
      "```",
      "",
      "> **Error:** it broke.",
      "",
      "```text",
      "## Codex",
      "**Ran** `inside`",
      "> **Note:** inside",
      "```",
    ];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await expect.poll(() => groupsAt(chat.nvim, "local answer")).toContain("@keyword.lua");
    expect(await groupsAt(chat.nvim, "Some", 6)).toContain("@markup.italic.markdown_inline");
    expect(await groupsAt(chat.nvim, "## You")).toContain("CodexChatYou");
    expect(await groupsAt(chat.nvim, "**Failed**")).toContain("CodexChatFailed");
    expect(await groupsAt(chat.nvim, "**Failed**", 20)).toContain("CodexChatMuted");
    expect(await groupsAt(chat.nvim, "+added")).toContain("CodexChatAdded");
    expect(await groupsAt(chat.nvim, "-removed")).toContain("CodexChatRemoved");
    expect(await groupsAt(chat.nvim, "> **Error")).toContain("CodexChatError");
    // Code has the text's own colour, or its language's; nothing in it is taken for what we write.
    for (const inside of ["## Codex", "**Ran** `in", "> **Note:** in"])
      expect(await groupsAt(chat.nvim, inside)).toEqual([]);
    expect(await groupsAt(chat.nvim, "```lua")).toContain("CodexChatMuted");
    expect(await groupsAt(chat.nvim, "created:")).toEqual(["CodexChatMuted"]);
  });

  it("follows a user's edit in the middle of a chunk", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 50 } });
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["plain words"], gap: 1 });
    await chat.nvim.type("<Esc>?plain<CR>I**bold** <Esc>");
    await expect
      .poll(() => groupsAt(chat.nvim, "**bold**", 2))
      .toContain("@markup.strong.markdown_inline");
  });

  it("processes only what is in view, however long the conversation", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 24 } });
    const dir = join(chat.nvim.cwd, "chats");
    await mkdir(dir);
    const path = join(dir, "long.md");
    const turn = "## You\n\nq\n\n## Codex\n\nAn answer with *words*.\n\nAnd more of it.\n\n";
    await writeFile(path, `${turn.repeat(5000)}## You\n\n`);
    await chat.nvim.lua(
      "local path = ...; local c = require('codex-chat.chat'); local p = require('codex-chat.project').of_buf();" +
        "c.show(c.load(path, p))",
      path,
    );
    await expect.poll(() => chat.nvim.lua<number>(`return ${count}`)).toBeGreaterThan(3);
    expect(await chat.nvim.lua<number>(`return ${count}`)).toBeLessThan(60);
    await chat.nvim.type("<Esc>gg");
    await expect.poll(() => groupsAt(chat.nvim, "## You")).toContain("CodexChatYou");
    expect(await chat.nvim.lua<number>(`return ${count}`)).toBeLessThan(120);
  });
});
