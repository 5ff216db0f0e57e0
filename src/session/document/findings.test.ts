import { describe, expect, it } from "vitest";
import { findingsOf } from "./findings.ts";

describe("the findings of a review", () => {
  it("are read with their places and bodies", () => {
    const review = [
      "The patch divides by zero.",
      "",
      "Full review comments:",
      "",
      "- [P1] Guard against zero — /project/src/a b.ts:10-12",
      "  `n` may be 0.",
      "",
      "  Then this throws.",
      "",
      "- [P2] Name it — with a dash — src/é.ts:3-3",
      "  It is unclear.",
    ].join("\n");
    expect(findingsOf(review, "/project")).toEqual([
      {
        path: "/project/src/a b.ts",
        line: 10,
        last: 12,
        title: "[P1] Guard against zero",
        body: "`n` may be 0.\n\nThen this throws.".replace("\n\n", "\n"),
      },
      {
        path: "/project/src/é.ts",
        line: 3,
        last: 3,
        title: "[P2] Name it — with a dash",
        body: "It is unclear.",
      },
    ]);
  });

  it("leave out places outside the project", () => {
    const review = "- a — /etc/passwd:1-1\n- b — ../x:1-1\n- c — /project2/x:1-1\n- d — x:0-0";
    expect(findingsOf(review, "/project")).toEqual([]);
  });

  it("do not exist in any other text", () => {
    expect(findingsOf("No findings.\n- a list — of things", "/project")).toEqual([]);
  });
});
