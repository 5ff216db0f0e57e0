import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openChat } from "../../support/chat.ts";
import { type Neovim, neovims, startNeovim } from "../../support/neovim.ts";

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

/**
 * Changes a buffer at random, as a user and a stream do, and compares its chunks after each change with
 * those of the same text cut at once. Returns the first difference.
 */
const CUT_AT_RANDOM = `
  local seed = ...
  math.randomseed(seed)
  local chunks = require("codex-chat.highlight.chunks")
  local api = vim.api
  local buf, whole = api.nvim_create_buf(false, true), api.nvim_create_buf(false, true)
  local words = { "", "", "", "word", "two words", "  indented", "- item" }
  local function text(lines)
    local found = {}
    for n = 1, math.random(lines) do
      found[n] = words[math.random(#words)]
    end
    return found
  end
  local function rows(of)
    return vim.tbl_map(function(chunk)
      return { chunk.first, chunk.stop, chunk.fence and chunk.fence.length or 0 }
    end, chunks.between(of, 0, api.nvim_buf_line_count(of) - 1))
  end
  api.nvim_buf_set_lines(buf, 0, -1, false, text(20))
  chunks.cut_all(buf)
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, _, new_last)
      chunks.update(buf, first, new_last)
    end,
  })
  local stream = ("A *b*\\n\\n\\nc\\n\\n\`\`\`lua\\nx\\n\\ny\\n\`\`\`\\nd\\n\\ne\\n\\n"):rep(3)
  for n = 1, 300 do
    local count = api.nvim_buf_line_count(buf)
    local row = math.random(count) - 1
    if n > 200 then
      local last = api.nvim_buf_get_lines(buf, -2, -1, false)[1]
      local size = math.random(4)
      local piece = vim.split(stream:sub(1, size), "\\n", { plain = true })
      stream = stream:sub(size + 1)
      api.nvim_buf_set_text(buf, count - 1, #last, count - 1, #last, piece)
    elseif math.random(2) == 1 then
      api.nvim_buf_set_lines(buf, row, math.min(count, row + math.random(0, 3)), false, text(3))
    else
      local line = api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
      local from = math.random(0, #line)
      api.nvim_buf_set_text(buf, row, from, row, math.random(from, #line), text(3))
    end
    local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
    api.nvim_buf_set_lines(whole, 0, -1, false, lines)
    chunks.cut_all(whole)
    if not vim.deep_equal(rows(buf), rows(whole)) then
      return vim.inspect({ n, lines, rows(buf), rows(whole) })
    end
  end`;

/** What a parser of inline text makes of a paragraph: alone, and below a rule, as a part of a document. */
const PARAGRAPH = `
  local trees = require("codex-chat.highlight.trees")
  local function parts(text)
    local found = {}
    local function add(node, source)
      found[#found + 1] = node:type() .. " " .. vim.treesitter.get_node_text(node, source)
      for child in node:iter_children() do
        add(child, source)
      end
    end
    local inlines = vim.tbl_filter(function(it)
      return it.language.name == "markdown_inline"
    end, trees.parse(text, "markdown"))
    assert(#inlines == 1, #inlines .. " pieces of inline text")
    for child in inlines[1].tree:root():iter_children() do
      add(child, text)
    end
    return found, inlines[1].depth
  end
  local alone, depth = parts(...)
  local within, inner = parts("***\\n\\n" .. ...)
  return { alone, within, depth == inner }`;

const count = "require('codex-chat.highlight').count(vim.api.nvim_get_current_buf())";

describe.each(neovims)("highlighting on Neovim $name", (program) => {
  it("conceals the marks of markdown and of calls, unless the user shows them", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 30 } });
    const { nvim } = chat;
    const lines = ["**Ran** `ls` · approved · exit 0 · 0.1 s", "", "Some *emphasis* here."];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await nvim.untilShown(/✔ Ran {5}ls {1,2}approved/);
    await nvim.untilShown("Some emphasis here.");
    expect(nvim.screen?.text()).not.toContain("exit 0");
    await nvim.command("setlocal conceallevel=0");
    await nvim.untilShown(/\*\*Ran\*\* +`ls` · approved · exit 0 · 0\.1 s/);
  });

  it("colours markdown, code in fences, headings, summaries, notices and diffs", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 50 } });
    const lines = [
      "Some *emphasis* here.",
      "",
      "```lua",
      "local answer = 42 -- why",
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
    expect(await groupsAt(chat.nvim, "local answer", 20)).toEqual(["CodexChatComment"]);
    await expect
      .poll(() => groupsAt(chat.nvim, "Some", 6))
      .toContain("CodexChat.markup.italic.markdown_inline");
    await expect.poll(() => groupsAt(chat.nvim, "## You")).toContain("CodexChatYou");
    await expect.poll(() => groupsAt(chat.nvim, "**Failed**", 3)).toContain("CodexChatFailed");
    await expect.poll(() => groupsAt(chat.nvim, "**Failed**", 24)).toContain("CodexChatFailed");
    await expect.poll(() => groupsAt(chat.nvim, "+added")).toContain("CodexChatAdded");
    await expect.poll(() => groupsAt(chat.nvim, "-removed")).toContain("CodexChatRemoved");
    await expect.poll(() => groupsAt(chat.nvim, "> **Error")).toContain("CodexChatError");
    // Code has the text's own colour, or its language's; nothing in it is taken for what we write.
    for (const inside of ["## Codex", "**Ran** `in", "> **Note:** in"])
      expect(await groupsAt(chat.nvim, inside)).toEqual([]);
    await expect.poll(() => groupsAt(chat.nvim, "```lua")).toContain("CodexChatMuted");
    await expect.poll(() => groupsAt(chat.nvim, "created:")).toEqual(["CodexChatMuted"]);
  });

  it("parses a paragraph without its blocks as it does with them", async () => {
    await using nvim = await startNeovim({ program });
    for (const text of [
      "Words with `code`, *emphasis*, **more** and ***both***.\n",
      "Two lines of *emphasis\nthat* goes on.  \nA break, and a `span\nof code`.\n\n\n",
      'A [link](https://x.y/z "t"), <https://x.y>, <b>html</b>, &amp; and \\*no emphasis\\*.',
      "Half an *emphasis and a `span that\nis not closed",
      "a | b is no table\nc | d\n",
      "i\n",
      "A carriage return\r*is* one\n",
    ]) {
      const [alone, within, isAsDeep] = await nvim.lua<[unknown, unknown, boolean]>(
        PARAGRAPH,
        text,
      );
      expect(alone).toEqual(within);
      expect(isAsDeep).toBe(true);
    }
  });

  it("colours a frame of an answer as it is written, without another redraw", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 50 } });
    await expect.poll(() => groupsAt(chat.nvim, "## You")).toContain("CodexChatYou");
    const groups = await chat.nvim.lua<string[]>(
      `local buf = ...
       -- The clock stands, so that a busy machine puts nothing off.
       local now = vim.uv.hrtime()
       local hrtime = vim.uv.hrtime
       vim.uv.hrtime = function() return now end
       require("codex-chat.rpc").call("buf_set_edits", {
         buf,
         { { op = "insert", id = "a", after = "history", lines = { "**bold** words" }, gap = 1 } },
       })
       vim.uv.hrtime = hrtime
       local row = vim.fn.search("bold", "nw") - 1
       return vim.tbl_map(function(mark)
         return mark.opts.hl_group
       end, vim.inspect_pos(buf, row, 3).extmarks)`,
      chat.buf,
    );
    expect(groups).toContain("CodexChat.markup.strong.markdown_inline");
  });

  it("cuts the text into the same chunks in any order of changes", async () => {
    await using nvim = await startNeovim({ program });
    for (let seed = 1; seed <= 20; seed += 1)
      expect(await nvim.lua(CUT_AT_RANDOM, seed), `seed ${seed}`).toBeNull();
  });

  it("knows the chunks of a long conversation even where nobody has looked", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 24 } });
    const { nvim } = chat;
    const path = join(nvim.cwd, "long.md");
    const turn = "## You\n\nq\n\n## Codex\n\n```lua\nlocal a\n\nlocal b\n```\n\n*words*\n\n";
    await writeFile(path, `${turn.repeat(1000)}## You\n\n`);
    const cut = "require('codex-chat.highlight.chunks').first_row(vim.fn.bufnr('long.md'))";
    const first = await nvim.lua<number>(
      `local path = ...; local c = require('codex-chat.chat'); local p = require('codex-chat.project').of_buf()
       c.show(c.load(path, p))
       return ${cut}`,
      path,
    );
    // In the tick that opens it, only the end is looked at.
    expect(first).toBeGreaterThan(13_000);
    await nvim.until(cut, 0);
    const [now, whole] = await nvim.lua<[unknown, unknown]>(
      `local chunks = require("codex-chat.highlight.chunks")
       local buf = vim.fn.bufnr("long.md")
       local other = vim.api.nvim_create_buf(false, true)
       vim.api.nvim_buf_set_lines(other, 0, -1, false, vim.api.nvim_buf_get_lines(buf, 0, -1, false))
       chunks.cut_all(other)
       local function rows(of)
         return vim.tbl_map(function(it)
           return ("%d %d %s"):format(it.first, it.stop, it.fence ~= nil)
         end, chunks.between(of, 0, vim.api.nvim_buf_line_count(of) - 1))
       end
       return { rows(buf), rows(other) }`,
    );
    expect(now).toEqual(whole);
    await nvim.type("<Esc>7000Gzt");
    await expect.poll(() => groupsAt(nvim, "local b")).toContain("@keyword.lua");
  });

  it("is complete if the beginning changes before it was looked at", async () => {
    await using chat = await openChat({ program, screen: { columns: 80, rows: 24 } });
    const { nvim } = chat;
    const path = join(nvim.cwd, "long.md");
    const turn = "## You\n\nq\n\n## Codex\n\n*words*\n\n";
    await writeFile(path, `${turn.repeat(1000)}At *last*\n\n## You\n\n`);
    const first = await nvim.lua<number>(
      `local path = ...; local c = require('codex-chat.chat'); local p = require('codex-chat.project').of_buf()
       local chat = c.load(path, p)
       c.show(chat)
       vim.api.nvim_buf_set_lines(chat.buf, 0, 1, false, { "# **Title**", "" })
       return require("codex-chat.highlight.chunks").first_row(chat.buf)`,
      path,
    );
    expect(first).toBe(0);
    await expect
      .poll(() => groupsAt(nvim, "At *last*", 4))
      .toContain("CodexChat.markup.italic.markdown_inline");
    await nvim.type("<Esc>gg");
    await expect
      .poll(() => groupsAt(nvim, "# **Title**", 4))
      .toContain("CodexChat.markup.strong.markdown_inline");
  });

  it("follows a user's edit in the middle of a chunk", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 50 } });
    await chat.edit({ op: "insert", id: "a", after: "history", lines: ["plain words"], gap: 1 });
    await chat.nvim.type("<Esc>?plain<CR>I**bold** <Esc>");
    await expect
      .poll(() => groupsAt(chat.nvim, "**bold**", 2))
      .toContain("CodexChat.markup.strong.markdown_inline");
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

  it("keeps its colours on a busy machine, where each language takes long", async () => {
    await using chat = await openChat({ program, screen: { columns: 100, rows: 40 } });
    const { nvim } = chat;
    // Waiting is not the processor's time.
    await nvim.lua(
      `for _, name in ipairs({ "get_range", "get_node_text" }) do
         local usual = vim.treesitter[name]
         vim.treesitter[name] = function(...)
           vim.uv.sleep(60)
           return usual(...)
         end
       end`,
    );
    const lines = ["- Some *emphasis*, `code` and **more**.", "", "```lua", "local x = 1", "```"];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await expect
      .poll(() => groupsAt(nvim, "Some", 8))
      .toContain("CodexChat.markup.italic.markdown_inline");
    await expect.poll(() => groupsAt(nvim, "local x")).toContain("@keyword.lua");
    await chat.edit({ op: "insert", id: "b", after: "a", lines: ["Then *again*."], gap: 1 });
    await expect
      .poll(() => groupsAt(nvim, "Then", 6))
      .toContain("CodexChat.markup.italic.markdown_inline");
  });

  it("colours code without a parser by Neovim's own syntax files", async () => {
    await using chat = await openChat({ program });
    const { nvim } = chat;
    const block = (word: string, ...code: string[]) => [`\`\`\`${word}`, ...code, "```", ""];
    const lines = [
      ...block("ruby", "def answer(x) # why", '  "ruby text"', "end"),
      ...block("rs", "fn rusty() -> u32 { 1 }"),
      ...block("nonesuch", "def nowhere"),
      ...block("json", '{ "snippet": tru'),
      ...block("ruby", ...Array.from({ length: 900 }, (_, n) => `def long_${n}`)),
      ...block("ruby", `def wide # ${"x".repeat(600)}`),
    ];
    await chat.edit({ op: "insert", id: "a", after: "history", lines, gap: 1 });
    await nvim.type("<Esc>gg");
    await expect.poll(() => groupsAt(nvim, "def answer")).toEqual(["rubyDefine"]);
    expect(await groupsAt(nvim, "def answer", 15)).toEqual(["CodexChatComment"]);
    expect(await groupsAt(nvim, "ruby text", 5)).toContain("rubyString");
    await expect.poll(() => groupsAt(nvim, "fn rusty")).toEqual(["rustKeyword"]);
    // Part of a text is not wrong.
    await expect.poll(() => groupsAt(nvim, "snippet", 4)).toEqual(["jsonKeyword"]);
    expect(await groupsAt(nvim, "snippet", 15)).toEqual([]);
    expect(await groupsAt(nvim, "def nowhere")).toEqual([]);
    // In slices, wherever the lines are by then, and not where they are others.
    await chat.edit({ op: "insert", id: "top", after: "prompt", lines: ["Top"], gap: 1 });
    await nvim.lua("vim.api.nvim_buf_set_lines(0, 5, 5, false, { 'One', '', 'Two', '' })");
    await nvim.type("/long_898<CR>");
    await expect.poll(() => groupsAt(nvim, "def long_898")).toEqual(["rubyDefine"]);
    await expect.poll(() => groupsAt(nvim, "def answer")).toEqual(["rubyDefine"]);
    expect(await groupsAt(nvim, "def wide")).toEqual([]);
    await nvim.command("syntax off | edit!");
    await nvim.type("gg");
    await expect.poll(() => groupsAt(nvim, "```rs")).toContain("CodexChatMuted");
    expect(await groupsAt(nvim, "fn rusty")).toEqual([]);
  });
});
