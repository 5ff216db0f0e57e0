import fc from "fast-check";
import { describe, expect, it } from "vitest";
import cases from "../../../test/fixtures/titles.json" with { type: "json" };
import { title } from "./title.ts";

describe("a title", () => {
  it.each(cases)("of $query is $title", ({ query, title: expected }) => {
    expect(title(query)).toBe(expected);
  });

  it("is one short line without control characters for any query", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (query) => {
        const made = title(query);
        expect([...made].length).toBeLessThanOrEqual(60);
        expect(made).not.toMatch(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
        expect(made.trim()).toBe(made);
      }),
    );
  });
});
