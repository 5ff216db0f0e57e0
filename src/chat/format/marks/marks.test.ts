import { describe, expect, it } from "vitest";
import cases from "../../../../test/fixtures/format.json" with { type: "json" };
import {
  fenceAfter,
  frontMatterEnd,
  hasAnswer,
  type OpenFence,
  roleOf,
  splitContext,
} from "./marks.ts";

// test/nvim/buffer/format.test.ts holds Lua against the same cases.
describe("the format's marks", () => {
  it.each(cases.roles)("give the line %j the role %s", (line, role) => {
    expect(roleOf(line ?? "") ?? null).toBe(role);
  });

  it.each(cases.contexts)("split $text", ({ text, query, context }) => {
    expect(splitContext(text)).toEqual({ query, context: context ?? undefined });
  });

  it.each(cases.frontMatterEnds)("end the front matter of $lines at $end", ({ lines, end }) => {
    expect(frontMatterEnd(lines)).toBe(end);
  });

  it("do not end front matter below its 200th line", () => {
    const lines = (count: number) => ["---", ...Array(count - 2).fill("a: b"), "---"];
    expect(frontMatterEnd(lines(200))).toBe(200);
    expect(frontMatterEnd(lines(201))).toBe(0);
  });

  it.each(cases.fences)("open and close the fences of $lines", ({ lines, open }) => {
    let fence: OpenFence | undefined;
    const found = lines.map((line) => {
      fence = fenceAfter(fence, line);
      return fence !== undefined;
    });
    expect(found).toEqual(open);
  });

  it.each(cases.answers)("tell whether Codex has answered in $text", ({ text, isAnswered }) => {
    expect(hasAnswer(text)).toBe(isAnswered);
  });
});
