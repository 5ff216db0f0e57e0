/** An egress whose relay is the test: it writes the frames itself, and reads when it likes. */

import { PassThrough, Writable } from "node:stream";
import { expect, onTestFinished } from "vitest";
import { createEgress, type EgressLimits } from "../../src/egress/egress.ts";
import type { EgressEvent } from "../../src/egress/events.ts";
import { encodeFrame, FrameDecoder, FrameType } from "../../src/egress/link/frame.ts";
import { silentLog } from "../../src/log.ts";
import { ok } from "../../src/result.ts";
import { KEY } from "./egress.ts";

/** Options of {@link forgeRelay}. */
export type ForgedRelayOptions = {
  /** Where the upstream listens on loopback. */
  readonly upstreamPort: number;
  readonly limits?: EgressLimits;
};

/** Attaches a relay in a turn that is running; `close` may be left to the test's end. */
export async function forgeRelay({ upstreamPort, limits = {} }: ForgedRelayOptions) {
  const events: EgressEvent[] = [];
  const egress = createEgress({
    upstream: {
      baseUrl: new URL(`http://127.0.0.1:${upstreamPort}/v1`),
      authorization: async () => ok([["authorization", `Bearer ${KEY}`]] as const),
    },
    limits,
    checkBody: (body) => ok(body),
    onEvent: (event) => events.push(event),
    log: silentLog,
  });
  onTestFinished(() => egress.close());
  const readable = new PassThrough();
  const answers = new Map<number, string>();
  const frames = new FrameDecoder();
  const waiting: (() => void)[] = [];
  let isReading = true;
  const writable = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      for (const { type, stream, payload } of frames.push(chunk) ?? [])
        if (type === FrameType.data)
          answers.set(stream, (answers.get(stream) ?? "") + payload.toString("latin1"));
      if (isReading) done();
      else waiting.push(done);
    },
  });
  const send = (type: FrameType, payload: string | Uint8Array = "", stream = 1) => {
    const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
    if (readable.writable) readable.write(encodeFrame(type, stream, bytes));
  };
  const attached = egress.attach({ readable, writable });
  send(FrameType.hello, JSON.stringify({ version: 1, model: 1, proxy: 2 }), 0);
  const link = await attached;
  expect(link.ok).toBe(true);
  egress.beginTurn();
  return {
    events,
    send,
    /** What has come on a stream. */
    answer: (stream = 1) => answers.get(stream) ?? "",
    /** From now on the host's frames are taken, but never told to be. */
    stopReading: () => {
      isReading = false;
    },
    goOn: () => {
      isReading = true;
      for (const done of waiting.splice(0)) done();
    },
    close: () => egress.close(),
    closed: link.ok ? link.value.closed : Promise.resolve(""),
  };
}
