import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const CODE = "one\ntwo\nthree\nfour\n";
const FILES = {
  "a.lua": { before: CODE, now: "one\n2\nthree\n```\n" },
  "b.txt": { before: "1\n", now: "2\n" },
};

/** What is drawn below the lines of the current buffer, by line. */
const DRAWN = `return (function()
  local ns, found = vim.api.nvim_get_namespaces()["codex-chat.review.comments"], {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })) do
    for _, line in ipairs(mark[4].virt_lines) do
      table.insert(found, (mark[2] + 1) .. ": " .. vim.trim(line[2][1]))
    end
  end
  return found
end)()`;

/** Writes a comment as a user does. */
async function write(review: Reviewed, keys: string, text: string): Promise<void> {
  await review.nvim.keys(keys);
  await review.nvim.until("vim.bo.filetype", "markdown");
  await review.nvim.keys(`${text}<C-s>`);
  await review.nvim.until("vim.bo.filetype ~= 'markdown'");
  // All that was told before has arrived when this has.
  await review.nvim.lua(
    `local request = require("codex-chat.host.request")
     request.run(require("codex-chat.registry").all()[1], "test/sync", {}, function() vim.g.synced = true end)`,
  );
  await review.nvim.until("vim.g.synced");
  await review.nvim.lua("vim.g.synced = nil");
}

describe.each(neovims)("a comment in a review on Neovim $name", (program) => {
  it("is written in a small window, shown below its line, and kept by the host", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    await review.diff();
    await write(review, "gC", "Why a digit?");
    expect(review.comments).toEqual([
      {
        id: expect.any(String),
        path: review.path("a.lua"),
        side: "right",
        first: 2,
        last: 2,
        code: ["2"],
        text: "Why a digit?",
      },
    ]);
    expect(await review.nvim.lua(DRAWN)).toEqual(["2: Why a digit?"]);
    expect(await review.nvim.cursor()).toEqual([2, 0]);
    await write(review, "3GVjgC", "Both.");
    expect(review.comments).toContainEqual(
      expect.objectContaining({ first: 3, last: 4, code: ["three", "```"] }),
    );
    await review.nvim.command("2wincmd w");
    await write(review, "2GgC", "As it was.");
    expect(review.comments).toContainEqual(
      expect.objectContaining({ side: "left", first: 2, code: ["two"] }),
    );
    await review.nvim.command("1wincmd w");
    await write(review, "2GgC", "The whole file.");
    expect(review.comments).toContainEqual(
      expect.objectContaining({ path: review.path("b.txt"), first: 0, last: 0, code: [] }),
    );
  });

  it("keeps the two sides level", async () => {
    const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`);
    await using review = await Reviewed.open(
      { program, screen: { columns: 200, rows: 50 } },
      { "a.txt": { before: lines.join("\n"), now: lines.toSpliced(9, 1).join("\n") } },
    );
    await review.diff();
    await write(review, "5GgC", "A comment<CR>of two lines.");
    await review.nvim.untilShown(/of two lines/);
    const rows = (await review.nvim.screen?.text())?.split("\n") ?? [];
    for (const name of ["line 4", "line 5", "line 12"])
      expect(rows.filter((row) => row.match(`${name}\\b.*${name}\\b`))).toHaveLength(1);
  });

  it.each([
    [":w<CR>:q<CR>", "New"],
    ["ZZ", "New"],
    [":q!<CR>", "Old"],
    ["q2<CR>", "Old"],
    ["q1<CR>", "New"],
  ])("is edited, and ends with %s", async (keys, text) => {
    await using review = await Reviewed.open({ program }, FILES);
    await review.diff();
    await write(review, "gC", "Old");
    await review.nvim.keys("gC");
    await review.nvim.until("vim.api.nvim_buf_get_lines(0, 0, -1, false)", ["Old"]);
    await review.nvim.type("ccNew<Esc>");
    await review.nvim.keys(keys);
    await review.nvim.until("vim.bo.filetype ~= 'markdown'");
    await expect.poll(() => review.comments).toMatchObject([{ text }]);
  });

  it("is closed without a question if nothing was changed, and deleted if its text is", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    await review.diff();
    await review.nvim.keys("gC");
    await review.nvim.until("vim.fn.mode()", "i");
    await review.nvim.keys("<Esc>q");
    await review.nvim.until("vim.fn.winnr('$')", 3);
    expect(review.comments).toEqual([]);
    await write(review, "gC", "Old");
    await review.nvim.keys("gCdd:wq<CR>");
    await expect.poll(() => review.comments).toEqual([]);
    expect(await review.nvim.lua(DRAWN)).toEqual([]);
    await review.keys("gz");
    await expect.poll(() => review.comments).toMatchObject([{ text: "Old", first: 2 }]);
    expect(await review.nvim.lua(DRAWN)).toEqual(["2: Old"]);
  });

  it("moves with its text, also while nobody looks", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await review.diff();
    await write(review, "gC", "This one.");
    await nvim.type("ggOnew<CR>lines<Esc>:w<CR>");
    await review.keys("]f");
    await expect.poll(() => review.comments).toMatchObject([{ first: 4, last: 4, code: ["2"] }]);
    await nvim.type("q");
    await writeFile(review.path("a.lua"), "0\n2\n");
    await nvim.command("checktime");
    await review.diff();
    expect(await nvim.lua(DRAWN)).toEqual(["2: This one."]);
    await nvim.type("q");
    await writeFile(review.path("a.lua"), "0\n");
    await nvim.command("checktime");
    await review.diff();
    expect(await nvim.lua(DRAWN)).toEqual([
      "1: the code of this comment has changed",
      "1: This one.",
    ]);
  });

  it("goes to Codex with the others behind what was typed, and everything else is accepted", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim, chat } = review;
    await nvim.lua("vim.api.nvim_buf_set_lines(..., -1, -1, false, { 'Thanks, but:' })", chat.buf);
    await review.diff();
    await write(review, "3GVjgC", "Why a fence?");
    await write(review, "2GgC", "A name, @please.");
    await nvim.command("1wincmd w");
    await write(review, "2GgC", "Drop this file.");
    await nvim.command("3wincmd w");
    await review.keys("2Ggb");
    await nvim.keys("gS");
    const { text } = await chat.host.heard("turn/send");
    expect(text).toBe(`Thanks, but:

\`a.lua\`, line 2 (these lines have changed since):

\`\`\`lua
2
\`\`\`

A name, @please.

\`a.lua\`, lines 3-4:

\`\`\`\`lua
three
\`\`\`
\`\`\`\`

Why a fence?

\`b.txt\`:

Drop this file.`);
    await expect.poll(() => review.comments).toEqual([]);
    expect(review.asked.at(-1)).toMatchObject({
      name: "changes/accept",
      params: { files: [{ path: review.path("a.lua") }, { path: review.path("b.txt") }] },
    });
    await nvim.until("#vim.api.nvim_list_tabpages()", 1);
    expect(await nvim.buf()).toBe(chat.buf);
  });

  it("is kept if sending it fails", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await nvim.command("CodexChat review send");
    await expect.poll(() => nvim.messages()).toContain("there are no comments to send");
    await review.diff();
    await write(review, "gC", "This one.");
    await nvim.type("Omine<Esc>");
    const refused = await nvim.command("CodexChat review send").catch(String);
    await expect
      .poll(async () => `${refused}${await nvim.messages()}`)
      .toContain("has unsaved changes");
    expect(review.comments).toHaveLength(1);
    expect(review.chat.host.of("turn/send")).toEqual([]);
  });

  it("does not take over the subcommands of Codex's own review", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    await review.nvim.command("CodexChat review comment style in src");
    await expect
      .poll(() => review.asked.at(-1))
      .toEqual({
        name: "thread/review",
        params: { target: "custom", argument: "comment style in src" },
      });
  });
});
