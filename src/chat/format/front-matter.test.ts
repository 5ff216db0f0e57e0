import fc from "fast-check";
import { describe, expect, it } from "vitest";
import cases from "../../../test/fixtures/format.json" with { type: "json" };
import { readFrontMatter, withMeta } from "./front-matter.ts";
import { cleanName } from "./title.ts";

// test/nvim/buffer/format.test.ts holds Lua against the same cases.
describe("the front matter", () => {
  it.each(cases.changes)("with $meta becomes $after", ({ before, meta, after }) => {
    expect(withMeta(before.join("\n"), defined(meta)).split("\n")).toEqual(after);
  });

  it("is read as it was written, with any value", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
      fc.string({ minLength: 1, maxLength: 6 }),
      fc.constantFrom(
        "0o17",
        "1e3",
        "0x1f",
        ".inf",
        "NULL",
        "~",
        "2026-01-01",
        "a\u2028b",
        "\ufeff",
      ),
    );
    fc.assert(
      fc.property(value, (name) => {
        const text = withMeta("---\ntags: [a]\n---\n## You\n", { name });
        expect(readFrontMatter(text.split("\n")).meta.name).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(cases.names)("of $lines names it $name", ({ lines, name }) => {
    expect(cleanName(readFrontMatter(lines).meta.name ?? "") || null).toBe(name);
  });

  it.each(cases.cleanNames)("cleans the name %j to %j", (name, clean) => {
    expect(cleanName(name ?? "")).toBe(clean);
  });
});

function defined(meta: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(meta).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
