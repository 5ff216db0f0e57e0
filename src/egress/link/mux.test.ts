import { once } from "node:events";
import { type Duplex, PassThrough, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeCredit, encodeFrame, FrameType, MAX_PAYLOAD_BYTES, WINDOW_BYTES } from "./frame.ts";
import { Mux } from "./mux.ts";

const { open, data, end, reset, window } = FrameType;
const MODEL = Buffer.from([1]);

/** A link whose other end is the test, which may forge any frame. */
function setUp(writable: Writable = new PassThrough().resume()) {
  const readable = new PassThrough();
  const streams: Duplex[] = [];
  const hellos: string[] = [];
  const sent: { type: number; stream: number; length: number }[] = [];
  let reason: string | undefined;
  const mux = new Mux(readable, writable, {
    onHello: (payload) => void hellos.push(payload.toString()),
    onStream: (_service, stream) => void streams.push(stream),
    onClosed: (why) => {
      reason = why;
    },
  });
  writable.on("data", (frame: Buffer) =>
    sent.push({
      type: frame.readUInt8(0),
      stream: frame.readUInt32BE(1),
      length: frame.readUInt32BE(5),
    }),
  );
  return { mux, readable, writable, streams, hellos, sent, reason: () => reason };
}

describe("Mux against a hostile relay", () => {
  it("never throws on random frames, and closes at most once", async () => {
    const hostile = fc.array(
      fc.record({
        type: fc.nat({ max: 7 }),
        stream: fc.nat({ max: 5 }),
        payload: fc.oneof(
          fc.constant(MODEL),
          fc.constant(encodeCredit(2 ** 32 - 1)),
          fc.uint8Array({ maxLength: 40 }),
        ),
        // What the host does with its streams meanwhile.
        act: fc.constantFrom("write", "end", "destroy", "read", "none"),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(hostile, async (frames) => {
        const { readable, streams, mux } = setUp();
        for (const { type, stream, payload, act } of frames) {
          readable.write(encodeFrame(type as FrameType, stream, payload));
          await nextTurn();
          const last = streams.at(-1);
          if (act === "write" && last?.writable) last.write("x");
          else if (act === "end") last?.end();
          else if (act === "destroy") last?.destroy();
          else if (act === "read") last?.resume();
        }
        mux.close("over");
        expect(streams.every((stream) => stream.destroyed)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("resets streams beyond 256, and accepts a new one once one has ended", async () => {
    const { readable, streams, sent } = setUp();
    for (let id = 1; id <= 257; id++) readable.write(encodeFrame(open, id, MODEL));
    await expect.poll(() => sent).toEqual([{ type: reset, stream: 257, length: 0 }]);
    expect(streams.length).toBe(256);
    readable.write(encodeFrame(reset, 1));
    readable.write(encodeFrame(open, 258, MODEL));
    await expect.poll(() => streams.length).toBe(257);
  });

  it("opens a limited number of streams of a flood at once, and continues after a while", async () => {
    const { readable, streams, reason } = setUp();
    const flood = Array.from({ length: 1000 }, (_, n) => [
      encodeFrame(open, n + 1, MODEL),
      encodeFrame(reset, n + 1),
    ]);
    readable.write(Buffer.concat([...flood.flat(), encodeFrame(open, 9999, MODEL)]));
    readable.write(encodeFrame(data, 9999, Buffer.from("still here")));
    await nextTurn();
    // On a slow machine a few more than the burst, since the allowance grows with time.
    expect(streams.length).toBeLessThan(1000);
    expect(readable.isPaused()).toBe(true);
    await expect.poll(() => streams.length, { timeout: 20_000 }).toBe(1001);
    expect(String((streams.at(-1) as Duplex).read())).toBe("still here");
    expect(reason()).toBeUndefined();
  });

  it("stops reading a flood if its answers are not read", async () => {
    const stuck = new Writable({ write: () => {}, highWaterMark: 1 });
    const { readable } = setUp(stuck);
    const flood = Buffer.concat(
      Array.from({ length: 100 }, (_, n) => encodeFrame(open, n + 1, MODEL)),
    );
    // The first 256 are streams; of the rest, each reset waits for a pipe that takes nothing.
    for (let id = 1; id <= 256; id++) readable.write(encodeFrame(open, 1000 + id, MODEL));
    for (let n = 0; n < 10_000 && !readable.writableNeedDrain; n++) {
      readable.write(flood);
      await nextTurn();
    }
    expect(readable.isPaused()).toBe(true);
    expect(stuck.writableLength).toBeLessThan(100_000);
  });

  it("keeps the bytes of a stream that nobody reads, but not the chunks that contained them", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const { readable, streams } = setUp();
    readable.write(encodeFrame(open, 1, MODEL));
    const junk = encodeFrame(data, 999, Buffer.alloc(MAX_PAYLOAD_BYTES));
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 2000; n++) {
      readable.write(Buffer.concat([encodeFrame(data, 1, Buffer.from("a")), junk]));
      await nextTurn();
    }
    // Memory is freed a little after the collection.
    const kept = () => {
      collect();
      return process.memoryUsage().arrayBuffers - before;
    };
    await expect.poll(kept).toBeLessThan(8 * 1024 ** 2);
    // The stream is kept alive up to here, and has everything that was sent on it.
    let read = 0;
    streams[0]?.on("data", (chunk: Buffer) => {
      read += chunk.length;
    });
    await expect.poll(() => read).toBe(2000);
  });

  it("accepts exactly one greeting", async () => {
    const { readable, hellos, streams } = setUp();
    for (const text of ["one", "two"])
      readable.write(encodeFrame(FrameType.hello, 0, Buffer.from(text)));
    readable.write(encodeFrame(open, 1, MODEL));
    await expect.poll(() => streams.length).toBe(1);
    expect(hellos).toEqual(["one"]);
  });

  it.each<[string, Buffer[]]>([
    ["more data than was granted", Array.from({ length: 5 }, () => full(7))],
    ["data after the end", [encodeFrame(end, 7), encodeFrame(data, 7, MODEL)]],
    ["a stream opened twice", [encodeFrame(open, 7, MODEL)]],
    ["a stream of number 0", [encodeFrame(open, 0, MODEL)]],
    ["a stream for no service", [encodeFrame(open, 8)]],
    ["credit that is not a number", [encodeFrame(window, 7, MODEL)]],
    ["a greeting on a stream", [encodeFrame(FrameType.hello, 7)]],
    ["a frame of unknown type", [encodeFrame(99 as FrameType, 7)]],
  ])("closes the link on %s", async (_name, frames) => {
    const { readable, reason, streams } = setUp();
    readable.write(encodeFrame(open, 7, MODEL));
    for (const frame of frames) readable.write(frame);
    await expect.poll(reason).toMatch(/^the relay /);
    expect(streams[0]?.destroyed).toBe(true);
  });

  it("ignores frames for streams that have ended or never existed", async () => {
    const { readable, reason, streams } = setUp();
    for (const frame of [encodeFrame(data, 3, MODEL), encodeFrame(end, 3), encodeFrame(reset, 3)])
      readable.write(frame);
    readable.write(encodeFrame(window, 3, encodeCredit(1)));
    readable.write(encodeFrame(open, 4, MODEL));
    await expect.poll(() => streams.length).toBe(1);
    expect(reason()).toBeUndefined();
  });
});

describe("a stream of the link", () => {
  it("sends no more than it has credit for", async () => {
    const { readable, streams, sent } = setUp();
    readable.write(encodeFrame(open, 1, MODEL));
    await expect.poll(() => streams.length).toBe(1);
    streams[0]?.write(Buffer.alloc(2 * WINDOW_BYTES));
    const bytes = () => sent.filter((f) => f.type === data).reduce((sum, f) => sum + f.length, 0);
    await expect.poll(bytes).toBe(WINDOW_BYTES);
    readable.write(encodeFrame(window, 1, encodeCredit(5)));
    await expect.poll(bytes).toBe(WINDOW_BYTES + 5);
  });

  it("grants new credit only for bytes that were read", async () => {
    const { readable, streams, sent } = setUp();
    readable.write(encodeFrame(open, 1, MODEL));
    for (let n = 0; n < 4; n++) readable.write(full(1));
    await expect.poll(() => streams.length).toBe(1);
    await nextTurn();
    expect(sent.filter(({ type }) => type === window)).toEqual([]);
    streams[0]?.resume();
    await expect.poll(() => sent.filter(({ type }) => type === window).length).toBeGreaterThan(0);
  });

  it("is half open: it can still send after the other side has ended", async () => {
    const { readable, streams, sent } = setUp();
    readable.write(encodeFrame(open, 1, MODEL));
    readable.write(encodeFrame(end, 1));
    await expect.poll(() => streams.length).toBe(1);
    streams[0]?.resume();
    if (streams[0]?.readableEnded !== true && streams[0]) await once(streams[0], "end");
    streams[0]?.end("still here");
    await expect
      .poll(() => sent)
      .toEqual([
        { type: data, stream: 1, length: 10 },
        { type: end, stream: 1, length: 0 },
      ]);
  });
});

/** A frame of data as large as may be. */
function full(stream: number): Buffer {
  return encodeFrame(data, stream, Buffer.alloc(MAX_PAYLOAD_BYTES));
}
