import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineDecoder } from "./lines.ts";

function decode(chunks: readonly Uint8Array[], maxBytes = 1024): (string | null)[] {
  const decoder = new LineDecoder(maxBytes);
  return chunks.flatMap((chunk) => decoder.push(Buffer.from(chunk)));
}

/** Cuts bytes at the given places, in any order and as often as they say. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((at) => Math.min(at, bytes.length)), bytes.length].sort(
    (a, b) => a - b,
  );
  let start = 0;
  return ends.map((end) => {
    const part = bytes.subarray(start, end);
    start = end;
    return part;
  });
}

const bytes = (text: string) => Buffer.from(text, "utf8");

describe("a line", () => {
  it("is returned when its end has arrived", () => {
    const decoder = new LineDecoder(1024);
    expect(decoder.push(bytes('{"a":'))).toEqual([]);
    expect(decoder.push(bytes("1}"))).toEqual([]);
    expect(decoder.push(bytes("\n"))).toEqual(['{"a":1}']);
  });

  it("may share a chunk with others", () => {
    expect(decode([bytes("one\ntwo\nthr"), bytes("ee\n\nfi")])).toEqual([
      "one",
      "two",
      "three",
      "",
    ]);
  });

  it("loses a carriage return at its end, but not inside", () => {
    expect(decode([bytes("a\rb\r\n"), bytes("c\r"), bytes("\n")])).toEqual(["a\rb", "c"]);
  });

  it("keeps characters that were cut in the middle", () => {
    const text = "ä€😀";
    const all = bytes(`${text}\n`);
    expect(decode([...all].map((byte) => Uint8Array.of(byte)))).toEqual([text]);
  });

  it("has replacement characters for bytes that are not UTF-8", () => {
    expect(decode([Uint8Array.of(0x61, 0xff, 0xc3, 0x0a, 0x62, 0x0a)])).toEqual(["a��", "b"]);
  });

  it("stays the same when the memory of its chunk is used again", () => {
    const decoder = new LineDecoder(1024);
    const chunk = bytes("kept");
    decoder.push(chunk);
    chunk.fill("x");
    expect(decoder.push(bytes(" whole\n"))).toEqual(["kept whole"]);
  });
});

describe("a line over the limit", () => {
  it.each([
    ["in one chunk", [bytes("12345\nnext\n")]],
    ["over several", [bytes("12"), bytes("34"), bytes("5"), bytes("678\nnext\n")]],
    ["too long before its end arrives", [bytes("1234"), bytes("5\nnext\n")]],
  ])("is dropped, and the next one is read: %s", (_, chunks) => {
    expect(decode(chunks, 4)).toEqual([null, "next"]);
  });

  it("is dropped if it is one byte over the limit", () => {
    expect(decode([bytes("1234\n"), bytes("12345\n"), bytes("äö\n"), bytes("äöü\n")], 4)).toEqual([
      "1234",
      null,
      "äö",
      null,
    ]);
  });
});

describe("any split of the stream", () => {
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\n", " ")),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.constantFrom("", "\r", "x".repeat(64), "x".repeat(65), "€".repeat(22)),
  );

  it("gives the same lines", () => {
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(400)), (lines, places) => {
        const all = bytes(lines.map((text) => `${text}\n`).join(""));
        const whole = decode([all], 64);
        expect(decode(cutAt(all, places), 64)).toEqual(whole);
        expect(whole).toEqual(
          lines.map((text) =>
            bytes(text).length > 64 ? null : bytes(text).toString("utf8").replace(/\r$/, ""),
          ),
        );
      }),
    );
  });

  it("gives the same lines for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (any, places) => {
        const all = Buffer.from(any);
        expect(decode(cutAt(all, places), 32)).toEqual(decode([all], 32));
      }),
    );
  });
});
