/**
 * What a program in the relay's place may do to the host: it writes the frames itself, and reads
 * the replies when it likes, or never.
 */

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { listen, MODEL_PATH, settled } from "../../../test/support/egress.ts";
import { forgeRelay } from "../../../test/support/forged-relay.ts";
import type { EgressLimits } from "../egress.ts";
import { encodeCredit, FrameType } from "./frame.ts";

const HEAD = `POST ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n`;

/** A stream on the model's port through a relay that the test forges. */
async function setUp(upstream: Server, limits: EgressLimits = {}) {
  const relay = await forgeRelay({ upstreamPort: await listen(upstream), limits });
  relay.send(FrameType.open, Buffer.of(1));
  return relay;
}

describe("an upstream's answer to a call that has since been refused", () => {
  it("is dropped, even while the refusal waits for its reader", async () => {
    const asked: ServerResponse[] = [];
    const upstream = createServer((_incoming, response) => void asked.push(response));
    const { events, send, answer, stopReading, goOn } = await setUp(upstream);
    send(FrameType.data, `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`);
    await once(upstream, "request");
    stopReading();
    send(FrameType.data, `${HEAD}\r\n`);
    await expect.poll(answer).toContain("HTTP/1.1 400 ");
    asked[0]?.writeHead(401).end("too late");
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_aborted", by: "client" });
    goOn();
    await expect.poll(answer).toContain("codex_chat_refused");
    expect(answer()).not.toMatch(/too late|401/);
  });
});

describe("a request whose body turns out to be malformed", () => {
  it("never reaches the upstream", async () => {
    let reached = 0;
    const upstream = createServer(() => reached++);
    const { events, send, answer } = await setUp(upstream);
    send(FrameType.data, `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\n{\r\n`);
    send(FrameType.data, "zz\r\n");
    await expect.poll(answer).toContain("HTTP/1.1 400 ");
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_aborted", by: "client" });
    expect(reached).toBe(0);
  });
});

describe("a complete answer", () => {
  it("stays complete if the upstream's connection breaks while the answer waits for credit", async () => {
    // One window, the bytes that wait to be sent, and the rest, which is still read from upstream.
    const body = "~".repeat(340_000);
    const sockets: Socket[] = [];
    const upstream = createTcpServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.once("data", () =>
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
      );
    });
    const { events, send, answer } = await setUp(upstream);
    send(FrameType.data, `${HEAD}content-length: 2\r\n\r\n{}`);
    await settled(() => answer().length);
    expect(answer().length).toBe(256 * 1024);
    sockets[0]?.resetAndDestroy();
    await settled(() => events.length);
    send(FrameType.window, encodeCredit(1_000_000));
    await expect.poll(() => answer().match(/~/g)?.length).toBe(body.length);
    expect(answer()).toMatch(/\r\n0\r\n\r\n$/);
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_done" });
  });
});

describe("a request that is complete only after its time limit", () => {
  it("does not reach the upstream", async () => {
    let reached = 0;
    const upstream = createServer(() => reached++);
    const { send, answer } = await setUp(upstream, { headersMs: 20 });
    send(FrameType.data, HEAD);
    await expect.poll(answer).toContain("HTTP/1.1 408 ");
    send(FrameType.data, "content-length: 2\r\n\r\n{}");
    await settled(() => answer().length);
    expect(reached).toBe(0);
  });
});
