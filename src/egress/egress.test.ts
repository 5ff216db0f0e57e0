import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { call, KEY, open, raw, sayHello, setUpEgress } from "../../test/support/egress.ts";
import { silentLog } from "../log.ts";
import { ok } from "../result.ts";
import { createEgress } from "./egress.ts";

describe("the model's endpoint", () => {
  it("adds the key on the host and drops the credentials that came from inside", async () => {
    let seen: IncomingHttpHeaders = {};
    const { link } = await setUpEgress((incoming, response) => {
      seen = incoming.headers;
      sayHello(incoming, response);
    });
    const answer = await call(link.modelPort, {
      headers: {
        authorization: "Bearer inside",
        cookie: "a=b",
        host: "evil.example",
        "x-api-key": "x",
        "x-codex-turn": "1",
      },
    });
    expect(answer).toMatchObject({ status: 200, body: "hello" });
    expect(seen["authorization"]).toBe(`Bearer ${KEY}`);
    expect(seen["host"]).toMatch(/^127\.0\.0\.1:/);
    expect(seen).not.toHaveProperty("cookie");
    expect(seen).not.toHaveProperty("x-api-key");
    expect(seen).toHaveProperty("x-codex-turn", "1");
  });

  it("refuses calls while no turn runs, and more calls than a turn may make", async () => {
    const { egress, link } = await setUpEgress(sayHello, {
      limits: { maxRequestsPerTurn: 1 },
      turn: false,
    });
    expect(await call(link.modelPort)).toMatchObject({ status: 403 });
    const pass = egress.beginTurn();
    expect(await call(link.modelPort)).toMatchObject({ status: 200 });
    const second = await call(link.modelPort);
    expect(second.status).toBe(403);
    expect(second.body).toContain("limits.requests_per_turn");
    pass.end();
  });

  it("holds the answer, and not the call, until the turn may act", async () => {
    let called: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      called = resolve;
    });
    const { egress, link } = await setUpEgress(
      (incoming, response) => {
        called();
        sayHello(incoming, response);
      },
      { turn: false },
    );
    let letGo: () => void = () => {};
    const ready = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const pass = egress.beginTurn(undefined, ready);
    let isAnswered = false;
    const answer = call(link.modelPort).finally(() => {
      isAnswered = true;
    });
    await reached;
    // The answer is on its way by now; a second call, which is refused, has gone the same way and back.
    expect(await call(link.modelPort, { method: "GET" })).toMatchObject({ status: 405 });
    expect(isAnswered).toBe(false);
    letGo();
    expect(await answer).toMatchObject({ status: 200, body: "hello" });
    expect(await call(link.modelPort)).toMatchObject({ status: 200 });
    pass.end();
  });

  it("says that an answer broke off while it was held", async () => {
    let broken: () => void = () => {};
    const isBroken = new Promise<void>((resolve) => {
      broken = resolve;
    });
    const { egress, link } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.writeHead(200, { "content-type": "text/event-stream", "content-length": "100" });
        response.write("data: a\n\n", () => {
          response.destroy();
          response.once("close", broken);
        });
      },
      { turn: false },
    );
    const pass = egress.beginTurn(undefined, isBroken);
    expect(await call(link.modelPort).catch(() => "cut")).not.toMatchObject({ status: 200 });
    pass.end();
  });

  it.each([
    ["another method", { method: "GET" }],
    ["another path", { path: "/v1/models" }],
    ["a path with dots", { path: "/v1/x/../responses" }],
    ["a doubled slash", { path: "//v1/responses" }],
    ["a query", { path: "/v1/responses?x=1" }],
    ["an encoded path", { path: "/v1/%72esponses" }],
    ["an absolute target", { path: "http://evil.example/v1/responses" }],
  ])("refuses %s", async (_name, options) => {
    let reached = 0;
    const { link } = await setUpEgress((incoming, response) => {
      reached++;
      sayHello(incoming, response);
    });
    const answer = await call(link.modelPort, options);
    expect([404, 405]).toContain(answer.status);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { type: "codex_chat_refused" } });
    expect(reached).toBe(0);
  });

  it.each([
    ["two lengths", "content-length: 2\r\ncontent-length: 3\r\n\r\n{}x"],
    ["length and chunks", "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"],
    ["a header without a name", ": x\r\n\r\n"],
  ])("refuses a request with %s", async (_name, rest) => {
    let reached = 0;
    const { link } = await setUpEgress((incoming, response) => {
      reached++;
      sayHello(incoming, response);
    });
    const answer = await raw(link.modelPort, `POST /v1/responses HTTP/1.1\r\nhost: x\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(reached).toBe(0);
  });

  it("removes the key from the upstream's answers, also across chunks and in headers", async () => {
    const { link, events } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.writeHead(401, { "x-request-id": `for ${KEY}`, "x-secret": KEY });
      response.write(`{"you sent": "Bearer ${KEY.slice(0, 9)}`);
      setImmediate(() => response.end(`${KEY.slice(9)}"}`));
    });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(401);
    expect(JSON.stringify([answer, events])).not.toContain(KEY);
    expect(answer.body).toContain("[redacted]");
    expect(answer.headers).not.toHaveProperty("x-secret");
  });

  it("passes events on as they arrive", async () => {
    let finish: () => void = () => {};
    const { link } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
      finish = () => response.end("data: last\n\n");
    });
    const out = open(link.modelPort);
    const [response] = (await once(out, "response")) as [IncomingMessage];
    response.setEncoding("utf8");
    const [first] = await once(response, "data");
    expect(first).toBe("data: first\n\n");
    finish();
    const [last] = await once(response, "data");
    expect(last).toBe("data: last\n\n");
  });

  it("breaks off inside at the point where the upstream broke off", async () => {
    const { link, events } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.write("data: half");
      setImmediate(() => response.destroy());
    });
    await expect(call(link.modelPort)).rejects.toThrow();
    expect(events).toContainEqual(expect.objectContaining({ type: "model_failed", kind: "cut" }));
  });

  it("does not follow a redirect", async () => {
    const { link } = await setUpEgress((incoming, response) => {
      incoming.resume();
      response.writeHead(307, { location: "http://evil.example/" }).end();
    });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain("redirects are not followed");
  });

  it("reports that nothing listens upstream", async () => {
    const { link, events } = await setUpEgress(sayHello, {
      baseUrl: new URL("http://127.0.0.1:1/v1"),
    });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain("127.0.0.1:1 cannot be used: nothing listens there");
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "unreachable" });
  });

  it("reports a silence, and gives up a call that stays silent", async () => {
    const { link, events } = await setUpEgress((incoming) => void incoming.resume(), {
      limits: { silenceMs: 20, responseIdleMs: 60 },
    });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(504);
    expect(events.map((event) => event.type)).toEqual([
      "model_request",
      "model_silence",
      "model_failed",
    ]);
  });

  it("ends the upstream call when Codex breaks off", async () => {
    const closed = new Promise<void>((resolve) => {
      void setUpEgress((incoming, response) => {
        incoming.resume();
        response.write("data: x\n\n");
        response.on("close", resolve);
      }).then(async ({ link }) => {
        const out = open(link.modelPort);
        out.on("error", () => {});
        await once(out, "response");
        out.destroy();
      });
    });
    await closed;
  });
});

describe("the proxy for other hosts", () => {
  it("refuses a tunnel and reports the requested host", async () => {
    const { link, events } = await setUpEgress(sayHello);
    const answer = await raw(link.proxyPort, "CONNECT example.org:443 HTTP/1.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain("network access to example.org:443 is refused");
    expect(events).toContainEqual({
      type: "network_refused",
      host: "example.org",
      port: 443,
      method: "CONNECT",
      reason: "this sandbox reaches the model and nothing else",
      by: "policy",
    });
  });

  it("refuses a plain request, and shows no escape sequence from it", async () => {
    const { link, events } = await setUpEgress(sayHello);
    const answer = await raw(
      link.proxyPort,
      "GET http://\u001b]52;c;x/ HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 40/);
    expect(JSON.stringify(events)).not.toContain("\\u001b");
  });
});

describe("the link", () => {
  it("carries many large bodies at once, completely and in order", async () => {
    const { link } = await setUpEgress((incoming, response) => void incoming.pipe(response), {
      limits: { maxConcurrent: 100 },
    });
    const bodies = Array.from({ length: 20 }, (_, n) => `${n}-`.repeat(300_000 + n));
    const answers = await Promise.all(bodies.map((body) => call(link.modelPort, { body })));
    expect(answers.every((answer, n) => answer.body === bodies[n])).toBe(true);
  });

  it("ends when the relay is killed, and reports it", async () => {
    const { relay, link, events } = await setUpEgress(sayHello);
    relay.kill("SIGKILL");
    await link.closed;
    expect(events.at(-1)).toMatchObject({ type: "relay_closed" });
  });

  it("is no longer waited for when the egress is closed", async () => {
    const egress = createEgress({
      upstream: { baseUrl: new URL("http://127.0.0.1:1/v1"), authorization: async () => ok([]) },
      onEvent: () => {},
      log: silentLog,
    });
    const readable = new PassThrough();
    const attached = egress.attach({ readable, writable: new PassThrough().resume() });
    egress.close();
    expect(await attached).toMatchObject({ ok: false, error: { kind: "relay_failed" } });
    expect(readable.destroyed).toBe(true);
  });

  it.each([
    ["a frame that is too long", Buffer.from([3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])],
    ["a frame of unknown type", Buffer.from([99, 0, 0, 0, 1, 0, 0, 0, 0])],
    ["more data than was granted", overflow()],
    [
      "a stream opened twice",
      Buffer.from([2, 0, 0, 0, 7, 0, 0, 0, 1, 1, 2, 0, 0, 0, 7, 0, 0, 0, 1, 1]),
    ],
  ])("ends on %s", async (_name, bytes) => {
    const egress = createEgress({
      upstream: { baseUrl: new URL("http://127.0.0.1:1/v1"), authorization: async () => ok([]) },
      onEvent: () => {},
      log: silentLog,
    });
    const readable = new PassThrough();
    const attached = egress.attach({ readable, writable: new PassThrough().resume() });
    const hello = Buffer.from(JSON.stringify({ version: 1, model: 1, proxy: 2 }));
    readable.write(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, hello.length]), hello]));
    const link = await attached;
    if (!link.ok) throw new Error(link.error.message);
    readable.write(bytes);
    expect(await link.value.closed).toContain("the relay");
  });
});

/** Opens a stream and sends six full frames on it, where four are granted. */
function overflow(): Buffer {
  const open = Buffer.from([2, 0, 0, 0, 7, 0, 0, 0, 1, 9]);
  const header = Buffer.from([3, 0, 0, 0, 7, 0, 1, 0, 0]);
  const data = Buffer.concat([header, Buffer.alloc(64 * 1024)]);
  open[9] = 1;
  return Buffer.concat([open, ...Array.from({ length: 6 }, () => data)]);
}
