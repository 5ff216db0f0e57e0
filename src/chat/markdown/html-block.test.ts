import { describe, expect, it } from "vitest";
import { htmlBlock } from "./html-block.ts";

describe("an HTML block of the user's", () => {
  it.each([
    ["ends at the end marker of its kind", ["<!-- a", "", "b --> c", "d"], 3],
    ["begun by a tag ends with a blank line", ["<div>", "<p>", "", "x"], 3],
    ["begun by a lone tag ends with a blank line", ["<x-y a='b'>", "", "x"], 2],
    ["does not begin with a line of text", ["<x y"], 0],
    ["does not begin with an autolink", ["<https://a.b>"], 0],
    ["is left open by a comment without an end", ["<!-- a", "", "b"], undefined],
    ["is left open by details without an end", ["<details>", "", "b"], undefined],
    ["is read in two ways if it contains a fence", ["<div>", "```", ""], undefined],
  ])("%s", (_what, lines, length) => {
    expect(htmlBlock(lines, false)).toBe(length);
  });

  it("with a lone tag does not begin within a paragraph", () => {
    expect(htmlBlock(["<x-y>"], true)).toBe(0);
  });
});
