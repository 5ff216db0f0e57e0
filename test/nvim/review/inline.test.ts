import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const lines = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);
const text = (all: readonly string[]) => `${all.join("\n")}\n`;
const FILES = {
  "a b.ts": {
    before: text(lines),
    now: text(lines.toSpliced(4, 1, "line five").toSpliced(17, 2)),
  },
  "b.ts": { now: "new\n" },
  "c.png": { before: Buffer.from([0]), now: Buffer.from([0, 1]) },
};

const SHOWN = [
  "M a b.ts",
  "line 2",
  "line 3",
  "line 4",
  "line 5",
  "line five",
  "line 6",
  "line 7",
  "line 8",
  "",
  "line 15",
  "line 16",
  "line 17",
  "line 18",
  "line 19",
  "line 20",
  "",
  "A b.ts",
  "new",
  "",
  "M c.png",
];

describe.each(neovims)("an inline review on Neovim $name", (program) => {
  it("shows all changes in one buffer, with the numbers of the new file", async () => {
    await using review = await Reviewed.open(
      { program, screen: { columns: 120, rows: 40 } },
      FILES,
    );
    const { nvim } = review;
    await review.diff("inline");
    expect(await nvim.lines()).toEqual(SHOWN);
    await nvim.untilShown(/4 {3}line 4 *\n.*- line 5 *\n.*5 \+ line five/);
    await nvim.untilShown("⋯");
    await nvim.untilShown(/M a b\.ts +\+1 -3/);
    const groups = await nvim.lua(
      `local ns = vim.api.nvim_get_namespaces()["codex-chat.review.inline"]
       local found = {}
       for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, ns, { 4, 0 }, { 5, -1 }, { details = true })) do
         if mark[4].hl_group then table.insert(found, mark[4].hl_group) end
       end
       table.sort(found)
       return found`,
    );
    expect(groups).toEqual(["DiffAdd", "DiffDelete", "DiffText", "DiffText"]);
  });

  it("walks changes and files, and opens a place in the file", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await review.diff("inline");
    await review.keys("gg]c");
    expect(await nvim.cursor()).toEqual([5, 0]);
    await review.keys("2]c");
    expect(await nvim.cursor()).toEqual([19, 0]);
    await review.keys("[c");
    expect(await nvim.cursor()).toEqual([14, 0]);
    await review.keys("]f");
    expect(await nvim.cursor()).toEqual([18, 0]);
    await review.keys("[f");
    await nvim.type("11G<CR>");
    expect(await nvim.lua("return { vim.fn.expand('%:t'), vim.fn.line('.') }")).toEqual([
      "a b.ts",
      15,
    ]);
    expect(await nvim.lua("return #vim.api.nvim_list_tabpages()")).toBe(1);
  });

  it("accepts, puts back and undoes", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await review.diff("inline");
    await review.keys("5Ggy");
    expect(review.before("a b.ts")).toBe(text(lines.toSpliced(4, 1, "line five")));
    expect(await nvim.lua("return vim.fn.getline('.')")).toBe("line 18");
    await review.keys("gb");
    expect(review.now("a b.ts")).toBe(text(lines.toSpliced(4, 1, "line five")));
    expect(await nvim.lines()).toEqual(["M a b.ts", "", "A b.ts", "new", "", "M c.png"]);
    expect(await nvim.lua("return vim.fn.getline('.')")).toBe("A b.ts");
    await review.keys("gY");
    expect(review.before("b.ts")).toBe("new\n");
    await review.keys("gzgzgz");
    expect(review.before("a b.ts")).toBe(text(lines));
    expect(await nvim.lines()).toEqual(SHOWN);
  });

  it("takes comments", async () => {
    await using review = await Reviewed.open({ program }, FILES);
    const { nvim } = review;
    await review.diff("inline");
    await nvim.keys("6GgC");
    await nvim.until("vim.bo.filetype", "markdown");
    await nvim.keys("Why?<C-s>");
    await expect
      .poll(() => review.comments)
      .toMatchObject([{ side: "right", first: 5, last: 5, code: ["line five"], text: "Why?" }]);
    await nvim.keys("14GVjgC");
    await nvim.until("vim.bo.filetype", "markdown");
    await nvim.keys("Back.<C-s>");
    await expect
      .poll(() => review.comments)
      .toContainEqual(
        expect.objectContaining({ side: "left", first: 18, code: ["line 18", "line 19"] }),
      );
  });
});

describe.each(neovims)(":CodexChat diff quickfix on Neovim $name", (program) => {
  it("lists the hunks", async () => {
    await using review = await Reviewed.open(
      { program },
      { ...FILES, "old.ts": { before: "x\n" } },
    );
    const { nvim } = review;
    await nvim.command("CodexChat diff quickfix all");
    await expect.poll(() => nvim.messages()).toContain("5 changes in the quickfix list");
    expect(
      await nvim.lua(
        "return vim.tbl_map(function(it) return { it.module, it.lnum, it.text } end, vim.fn.getqflist())",
      ),
    ).toEqual([
      ["a b.ts", 5, "+1 -1  line five"],
      ["a b.ts", 17, "+0 -2  line 18"],
      ["b.ts", 1, "+1 -0  new"],
      ["c.png", 1, "changed"],
      ["old.ts", 1, "deleted"],
    ]);
    await nvim.command("cfirst");
    expect(await nvim.cursor()).toEqual([5, 0]);
  });
});
