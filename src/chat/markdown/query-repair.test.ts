import { describe, expect, it } from "vitest";
import { repairQuery } from "./query-repair.ts";

describe("the text of a sent query", () => {
  it("stays as typed if it breaks nothing", () => {
    expect(repairQuery("What is `x`?", "> **Context:** a.ts")).toBeUndefined();
  });

  it("has a fence closed above the line about its context", () => {
    expect(repairQuery("What is this?\n```ts\nlet x", "> **Context:** a.ts line 1")).toEqual([
      "## You",
      "",
      "What is this?",
      "```ts",
      "let x",
      "```",
      "",
      "> **Context:** a.ts line 1",
    ]);
  });
});
