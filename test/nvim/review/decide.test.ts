import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { neovims } from "../../support/neovim.ts";
import { Reviewed } from "../../support/reviewed.ts";

const BEFORE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
const NOW = "one\nTWO\nthree\nfour\nfive\nand a half\nsix\n";

/** The hunks in the last request to accept. */
const hunksOf = (review: Reviewed) => {
  const files = review.asked.at(-1)?.params["files"] as { hunks?: unknown }[] | undefined;
  return files?.[0]?.hunks;
};

describe.each(neovims)("a decision in a review on Neovim $name", (program) => {
  it("accepts hunk after hunk, and moves on to the next file", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW }, "b.txt": { before: "1\n", now: "2\n" } },
    );
    const { nvim } = review;
    await review.diff();
    expect(await nvim.cursor()).toEqual([2, 0]);
    await review.keys("gy");
    expect(hunksOf(review)).toEqual([{ left: [2, 1], right: [2, 1] }]);
    expect(review.before("a.txt")).toBe("one\nTWO\nthree\nfour\nfive\nsix\nseven\n");
    expect(await nvim.cursor()).toEqual([6, 0]);
    // Both at once, as somebody types who has done it often.
    await review.keys("gygy");
    expect(review.before("a.txt")).toBe(NOW);
    expect(await nvim.lua("return vim.fn.expand('%:t')")).toBe("b.txt");
    await review.keys("gy");
    expect(review.before("b.txt")).toBe("2\n");
    expect(await nvim.messages()).toContain("nothing is left to decide");
    expect(review.names).toEqual(Array(4).fill("changes/accept"));
  });

  it("puts a hunk back, writes the file, and undoes both", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    await review.diff();
    await review.keys("gb");
    expect(review.now("a.txt")).toBe("one\ntwo\nthree\nfour\nfive\nand a half\nsix\n");
    await review.keys("gbgb");
    expect(review.now("a.txt")).toBe(BEFORE);
    await review.keys("gz");
    expect(review.now("a.txt")).toBe("one\ntwo\nthree\nfour\nfive\nsix\n");
    await review.keys("gzgz");
    expect(review.now("a.txt")).toBe(NOW);
    await review.keys("gz");
    expect(await review.nvim.messages()).toContain("nothing to undo");
    expect(review.names).toEqual([]);
  });

  it("is undone if 'hidden' is off and another file is in the window", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: "1\n", now: "2\n" }, "b.txt": { before: "1\n", now: "2\n" } },
    );
    await review.nvim.command("set nohidden");
    await review.diff();
    await review.keys("gbgbgzgz");
    expect([review.now("a.txt"), review.now("b.txt")]).toEqual(["2\n", "2\n"]);
  });

  it("undoes an acceptance, and what was accepted shows again", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    await review.diff();
    await review.keys("gygz");
    expect(review.names).toEqual(["changes/accept", "changes/unaccept"]);
    expect(review.before("a.txt")).toBe(BEFORE);
    expect(await review.nvim.cursor()).toEqual([2, 0]);
  });

  it("takes only the selected lines of a hunk", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: "x\n1\n2\ny\n", now: "x\na\nb\nc\ny\n" } },
    );
    await review.diff();
    await review.keys("2GVgy");
    expect(review.before("a.txt")).toBe("x\na\n2\ny\n");
    await review.keys("4GVgb");
    expect(review.now("a.txt")).toBe("x\na\nb\ny\n");
    await review.keys(":3CodexChat review accept<CR>");
    expect(review.before("a.txt")).toBe("x\na\nb\ny\n");
  });

  it("accepts and puts back whole files from the list and from the file", async () => {
    await using review = await Reviewed.open(
      { program },
      {
        "a.txt": { before: BEFORE, now: NOW },
        "b.txt": { now: "new\n" },
        "c.txt": { before: "gone\n" },
        "d.bin": { before: Buffer.from([0, 1]), now: Buffer.from([0, 2]) },
      },
    );
    await review.diff();
    await review.keys("gB");
    expect(review.asked.at(-1)).toEqual({
      name: "changes/reject",
      params: { left: "0".repeat(40), paths: [review.path("a.txt")] },
    });
    expect(review.now("a.txt")).toBe(BEFORE);
    await review.keys("gY");
    expect(review.before("b.txt")).toBe("new\n");
    await review.nvim.command("1wincmd w");
    await review.keys("4Ggy");
    expect(review.before("d.bin")).toBe("\0\x02");
    await review.keys("3Ggb");
    expect(review.now("c.txt")).toBe("gone\n");
    expect(await review.nvim.lua("return vim.fn.getline(1, '$')")).toEqual([
      expect.stringContaining("↶ a.txt"),
      expect.stringContaining("✓ b.txt"),
      expect.stringContaining("↶ c.txt"),
      expect.stringContaining("✓ d.bin"),
    ]);
  });

  it("accepts all that is left", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW }, "b.txt": { now: "new\n" } },
    );
    await review.diff();
    await review.keys("gB:CodexChat review accept all<CR>");
    expect(review.asked.at(-1)?.params["files"]).toEqual([{ path: review.path("b.txt") }]);
  });

  it("accepts nothing of a file that is not saved, or that differs on disk", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    const { nvim } = review;
    await review.diff();
    await review.keys("Ox<Esc>jgy");
    expect(await nvim.messages()).toContain("a.txt has unsaved changes");
    await review.keys("gY");
    await review.keys("u:set noautoread<CR>");
    await writeFile(review.path("a.txt"), "other\n");
    await review.keys("gy");
    expect(await nvim.messages()).toContain("has changed on disk");
    expect(review.names).toEqual([]);
  });

  it("leaves a hunk unsaved that it puts back in a modified buffer", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    await review.diff();
    await review.keys("ggOx<Esc>3Ggb");
    expect(review.now("a.txt")).toBe(NOW);
    expect(await review.nvim.lua("return vim.fn.getline(1, 3)")).toEqual(["x", "one", "two"]);
    await review.keys("GoMine<Esc>gz");
    expect(await review.nvim.messages()).toContain("the buffer has changed since");
    expect(await review.nvim.lua("return vim.fn.getline('$')")).toBe("Mine");
  });

  it("changes nothing in a buffer that cannot be changed", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    await review.diff();
    await review.keys(":setlocal nomodifiable<CR>gb");
    expect(await review.nvim.messages()).toContain("cannot be changed");
    expect(review.now("a.txt")).toBe(NOW);
  });

  it("takes a file as a whole if its lines are the same or it was renamed", async () => {
    await using review = await Reviewed.open(
      { program },
      {
        "a.txt": { before: "one", now: "one\n" },
        "b.txt": { before: "1\r\n", now: "1\n" },
        "c.txt": { before: "1\n2\n", now: "1\n3\n", old: "old.txt", change: "renamed" },
      },
    );
    await review.diff();
    await review.keys("gy");
    expect(review.before("a.txt")).toBe("one\n");
    await review.keys("gB");
    expect(review.now("b.txt")).toBe("1\r\n");
    // What a renamed file held has another name, which the hunks could not be put into.
    await review.keys("gy");
    expect(review.asked.at(-1)?.params["files"]).toEqual([{ path: review.path("c.txt") }]);
  });

  it("says why the host refuses, and stays where it is", async () => {
    await using review = await Reviewed.open(
      { program },
      { "a.txt": { before: BEFORE, now: NOW } },
    );
    await review.diff();
    review.refusal = "There is no such checkpoint.";
    await review.keys("gygBgz");
    expect(await review.nvim.messages()).toContain("There is no such checkpoint.");
    expect(await review.nvim.cursor()).toEqual([2, 0]);
  });

  it.each([
    ["CRLF", "a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n", "set ff?", "dos"],
    ["latin1", "a\nb\xe4\nc\n", "a\nB\xe4\nc\n", "set fenc?", "latin1"],
    ["no newline at its end", "a\nb\nc", "a\nB\nc", "set eol?", "noendofline"],
  ])("keeps every byte of a file with %s", async (_, before, now, option, value) => {
    const bytes = (text: string) => Buffer.from(text, "latin1");
    await using review = await Reviewed.open(
      { program },
      { "ä b.txt": { before: bytes(before), now: bytes(now) } },
    );
    const { nvim } = review;
    await nvim.command("set fileencodings=utf-8,latin1");
    await review.diff();
    expect(await nvim.lua("return vim.fn.execute(...)", option)).toContain(value);
    await review.keys("gb");
    expect(readFileSync(review.path("ä b.txt"), "latin1")).toBe(before);
    await review.keys("gz");
    expect(readFileSync(review.path("ä b.txt"), "latin1")).toBe(now);
    await review.keys("gy");
    expect(review.before("ä b.txt")).toBe(now);
  });
});
