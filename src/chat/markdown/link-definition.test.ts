import { describe, expect, it } from "vitest";
import { definitionAt } from "./link-definition.ts";
import { sanitizedLines } from "./stream-sanitizer.ts";

describe("a line that begins with a bracket", () => {
  it.each([
    ["[a]: b", "yes"],
    ["[^1]: a note", "yes"],
    ["[a\\]: b]: c", "yes"],
    ["[a](b)", "no"],
    ["[[a]: b", "no"],
    ["[ ] to do", "no"],
    ["a [b]: c", "no"],
    ["[a", "perhaps"],
    ["[a]", "perhaps"],
    ["[a\\", "perhaps"],
  ])("may define a link, now or with more text: %s", (line, answer) => {
    expect(definitionAt(line)).toBe(answer);
  });

  it("counts as a definition if its label continues in the next line", () => {
    expect([definitionAt("[a", true), definitionAt("[a]", true)]).toEqual(["yes", "no"]);
  });
});

describe("text of the model", () => {
  it("defines no links for other parts of the conversation", () => {
    expect(
      sanitizedLines("See [1].\n\n[1]: https://a.b\n[2]: c\n\n- [x]: d\n> [y\n> z]: e"),
    ).toEqual([
      "See [1].",
      "",
      "\\[1]: https://a.b",
      "[2]: c",
      "",
      "- \\[x]: d",
      "> \\[y",
      "> z]: e",
    ]);
  });

  it("shows a picture from the web as a link that nothing fetches", () => {
    expect(sanitizedLines("![a](https://a.b/?q=secret) and `![b](c)`!")).toEqual([
      "\\![a](https://a.b/?q=secret) and `![b](c)`!",
    ]);
  });
});
