import { describe, expect, it } from "vitest";
import { luaNameProblems } from "./lua-names.ts";

/** The lines in which a name is refused. */
function refused(lines: readonly string[]): readonly number[] {
  const problems = luaNameProblems("a.lua", lines.join("\n"));
  return problems.map((problem) =>
    Number(/^a\.lua:(\d+): nothing is named `it`/.exec(problem)?.[1]),
  );
}

describe("luaNameProblems", () => {
  it("refuses a local, a parameter and a loop's variable that is named `it`, in whatever form", () => {
    const lines = [
      "local it = a.b",
      "local a, it = f()",
      "local function it() end",
      "local function f(a, it) end",
      "function M.f(it) end",
      "function M:f(it, ...) end",
      "return vim.tbl_map(function(it) return it.b end, a)",
      "for _, it in ipairs(a) do",
      "for it = 1, 2 do",
      "local a,",
      "  it = f()",
    ];
    expect(refused(lines)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
  });

  it("accepts the word in comments, strings, fields and longer names", () => {
    const lines = [
      "-- local it is what it was",
      "--[[ local it",
      "for it in a do ]]",
      "---@param item table as it was",
      'local s = "local it = 1 \\" local it" .. \'for it in\'',
      "local t = [[",
      "function(it)]]",
      "local item, its = t.it, t['it']",
      "return { it = item }",
    ];
    expect(refused(lines)).toEqual([]);
  });
});
