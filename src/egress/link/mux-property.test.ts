/** The link under any interleaving of both sides' actions, and with arbitrary bytes. */

import { type Duplex, PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeCredit,
  encodeFrame,
  FrameDecoder,
  FrameType,
  MAX_PAYLOAD_BYTES,
  WINDOW_BYTES,
} from "./frame.ts";
import { Mux } from "./mux.ts";

const STREAMS = 3;

/** Bytes whose values show their position and their stream. */
function numbered(stream: number, from: number, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, n) => ((from + n) * 31 + stream) & 0xff));
}

/** One connection as the relay sees it: what it may still send, and what it must receive. */
class Connection {
  stream: Duplex | undefined;
  /** How much the host still accepts, and what was sent. */
  granted = WINDOW_BYTES;
  sent = 0;
  hasEnded = false;
  /** How much the host may still send, and what has arrived. */
  credit = WINDOW_BYTES;
  received = 0;
  isEnded = false;
  /** The host's end: what it has read, and what it has written. */
  read = 0;
  written = 0;
}

/** The relay's end of a link, which follows the protocol and checks that the host does. */
class Peer {
  readonly connections = Array.from({ length: STREAMS }, () => new Connection());
  readonly #readable = new PassThrough({ highWaterMark: 2 ** 30 });
  readonly mux: Mux;
  reason: string | undefined;

  constructor() {
    const writable = new PassThrough();
    const decoder = new FrameDecoder();
    writable.on("data", (chunk: Buffer) => {
      for (const { type, stream, payload } of decoder.push(chunk) ?? [])
        this.#take(type, stream, payload);
    });
    let opened = 0;
    this.mux = new Mux(this.#readable, writable, {
      onHello: () => {},
      onStream: (_service, stream) => this.#serve(opened++, stream),
      onClosed: (reason) => {
        this.reason = reason;
      },
    });
    for (let n = 0; n < STREAMS; n++) this.write(encodeFrame(FrameType.open, n + 1, Buffer.of(1)));
  }

  at(n: number): Connection {
    const connection = this.connections[n];
    if (connection === undefined) throw new Error(`there is no stream ${n}`);
    return connection;
  }

  write(frame: Buffer, cut = frame.length): void {
    this.#readable.write(frame.subarray(0, cut));
    this.#readable.write(frame.subarray(cut));
  }

  sendData(n: number, wanted: number, cut: number): void {
    const state = this.at(n);
    const length = state.hasEnded ? 0 : Math.min(wanted, state.granted, MAX_PAYLOAD_BYTES);
    if (length === 0) return;
    const frame = encodeFrame(FrameType.data, n + 1, numbered(n, state.sent, length));
    state.granted -= length;
    state.sent += length;
    this.write(frame, cut % frame.length);
  }

  sendEnd(n: number): void {
    const state = this.at(n);
    if (!state.hasEnded) this.write(encodeFrame(FrameType.end, n + 1));
    state.hasEnded = true;
  }

  grant(n: number, bytes: number): void {
    this.at(n).credit += bytes;
    this.write(encodeFrame(FrameType.window, n + 1, encodeCredit(bytes)));
  }

  hostWrites(n: number, length: number): void {
    const state = this.at(n);
    if (state.stream?.writable !== true) return;
    state.stream.write(numbered(n, state.written, length));
    state.written += length;
  }

  #serve(n: number, stream: Duplex): void {
    const state = this.at(n);
    state.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      expect(chunk.equals(numbered(n, state.read, chunk.length))).toBe(true);
      state.read += chunk.length;
    });
    stream.pause();
  }

  #take(type: number, stream: number, payload: Buffer): void {
    const state = this.at(stream - 1);
    if (type === FrameType.end) state.isEnded = true;
    else if (type === FrameType.window) {
      state.granted += payload.readUInt32BE(0);
      // A window more than the reader has taken, and the one chunk that the stream has ready.
      expect(state.granted + state.sent - state.read).toBeLessThanOrEqual(2 * WINDOW_BYTES);
    } else {
      expect(type).toBe(FrameType.data);
      expect(state.isEnded).toBe(false);
      state.credit -= payload.length;
      expect(state.credit).toBeGreaterThanOrEqual(0);
      expect(payload.equals(numbered(stream - 1, state.received, payload.length))).toBe(true);
      state.received += payload.length;
    }
  }
}

const size = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: WINDOW_BYTES }));
const step = fc.record({
  what: fc.constantFrom(
    "send",
    "send",
    "drip",
    "end",
    "grant",
    "write",
    "write",
    "finish",
    "read",
    "stop",
  ),
  n: fc.nat({ max: STREAMS - 1 }),
  bytes: size,
  cut: fc.nat(),
  wait: fc.boolean(),
});

describe("Mux", () => {
  it("keeps order, credit and ends of all streams under any interleaving", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const peer = new Peer();
        await nextTurn();
        for (const { what, n, bytes, cut, wait } of steps) {
          if (what === "send") peer.sendData(n, bytes, cut);
          // More pieces than may wait without being joined.
          else if (what === "drip") for (let m = 0; m < 300; m++) peer.sendData(n, 2, cut);
          else if (what === "end") peer.sendEnd(n);
          else if (what === "grant") peer.grant(n, bytes);
          else if (what === "write") peer.hostWrites(n, bytes);
          else if (what === "finish") peer.at(n).stream?.end();
          else if (what === "read") peer.at(n).stream?.resume();
          else peer.at(n).stream?.pause();
          if (wait) await nextTurn();
        }
        // All streams are read to their end.
        for (let n = 0; n < STREAMS; n++) {
          peer.at(n).stream?.resume().end();
          peer.grant(n, 2 ** 30);
          peer.sendEnd(n);
        }
        const outcome = () =>
          peer.connections.map((connection) => [
            connection.read,
            connection.received,
            connection.isEnded,
            connection.stream?.destroyed,
          ]);
        await expect
          .poll(outcome, { interval: 2, timeout: 20_000 })
          .toEqual(peer.connections.map(({ sent, written }) => [sent, written, true, true]));
        expect(peer.reason).toBeUndefined();
        peer.mux.close("over");
      }),
      { numRuns: 100 },
    );
  });

  it("neither throws nor hangs on any bytes, and leaves nothing behind when it is closed", async () => {
    const frame = fc
      .record({
        type: fc.nat({ max: 8 }),
        stream: fc.nat({ max: 4 }),
        length: fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 2 ** 32 - 1 })),
        payload: fc.oneof(fc.constant(Uint8Array.of(1)), fc.uint8Array({ maxLength: 12 })),
        isHonest: fc.boolean(),
      })
      .map(({ type, stream, length, payload, isHonest }) => {
        const bytes = encodeFrame(type as FrameType, stream, payload);
        if (!isHonest) bytes.writeUInt32BE(length, 5);
        return bytes;
      });
    const junk = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));
    const opened = fc
      .constantFrom(1, 2)
      .map((service) => encodeFrame(FrameType.open, service, Buffer.of(service)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(opened, frame, frame, junk)), async (pieces) => {
        const readable = new PassThrough();
        const streams: Duplex[] = [];
        const reasons: string[] = [];
        const mux = new Mux(readable, new PassThrough().resume(), {
          onHello: () => {},
          onStream: (_service, stream) => streams.push(stream.resume()),
          onClosed: (reason) => reasons.push(reason),
        });
        for (const piece of pieces) {
          readable.write(piece);
          for (const stream of streams) if (stream.writable) stream.write("x");
        }
        await nextTurn();
        mux.close("over");
        expect(reasons).toHaveLength(1);
        expect(readable.destroyed).toBe(true);
        expect(streams.every((stream) => stream.destroyed)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
