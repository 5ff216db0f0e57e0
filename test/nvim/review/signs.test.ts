import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const FILES = {
  "a.txt": { before: "1\n2\n3\n4\n5\n6\n", now: "1\ntwo\n3\n4\n6\nseven\n" },
  "b.txt": { now: "new\nfile\n" },
  "gone.txt": { before: "1\n" },
  "hidden.txt": { before: "1\n", now: "2\n", ignored: true },
};

/** The signs of the current buffer, as "line: text". */
const SIGNS = `(function()
  local ns, found = vim.api.nvim_get_namespaces()["codex-chat.unseen"], {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })) do
    table.insert(found, (mark[2] + 1) .. ": " .. vim.trim(mark[4].sign_text))
  end
  return found
end)()`;

const A = ["2: ▎", "4: ▁", "6: ▎"];

const ended = (review: Reviewed) =>
  review.chat.host.editor.call.event_emit("TurnEnded", {
    buf: review.chat.buf,
    status: "completed",
  });

const edit = (review: Reviewed, name: string) =>
  review.nvim.lua("vim.cmd.edit((...))", review.path(name));

describe.each(neovims)("a change that nobody has accepted, on Neovim $name", (program) => {
  it("has signs after its turn, in files that are open and that are opened", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await edit(review, "a.txt");
    expect(await nvim.lua(`return ${SIGNS}`)).toEqual([]);
    await ended(review);
    await nvim.until(SIGNS, A);
    const status = () => nvim.lua("return require('codex-chat').status().unseen");
    expect(await status()).toBe(3);
    await edit(review, "b.txt");
    await nvim.until(SIGNS, ["1: ▎", "2: ▎"]);
    await edit(review, "hidden.txt");
    await nvim.until(SIGNS, []);
    expect(review.chat.host.of("action/run")[0]?.params).toEqual({ since: "all", quick: true });
  });

  it("keeps its signs at its text while the user writes, and the user's lines get none", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await edit(review, "a.txt");
    await ended(review);
    await nvim.until(SIGNS, A);
    const asked = review.chat.host.of("action/run").length;
    await nvim.type("ggOmine<Esc>:w<CR>");
    expect(await nvim.lua(`return ${SIGNS}`)).toEqual(["3: ▎", "5: ▁", "7: ▎"]);
    expect(review.chat.host.of("action/run")).toHaveLength(asked);
  });

  it("loses its signs when it is accepted", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await edit(review, "a.txt");
    await ended(review);
    await nvim.until(SIGNS, A);
    await nvim.type("ggOmine<Esc>:w<CR>");
    await review.diff();
    await review.keys("3Ggy");
    await nvim.until(SIGNS, ["5: ▁", "7: ▎"]);
  });

  it("is reached by mappings, from file to file", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await nvim.lua(
      `vim.keymap.set("n", "]r", "<Plug>(codex-chat-unseen-next)")
       vim.keymap.set("n", "[r", "<Plug>(codex-chat-unseen-prev)")`,
    );
    await nvim.type("]r");
    expect(await nvim.messages()).toContain("no change that you have not accepted");
    await edit(review, "a.txt");
    await ended(review);
    await nvim.until(SIGNS, A);
    const place = "{ vim.fn.expand('%:t'), vim.fn.line('.') }";
    await nvim.type("gg]r");
    await nvim.until(place, ["a.txt", 2]);
    await nvim.type("]r]r");
    await nvim.until(place, ["a.txt", 6]);
    await nvim.type("]r");
    await nvim.until(place, ["b.txt", 1]);
    await nvim.type("[r");
    await nvim.until(place, ["a.txt", 6]);
  });

  it("gives other plugins the text before it, and notifies them of changes", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await nvim.lua(
      `require("codex-chat").on("ReviewChanged", function(data)
         table.sort(data.paths)
         vim.g.paths = data.paths
       end)`,
    );
    await ended(review);
    await nvim.until("vim.g.paths", [
      review.path("a.txt"),
      review.path("b.txt"),
      review.path("gone.txt"),
    ]);
    const reference = async (name: string) => {
      await nvim.lua(
        `vim.g.text = false
         require("codex-chat").review_text(..., function(text) vim.g.text = text or "none" end)`,
        review.path(name),
      );
      await nvim.until("vim.g.text ~= false");
      return nvim.lua("return vim.g.text");
    };
    expect(await reference("a.txt")).toBe("1\n2\n3\n4\n5\n6\n");
    expect(await reference("b.txt")).toBe("");
    expect(await reference("hidden.txt")).toBe("none");
  });
});
