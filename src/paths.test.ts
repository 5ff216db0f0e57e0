import { describe, expect, it } from "vitest";
import { contains } from "./paths.ts";

describe("contains", () => {
  it.each([
    ["/a", "/a/b", true],
    ["/", "/a", true],
    ["/a", "/a", false],
    ["/a", "/ab", false],
    ["/a/b", "/a", false],
    ["/a", "/a/..b", true],
  ])("%s and %s", (outer, inner, expected) => {
    expect(contains(outer, inner)).toBe(expected);
  });
});
