import { describe, expect, it } from "vitest";
import { htmlBlock } from "./html-block.ts";

describe("an HTML block of the user's", () => {
  it.each([
    ["ends where its kind ends", ["<!-- a", "", "b --> c", "d"], 3],
    ["of a tag ends with a blank line", ["<div>", "<p>", "", "x"], 3],
    ["of a lone tag ends with a blank line", ["<x-y a='b'>", "", "x"], 2],
    ["is none where the line is text", ["<x y"], 0],
    ["is none where an address is meant", ["<https://a.b>"], 0],
    ["is left open by a comment without an end", ["<!-- a", "", "b"], undefined],
    ["is left open by details without an end", ["<details>", "", "b"], undefined],
    ["is read in two ways where it holds a fence", ["<div>", "```", ""], undefined],
  ])("%s", (_what, lines, length) => {
    expect(htmlBlock(lines, false)).toBe(length);
  });

  it("of a lone tag does not begin within a paragraph", () => {
    expect(htmlBlock(["<x-y>"], true)).toBe(0);
  });
});
