/** How real endpoints behave: errors, silence, broken connections, certificates, odd URLs. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  call,
  type Handler,
  KEY,
  listen,
  listenRaw,
  open,
  sayHello,
  settled,
  setUpEgress,
} from "../../../test/support/egress.ts";

/** Answers with a status and a body once the request is whole. */
function answering(status: number, body: string, headers: Record<string, string> = {}): Handler {
  return (incoming, response) => {
    incoming.resume();
    incoming.on("end", () => response.writeHead(status, headers).end(body));
  };
}

describe("an endpoint's refusal is passed on and reported", () => {
  it.each<[number, string, string]>([
    [
      400,
      '{"error":{"message":"Unknown parameter: x."}}',
      "refused the request (400): Unknown parameter: x.",
    ],
    [
      401,
      '{"error":{"message":"Incorrect API key."}}',
      "does not accept the key; check api_key_env or api_key_cmd, or log in again (401): Incorrect API key.",
    ],
    [
      403,
      '{"detail":"Region not supported."}',
      "denies this key access (403): Region not supported.",
    ],
    [
      404,
      '{"error":"model not found"}',
      "knows no such model or address; check model and model_url (404): model not found",
    ],
    [
      429,
      '{"error":{"message":"You exceeded your quota."}}',
      "says that the rate limit or quota is exceeded (429): You exceeded your quota.",
    ],
    [500, "Internal Server Error", "failed (500): Internal Server Error"],
    [503, "<html><h1>busy</h1></html>", "failed (503)."],
    [500, "", "failed (500)."],
  ])("%i", async (status, body, message) => {
    const { link, events } = await setUpEgress(answering(status, body));
    expect(await call(link.modelPort)).toMatchObject({ status, body });
    expect(events).toEqual([
      { type: "model_request", id: 1, bytes: 2 },
      { type: "model_response", id: 1, status },
      {
        type: "model_failed",
        id: 1,
        kind: "status",
        status,
        message: expect.stringMatching(/^The model's endpoint 127\.0\.0\.1:\d+ /),
      },
    ]);
    expect(events[2]).toHaveProperty("message", expect.stringContaining(message));
  });

  it.each<[string, string, number | undefined]>([
    ["seconds", "7", 7000],
    ["parts of a second", "0.5", 500],
    ["nonsense", "soon", undefined],
    ["a negative number", "-1", undefined],
  ])("429 with a wait in %s", async (_name, wait, retryAfterMs) => {
    const { link, events } = await setUpEgress(answering(429, "", { "retry-after": wait }));
    expect((await call(link.modelPort)).headers["retry-after"]).toBe(wait);
    const told = events.find(({ type }) => type === "model_response");
    expect(told).toEqual({
      type: "model_response",
      id: 1,
      status: 429,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  });

  it("in one line, without control characters", async () => {
    const hostile = JSON.stringify({ error: { message: "a\u001b[2J\nb\u202ec\u0000 naïve 模型" } });
    const { link, events } = await setUpEgress(answering(400, hostile));
    await call(link.modelPort);
    expect(events.at(-1)).toHaveProperty(
      "message",
      expect.stringMatching(/: a \[2J b c naïve 模型$/),
    );
  });
});

describe("an answer that is cut is also cut inside", () => {
  it.each<[string, string, "end" | "reset"]>([
    ["in its chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "end"],
    [
      "between two chunks",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "end",
    ],
    ["by a reset", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "reset"],
    ["before its length", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhello", "end"],
    [
      "with a malformed chunk",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      "end",
    ],
  ])("%s", async (_name, answer, how) => {
    const { link, events } = await setUpEgress(sayHello, { baseUrl: await listenRaw(answer, how) });
    await expect(call(link.modelPort)).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "cut", status: 200 });
  });
});

describe("a stream of events", () => {
  const delta = (text: string) =>
    `data: ${JSON.stringify({ type: "response.output_text.delta", item_id: "1", delta: text })}\n\n`;

  it("reaches the sandbox frame by frame, not token by token", async () => {
    const { link } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
      for (let n = 0; n < 500; n++) response.write(delta("x"));
      response.end("data: [DONE]\n\n");
    });
    const { body } = await call(link.modelPort);
    expect(body.match(/^data: \{/gm)?.length).toBeLessThan(50);
    expect(
      body
        .match(/"delta":"(x+)"/g)
        ?.join("")
        .match(/x/g),
    ).toHaveLength(500);
    expect(body.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("that is cut passes on everything received", async () => {
    const come = [delta("One"), delta(" two"), delta(" three")].join("");
    const head =
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n";
    const { link, events } = await setUpEgress(sayHello, {
      baseUrl: await listenRaw(`${head}${come}`, "end"),
    });
    const out = open(link.modelPort);
    const [response] = (await once(out, "response")) as [IncomingMessage];
    // The cut shows as a reset connection.
    for (const side of [out, response]) side.on("error", () => {});
    let body = "";
    response.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    await new Promise((resolve) => response.on("close", resolve));
    expect(body.match(/(?<="delta":")[^"]*/g)?.join("")).toBe("One two three");
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "cut" });
  });
});

describe("an answer that cannot be passed on is a 502", () => {
  it.each<[string, string | Buffer, string]>([
    ["is not HTTP", "220 mail.example ESMTP\r\n", "answer"],
    ["has a status below 100", "HTTP/1.1 099 x\r\ncontent-length: 0\r\n\r\n", "answer"],
    ["has a status beyond 599", "HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n", "answer"],
    [
      "switches protocols unasked",
      "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
      "answer",
    ],
    ["says 101 and keeps the connection", "HTTP/1.1 101 x\r\ncontent-length: 0\r\n\r\n", "answer"],
    [
      "has a header with a control character",
      "HTTP/1.1 200 x\r\nx-request-id: \x01\r\n\r\n",
      "answer",
    ],
    [
      "has a compressing transfer coding",
      "HTTP/1.1 200 x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "answer",
    ],
    ["is empty", "", "unreachable"],
  ])("that %s", async (_name, answer, kind) => {
    const { link, events } = await setUpEgress(sayHello, { baseUrl: await listenRaw(answer) });
    const { status, body } = await call(link.modelPort);
    expect({ status, error: JSON.parse(body).error.type }).toEqual({
      status: 502,
      error: "codex_chat_refused",
    });
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind });
  });

  it("that is compressed, so that the key would not be found", async () => {
    const packed = gzipSync(`you sent ${KEY}`);
    const { link, events } = await setUpEgress((incoming, response) => {
      incoming.resume();
      expect(incoming.headers["accept-encoding"]).toBe("identity");
      response.writeHead(200, { "content-encoding": "gzip" }).end(packed);
    });
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "answer" });
  });

  it.each([301, 302, 303, 307, 308])("that redirects with %i", async (status) => {
    let reached = 0;
    const elsewhere = createTcpServer(() => reached++);
    const location = `http://127.0.0.1:${await listen(elsewhere)}/`;
    const { link, events } = await setUpEgress(answering(status, "", { location }));
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(502);
    expect(answer.headers).not.toHaveProperty("location");
    expect(events.at(-1)).toMatchObject({
      kind: "redirect",
      message: expect.stringContaining(location),
    });
    expect(reached).toBe(0);
  });
});

describe("an endpoint that cannot be reached is a 502 that says why", () => {
  it("when its name is unknown", async () => {
    const { link, events } = await setUpEgress(sayHello, {
      baseUrl: new URL("https://nothing.invalid/v1"),
    });
    expect((await call(link.modelPort)).body).toMatch(/nothing\.invalid cannot be used: its name/);
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "unreachable" });
  });

  it("when it breaks the connection off before it answers", async () => {
    const { link, events } = await setUpEgress((incoming) => void incoming.socket.destroy());
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({
      message: expect.stringContaining("it closed the connection"),
    });
  });

  it("when it does not speak TLS", async () => {
    const { upstream } = await setUpEgress(sayHello);
    const { port } = upstream.address() as { port: number };
    const { link, events } = await setUpEgress(sayHello, {
      baseUrl: new URL(`https://127.0.0.1:${port}/v1`),
    });
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("should model_url begin with http://?"),
    });
  });
});

describe("a call that is broken off", () => {
  it("by Codex ends the upstream call, frees its place and is not a failure", async () => {
    const closed: Promise<unknown>[] = [];
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        closed.push(once(response, "close"));
        response.write("data: x\n\n");
      },
      { limits: { maxConcurrent: 1 } },
    );
    for (let n = 0; n < 3; n++) {
      const out = open(link.modelPort);
      out.on("error", () => {});
      await once(out, "response");
      out.destroy();
      await closed[n];
      await expect
        .poll(() => events.filter(({ type }) => type === "model_aborted").length)
        .toBe(n + 1);
    }
    expect(events.at(-1)).toMatchObject({ type: "model_aborted", id: 3, by: "client", bytesIn: 9 });
    expect(events.filter(({ type }) => type === "model_failed")).toEqual([]);
  });

  it("by Codex before any answer is not a failure either", async () => {
    const { link, events, upstream } = await setUpEgress((incoming) => void incoming.resume());
    const out = open(link.modelPort);
    out.on("error", () => {});
    await once(upstream, "request");
    await expect.poll(() => events.length).toBe(1);
    out.destroy();
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_aborted", by: "client" });
  });

  it("by the end of the last turn", async () => {
    const { link, events, egress, pass } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.write("data: x\n\n");
    });
    const other = egress.beginTurn();
    const answer = call(link.modelPort);
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_response" });
    pass?.end();
    expect(events.at(-1)).toMatchObject({ type: "model_response" });
    other.end();
    await expect(answer).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({ type: "model_aborted", by: "turn_end" });
  });
});

describe("silence", () => {
  it("is reported once until something arrives, and again in the next silence", async () => {
    let say: (text: string) => void = () => {};
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.flushHeaders();
        say = (text) => response.write(text);
      },
      { limits: { silenceMs: 30 } },
    );
    const out = open(link.modelPort);
    out.on("error", () => {});
    const silences = () => events.filter(({ type }) => type === "model_silence").length;
    await expect.poll(silences).toBe(1);
    say("a");
    await expect.poll(silences).toBe(2);
    out.destroy();
  });

  it("after the first words ends the call at its limit", async () => {
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.write("data: x\n\n");
      },
      { limits: { responseIdleMs: 1000 } },
    );
    await expect(call(link.modelPort)).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "timeout" });
  });
});

describe("a long answer", () => {
  it("waits for its reader, up to the endpoint", async () => {
    const piece = Buffer.alloc(64 * 1024);
    const pieces = 512;
    let written = 0;
    function* body() {
      for (; written < pieces; written++) yield piece;
    }
    const { link } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.writeHead(200, { "content-length": pieces * piece.length });
      Readable.from(body()).pipe(response);
    });
    const [response] = await once(open(link.modelPort), "response");
    await settled(() => written);
    expect(written).toBeLessThan(pieces / 2);
    let read = 0;
    for await (const chunk of response) read += (chunk as Buffer).length;
    expect(read).toBe(pieces * piece.length);
  });

  it("may begin before the request is complete, as refusals do", async () => {
    const { link, events } = await setUpEgress((incoming, response) => {
      response.writeHead(413);
      response.write("too much");
      // Ended only then: Node resets a connection whose request it has not read, which discards
      // the answer.
      incoming.resume().on("end", () => response.end());
    });
    const body = Buffer.alloc(8 * 1024 ** 2, "a");
    const answer = await call(link.modelPort, { body });
    expect(answer).toMatchObject({ status: 413, body: "too much" });
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "status", status: 413 });
  });
});
