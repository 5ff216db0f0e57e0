import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageReader } from "./usage.ts";

const done = (usage: unknown, type = "response.completed") =>
  `event: ${type}\ndata: ${JSON.stringify({ type, response: { id: "r", usage } })}\n\n`;
const USAGE = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };

function read(text: string, places: readonly number[] = []): unknown {
  const reader = new UsageReader();
  const bytes = Buffer.from(text);
  const cuts = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b)];
  for (const [n, from] of cuts.entries()) reader.push(bytes.subarray(from, cuts[n + 1]));
  return reader.usage;
}

describe("UsageReader", () => {
  it("finds an answer's usage, however the stream is split", () => {
    const text = `data: {"type":"response.output_text.delta","delta":"usage"}\r\n\r\n${done(USAGE)}`;
    fc.assert(
      fc.property(fc.array(fc.nat()), (places) => {
        expect(read(text, places)).toEqual({ input: 10, output: 5, total: 15 });
      }),
    );
  });

  it.each(["response.incomplete", "response.failed"])("also reads %s", (type) => {
    expect(read(done(USAGE, type))).toEqual({ input: 10, output: 5, total: 15 });
  });

  it("does not trust a total that is smaller than its parts", () => {
    expect(read(done({ ...USAGE, total_tokens: 1 }))).toMatchObject({ total: 15 });
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["invalid JSON", 'data: {"type":"response.completed" "usage"\n'],
    ["a negative number", done({ ...USAGE, input_tokens: -1_000_000 })],
    ["text of the model", `data: ${JSON.stringify({ type: "x", delta: done(USAGE) })}\n`],
    ["an event in the middle", done(USAGE, "response.in_progress")],
    ["a line that is too long", `data: "${"x".repeat(9 * 1024 ** 2)}"${done(USAGE).slice(32)}`],
  ])("reads no usage from %s", (_name, text) => {
    expect(read(text)).toBeUndefined();
  });
});
