/**
 * What a program inside the sandbox may try on the two ports: every attempt is refused with a
 * message that programs and people can read, and none reaches the upstream.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import {
  call,
  type Handler,
  MODEL_PATH,
  parseAnswer,
  raw,
  sayHello,
  setUpEgress,
  shareEgress,
} from "../../test/support/egress.ts";

const REFUSED = { error: { type: "codex_chat_refused", message: expect.stringMatching(/\S/) } };

/** An upstream that counts the connections that reach it. */
function counting(): { reached: () => number; handler: Handler } {
  let count = 0;
  return {
    reached: () => count,
    handler: (incoming, response) => {
      count++;
      sayHello(incoming, response);
    },
  };
}

const HEAD = `POST ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n`;

describe("the model's port refuses", () => {
  const { reached, handler } = counting();
  const egress = shareEgress(handler);

  it.each<[string, number, string]>([
    ["two different lengths", 400, `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}x`],
    ["the same length twice", 400, `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`],
    [
      "a length beside chunks",
      400,
      `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      "chunks beside a length",
      400,
      `${HEAD}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n`,
    ],
    ["an unknown transfer coding", 400, `${HEAD}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ["a coding after chunks", 400, `${HEAD}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ["a negative length", 400, `${HEAD}content-length: -1\r\n\r\n{}`],
    ["a length in hexadecimal", 400, `${HEAD}content-length: 0x2\r\n\r\n{}`],
    ["a length with a sign", 400, `${HEAD}content-length: +2\r\n\r\n{}`],
    ["a length beyond counting", 400, `${HEAD}content-length: ${"9".repeat(30)}\r\n\r\n{}`],
    ["a space before the colon", 400, `${HEAD}content-length : 2\r\n\r\n{}`],
    ["a header without a name", 400, `${HEAD}: x\r\n\r\n`],
    ["a header with a null byte", 400, `${HEAD}user-agent: a\0b\r\n\r\n`],
    ["a header with a bare line feed", 400, `${HEAD}user-agent: a\nauthorization: b\r\n\r\n`],
    ["a header with a bare carriage return", 400, `${HEAD}user-agent: a\rx: b\r\n\r\n`],
    ["a chunk with a malformed size", 400, `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ["headers over 32 KiB", 431, `${HEAD}x-a: ${"a".repeat(40_000)}\r\n\r\n`],
    ["a target over 32 KiB", 431, `POST /${"a".repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["HTTP/0.9", 400, "GET /v1/responses\r\n\r\n"],
    ["HTTP/0.9 with the right method", 400, "POST /v1/responses\r\n\r\n"],
    ["HTTP/2 without asking", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an unknown method", 400, `BREW ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["anything but HTTP", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"],
    ["a tunnel", 403, "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n"],
    [
      "a WebSocket",
      403,
      `GET ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    ],
    [
      "an upgrade to HTTP/2",
      403,
      `${HEAD}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n\r\n`,
    ],
    ["an expectation other than to continue", 417, `${HEAD}expect: 200-ok\r\n\r\n`],
    ["a GET", 405, `GET ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["a DELETE", 405, `DELETE ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n\r\n`],
    [
      "an absolute target",
      404,
      `POST http://evil.example${MODEL_PATH} HTTP/1.1\r\nhost: x\r\n\r\n`,
    ],
    ["an absolute target of its own", 404, `POST http://127.0.0.1${MODEL_PATH} HTTP/1.1\r\n\r\n`],
    ["no path", 404, "POST * HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a path with dots", 404, "POST /v1/../v1/responses HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a path with encoded dots", 404, "POST /v1/%2e%2e/v1/responses HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a path below it", 404, `POST ${MODEL_PATH}/../files HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["a doubled slash", 404, "POST //v1/responses HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a trailing slash", 404, `POST ${MODEL_PATH}/ HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["a backslash", 404, "POST /v1\\responses HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a query", 404, `POST ${MODEL_PATH}?x HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["a fragment", 404, `POST ${MODEL_PATH}#x HTTP/1.1\r\nhost: x\r\n\r\n`],
    ["an encoded path", 404, "POST /v1/%72esponses HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a path in capitals", 404, "POST /V1/RESPONSES HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["another call", 404, "POST /v1/files HTTP/1.1\r\nhost: x\r\n\r\n"],
  ])("%s", async (_name, status, bytes) => {
    const { link } = await egress();
    const answer = parseAnswer(await raw(link.modelPort, bytes));
    expect(answer).toEqual({ status, body: REFUSED });
    expect(reached()).toBe(0);
  });

  it("a second request on the same connection", async () => {
    const { reached, handler } = counting();
    const { link } = await setUpEgress(handler);
    const one = `${HEAD}content-length: 2\r\n\r\n{}`;
    const answer = await raw(link.modelPort, one.repeat(50));
    expect(reached()).toBeLessThanOrEqual(1);
    // No response, if the connection's reset overtook it.
    expect(answer.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(1);
  });

  it("a second request in HTTP/1.0 on a connection that asks to be kept alive", async () => {
    const { reached, handler } = counting();
    const { link } = await setUpEgress(handler);
    const one = `POST ${MODEL_PATH} HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}`;
    await raw(link.modelPort, one.repeat(50));
    expect(reached()).toBeLessThanOrEqual(1);
  });

  it("a body over the limit with a declared length, before any of it is sent", async () => {
    const { reached, handler } = counting();
    const { link, events } = await setUpEgress(handler, { limits: { maxRequestBytes: 1000 } });
    const bytes = `${HEAD}expect: 100-continue\r\ncontent-length: 1001\r\n\r\n`;
    const answer = parseAnswer(await raw(link.modelPort, bytes));
    expect(answer).toEqual({ status: 413, body: REFUSED });
    expect(reached()).toBe(0);
    expect(events.map(({ type }) => type)).toEqual(["model_refused"]);
  });

  it("a body over the limit that hides its length in chunks", async () => {
    const { link, events } = await setUpEgress(sayHello, { limits: { maxRequestBytes: 1000 } });
    const chunks = `3e8\r\n${"a".repeat(1000)}\r\n1\r\nb\r\n0\r\n\r\n`;
    const answer = parseAnswer(
      await raw(link.modelPort, `${HEAD}transfer-encoding: chunked\r\n\r\n${chunks}`),
    );
    expect(answer).toEqual({ status: 413, body: REFUSED });
    expect(events.map(({ type }) => type)).toEqual(["model_refused"]);
  });

  it("headers that never end", async () => {
    const { link } = await setUpEgress(sayHello, { limits: { headersMs: 50 } });
    const answer = parseAnswer(await raw(link.modelPort, HEAD));
    expect(answer).toEqual({ status: 408, body: REFUSED });
  });

  it("headers that arrive too slowly", async () => {
    const { link } = await setUpEgress(sayHello, { limits: { headersMs: 100 } });
    const socket = connect(link.modelPort, "127.0.0.1");
    socket.on("error", () => {});
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.write(`${HEAD}x-a: `);
    const drip = setInterval(() => socket.write("a"), 5);
    await once(socket, "close");
    clearInterval(drip);
    expect(parseAnswer(answer)).toEqual({ status: 408, body: REFUSED });
  });

  it("a connection that sends nothing", async () => {
    const { link } = await setUpEgress(sayHello, { limits: { headersMs: 50 } });
    const answer = parseAnswer(await raw(link.modelPort, ""));
    expect(answer).toEqual({ status: 408, body: REFUSED });
  });

  it("a body that stops in the middle, and frees its place", async () => {
    const { link, events } = await setUpEgress(sayHello, {
      limits: { bodyIdleMs: 1000, maxConcurrent: 1 },
    });
    const answer = await raw(link.modelPort, `${HEAD}content-length: 100\r\n\r\n{`);
    expect(parseAnswer(answer)).toEqual({ status: 408, body: REFUSED });
    expect(await call(link.modelPort)).toMatchObject({ status: 200 });
    expect(events[0]).toMatchObject({ type: "model_refused" });
  });
});

describe("the model's port drops", () => {
  it("every header that does not belong to the call, in any spelling", async () => {
    let seen: string[] = [];
    const { link } = await setUpEgress((incoming, response) => {
      seen = incoming.rawHeaders;
      sayHello(incoming, response);
    });
    const headers = [
      "Host: evil.example",
      "hOST: second.example",
      "AUTHORIZATION: Bearer inside",
      "Proxy-Authorization: Basic eA==",
      "Cookie: a=b",
      "OpenAI-Organization: org",
      "OpenAI-Project: proj",
      "X-Api-Key: x",
      "Api-Key: x",
      "X-Forwarded-For: 1.2.3.4",
      "X-Forwarded-Host: evil.example",
      "Forwarded: for=1.2.3.4",
      "Via: 1.1 evil",
      "Connection: close, x-codex-turn",
      "Keep-Alive: timeout=99",
      "TE: trailers",
      "Trailer: authorization",
      "Accept-Encoding: gzip, br",
      "X-HTTP-Method-Override: DELETE",
      "__proto__: x",
      "Transfer-Encoding: chunked",
    ].join("\r\n");
    const bytes = `POST ${MODEL_PATH} HTTP/1.1\r\n${headers}\r\n\r\n2\r\n{}\r\n0\r\nauthorization: trailer\r\n\r\n`;
    expect(parseAnswer(await raw(link.modelPort, bytes)).status).toBe(200);
    const names = seen.filter((_, n) => n % 2 === 0).map((name) => name.toLowerCase());
    expect(names.sort()).toEqual([
      "accept-encoding",
      "authorization",
      "connection",
      "content-length",
      "host",
    ]);
    expect(seen.join()).not.toMatch(/evil|inside|trailer|second/);
    expect(seen.join()).toContain("identity");
  });
});

describe("the model's port serves", () => {
  it("a request that waits for 100 Continue before its body", async () => {
    let body = "";
    const { link } = await setUpEgress((incoming, response) => {
      incoming.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      sayHello(incoming, response);
    });
    const bytes = `${HEAD}expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}`;
    const answer = await raw(link.modelPort, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(body).toBe("{}");
  });

  it("a request without a host, and one in HTTP/1.0", async () => {
    const { link } = await setUpEgress(sayHello);
    for (const version of ["1.0", "1.1"]) {
      const bytes = `POST ${MODEL_PATH} HTTP/${version}\r\ncontent-length: 2\r\n\r\n{}`;
      expect(parseAnswer(await raw(link.modelPort, bytes)).status).toBe(200);
    }
  });
});

describe("the proxy's port refuses", () => {
  const egress = shareEgress(sayHello);

  it.each<[string, number, string]>([
    ["a tunnel", 403, "CONNECT example.org:443 HTTP/1.1\r\n\r\n"],
    ["a tunnel to itself", 403, "CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n"],
    ["a tunnel to an IPv6 address", 403, "CONNECT [::1]:22 HTTP/1.1\r\n\r\n"],
    ["a tunnel to nowhere", 400, "CONNECT :::: HTTP/1.1\r\n\r\n"],
    ["a plain request", 403, "GET http://example.org/x HTTP/1.1\r\nhost: example.org\r\n\r\n"],
    [
      "a request for the model's endpoint",
      403,
      `POST http://127.0.0.1${MODEL_PATH} HTTP/1.1\r\n\r\n`,
    ],
    ["a request without a host", 400, "GET / HTTP/1.1\r\n\r\n"],
    [
      "a WebSocket",
      403,
      "GET http://example.org/ HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ],
    ["anything but HTTP", 400, "\x05\x01\x00 socks\r\n\r\n"],
  ])("%s", async (_name, status, bytes) => {
    const { link } = await egress();
    const answer = parseAnswer(await raw(link.proxyPort, bytes));
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain("codex-chat: ");
  });

  it("a tunnel, and ignores what is sent after it", async () => {
    const { link } = await setUpEgress(sayHello);
    const tunnel = "CONNECT example.org:443 HTTP/1.1\r\n\r\n";
    const answer = parseAnswer(await raw(link.proxyPort, tunnel + "x".repeat(1_000_000)));
    expect(answer).toEqual({ status: 403, body: expect.stringContaining("is refused") });
  });

  it("a flood, which is reported to the user in few messages", async () => {
    const { link, events } = await setUpEgress(sayHello);
    for (let n = 0; n < 100; n++)
      await raw(link.proxyPort, `CONNECT host${n}.example:443 HTTP/1.1\r\n\r\n`);
    expect(events.length).toBeGreaterThan(10);
    expect(events.length).toBeLessThan(60);
  });
});
