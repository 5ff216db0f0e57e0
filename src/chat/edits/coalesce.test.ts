import { describe, expect, it } from "vitest";
import { coalesce } from "./coalesce.ts";

describe("coalesce", () => {
  it("merges appends to a block into one", () => {
    expect(
      coalesce([
        { op: "append", id: "a", text: "x" },
        { op: "append", id: "b", text: "1" },
        { op: "append", id: "a", text: "\ny" },
      ]),
    ).toEqual([
      { op: "append", id: "a", text: "x\ny" },
      { op: "append", id: "b", text: "1" },
    ]);
  });

  it("merges text into a block that is created in the same frame", () => {
    expect(
      coalesce([
        { op: "insert", id: "a", after: "history", lines: ["one"], gap: 1 },
        { op: "append", id: "a", text: " two\nthree" },
        { op: "replace", id: "a", lines: ["four"] },
        { op: "append", id: "a", text: "!" },
      ]),
    ).toEqual([{ op: "insert", id: "a", after: "history", lines: ["four!"], gap: 1 }]);
  });

  it("keeps the last mark of a block", () => {
    expect(
      coalesce([
        { op: "mark", id: "a", mark: "running" },
        { op: "mark", id: "a", mark: "none" },
      ]),
    ).toEqual([{ op: "mark", id: "a", mark: "none" }]);
  });

  it("never creates a block that is removed again", () => {
    expect(
      coalesce([
        { op: "insert", id: "a", after: "history", lines: ["one"], gap: 1 },
        { op: "mark", id: "a", mark: "running" },
        { op: "remove", id: "a" },
      ]),
    ).toEqual([]);
  });

  it("removes a block that others are placed below", () => {
    const edits = [
      { op: "insert", id: "a", after: "history", lines: ["one"], gap: 1 },
      { op: "insert", id: "b", after: "a", lines: ["two"], gap: 1 },
      { op: "remove", id: "a" },
    ] as const;
    expect(coalesce(edits)).toEqual(edits);
  });
});
