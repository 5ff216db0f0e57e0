import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  encodeCredit,
  encodeFrame,
  FrameDecoder,
  FrameType,
  HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
} from "./frame.ts";

const anyFrame = fc.record({
  type: fc.constantFrom(...Object.values(FrameType)),
  stream: fc.nat({ max: 2 ** 32 - 1 }),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

/** Cuts bytes at the given places, in any order and any number. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length));
}

describe("FrameDecoder", () => {
  it("returns the same frames however the stream is split", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), fc.array(fc.nat()), (frames, places) => {
        const bytes = Buffer.concat(frames.map((f) => encodeFrame(f.type, f.stream, f.payload)));
        const decoder = new FrameDecoder();
        const decoded = cut(bytes, places).flatMap((chunk) => decoder.push(chunk) ?? []);
        expect(decoded).toEqual(frames);
      }),
    );
  });

  it("never throws on hostile bytes, and returns no frame over the limit", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 })), (chunks) => {
        const decoder = new FrameDecoder();
        for (const chunk of chunks) {
          const frames = decoder.push(Buffer.from(chunk));
          if (frames === undefined) return;
          for (const { payload } of frames)
            expect(payload.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
        }
      }),
    );
  });

  it("refuses a frame over the limit before its payload arrives", () => {
    const header = encodeFrame(FrameType.data, 1);
    header.writeUInt32BE(MAX_PAYLOAD_BYTES + 1, 5);
    expect(new FrameDecoder().push(header)).toBeUndefined();
    header.writeUInt32BE(MAX_PAYLOAD_BYTES, 5);
    expect(new FrameDecoder().push(header)).toEqual([]);
  });

  it("copies a frame that arrives byte by byte only a few times", () => {
    const join = vi.spyOn(Buffer, "concat");
    const frame = encodeFrame(FrameType.data, 1, Buffer.alloc(MAX_PAYLOAD_BYTES, 7));
    const decoder = new FrameDecoder();
    const frames = Array.from(frame, (_, n) => decoder.push(frame.subarray(n, n + 1)) ?? []).flat();
    expect(frames).toEqual([{ type: FrameType.data, stream: 1, payload: frame.subarray(9) }]);
    expect(join.mock.calls.length).toBeLessThan(100);
  });

  it("writes numbers as the relay reads them", () => {
    expect(encodeFrame(FrameType.window, 0x01020304, encodeCredit(0x0a0b0c0d))).toEqual(
      Buffer.from([6, 1, 2, 3, 4, 0, 0, 0, 4, 0x0a, 0x0b, 0x0c, 0x0d]),
    );
    expect(HEADER_BYTES).toBe(9);
  });
});
