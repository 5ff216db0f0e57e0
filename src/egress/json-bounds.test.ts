import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWithin } from "./json-bounds.ts";

/** The smallest bounds that a text is within. */
function shapeOf(text: string): { values: number; depth: number } {
  const bytes = Buffer.from(text);
  const most = 10_000;
  let values = 0;
  while (!isWithin(bytes, { maxValues: values, maxDepth: most })) values++;
  let depth = 0;
  while (!isWithin(bytes, { maxValues: most, maxDepth: depth })) depth++;
  return { values, depth };
}

/** The same, computed from the value: each list and object, and each entry after a comma. */
function shapeOfValue(value: unknown): { values: number; depth: number } {
  if (typeof value !== "object" || value === null) return { values: 0, depth: 0 };
  const inner = Object.values(value).map(shapeOfValue);
  return {
    values: inner.reduce((sum, shape) => sum + shape.values, Math.max(1, inner.length)),
    depth: 1 + Math.max(0, ...inner.map((shape) => shape.depth)),
  };
}

describe("the shape of a JSON text", () => {
  it("is that of its value, for any content of its strings", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.boolean(), (value, isSpaced) => {
        const text = JSON.stringify(value, undefined, isSpaced ? 1 : undefined);
        expect(shapeOf(text)).toEqual(shapeOfValue(value));
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, string, number]>([
    ["strings that hold structure", '["{[,,,", "\\"{[,", "\\\\", "]"]', 4],
    ["a string that does not end", '["{[,,,', 1],
    ["nothing", "", 0],
  ])("is counted for %s", (_name, text, values) => {
    expect(shapeOf(text).values).toBe(values);
  });

  it.each<[string, Buffer]>([
    ["many values", Buffer.from(`[${"{},".repeat(5_000_000)}0]`)],
    ["deeply nested arrays", Buffer.alloc(16 * 1024 ** 2, "[")],
    ["many backslashes", Buffer.from(`"${"\\".repeat(16 * 1024 ** 2)}`)],
  ])("is found for %s without parsing them", (_name, text) => {
    const before = process.memoryUsage().heapUsed;
    isWithin(text, { maxValues: 100_000, maxDepth: 100 });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1024 ** 2);
  });
});
