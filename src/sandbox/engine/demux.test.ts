import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { demux } from "./demux.ts";

function frame(type: number, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end));
}

describe("demux", () => {
  it("returns the same two streams however the engine's bytes are cut", async () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ unit: "binary" })));
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.nat()), async (parts, cuts) => {
        const bytes = Buffer.concat(parts.map(([type, payload]) => frame(type, payload)));
        const { stdout, stderr, ended } = demux(Readable.from(split(bytes, cuts)));
        const of = (wanted: number) =>
          parts.flatMap(([type, payload]) => (type === wanted ? [payload] : [])).join("");
        const [out, error] = await Promise.all([text(stdout), text(stderr)]);
        expect([out, error]).toEqual([of(1), of(2)].map((s) => Buffer.from(s).toString()));
        expect(await ended).toEqual({});
      }),
    );
  });

  it("stops reading the source while a reader is full, and continues when it reads", async () => {
    let given = 0;
    const payload = Buffer.alloc(64 * 1024, "x");
    async function* endless(): AsyncGenerator<Buffer> {
      while (given < 1000) {
        given++;
        yield frame(1, payload);
      }
    }
    const { stdout, stderr } = demux(endless());
    stderr.resume();
    await new Promise((resolve) => setImmediate(resolve));
    expect(given).toBeLessThan(4);
    let bytes = 0;
    for await (const chunk of stdout) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(1000 * payload.length);
  });

  it("delivers one stream after the reader of the other was destroyed", async () => {
    const { stdout, stderr } = demux(
      Readable.from([frame(2, "e".repeat(200_000)), frame(1, "out")]),
    );
    stderr.destroy();
    expect(await text(stdout)).toBe("out");
  });

  it.each([
    [
      "a frame of an unknown type",
      Buffer.concat([frame(1, "ok"), frame(9, "x")]),
      "unknown type 9",
    ],
    ["an end within a frame", frame(1, "abcdef").subarray(0, 10), "ended within a frame"],
    ["an end within a header", frame(1, "").subarray(0, 3), "ended within a frame"],
  ])("reports %s and ends both streams", async (_name, bytes, message) => {
    const { stdout, stderr, ended } = demux(Readable.from([bytes]));
    await Promise.all([text(stdout), text(stderr)]);
    expect((await ended).error?.message).toContain(message);
  });
});
