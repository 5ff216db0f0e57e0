/** Which parts of an upstream's response reach the sandbox, and that nothing else does. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import {
  KEY,
  listenRaw,
  MODEL_PATH,
  open,
  raw,
  settled,
  setUpEgress,
} from "../../test/support/egress.ts";

const nobody = () => {};
const CALL = `POST ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`;

/** Answers a call with raw bytes from the upstream; returns the bytes that arrive inside. */
async function rawAnswerTo(answer: string) {
  const { link, events } = await setUpEgress(nobody, { baseUrl: await listenRaw(answer) });
  const inside = await raw(link.modelPort, CALL);
  return { inside, names: headerNames(inside), events };
}

function headerNames(answer: string): string[] {
  const [, ...lines] = answer.slice(0, answer.indexOf("\r\n\r\n")).split("\r\n");
  return lines.map((line) => line.slice(0, line.indexOf(":")).toLowerCase()).sort();
}

describe("an upstream's answer reaches the sandbox", () => {
  it("without the informational responses before it", async () => {
    const { inside } = await rawAnswerTo(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" +
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    );
    expect(inside).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(inside).not.toMatch(/Hints|link|102/);
    expect(inside).toContain("hello");
  });

  it("without the bytes that follow it", async () => {
    const { inside, events } = await rawAnswerTo(
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    );
    expect(inside.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(inside).not.toContain("evil");
    expect(events.at(-1)).toMatchObject({ type: "model_done", bytesIn: 2 });
  });

  it("without trailers", async () => {
    const { inside } = await rawAnswerTo(
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-request-id\r\n\r\n2\r\nok\r\n0\r\nx-request-id: ${KEY}\r\n\r\n`,
    );
    expect(inside).toContain("\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    expect(inside).not.toContain("x-request-id");
    expect(inside).not.toContain(KEY);
  });

  it("with the permitted headers and no others", async () => {
    const { names } = await rawAnswerTo(
      [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        "X-Request-Id: req_1",
        "OpenAI-Processing-Ms: 5",
        "X-RateLimit-Remaining-Requests: 9",
        "Retry-After: 1",
        "Set-Cookie: session=1",
        "WWW-Authenticate: Bearer",
        "Location: http://evil.example/",
        "Server: x",
        "Alt-Svc: h3",
        "Connection: keep-alive, x-request-id",
        "Keep-Alive: timeout=99",
        "Content-Length: 2",
        "",
        "ok",
      ].join("\r\n"),
    );
    expect(names).toEqual([
      "connection",
      "content-type",
      "date",
      "openai-processing-ms",
      "retry-after",
      "transfer-encoding",
      "x-ratelimit-remaining-requests",
      "x-request-id",
    ]);
  });

  it.each([
    ["a folded header", "x-request-id: a\r\n set-cookie: b=c"],
    ["a bare line feed", "x-request-id: a\nset-cookie: b=c"],
    ["a bare carriage return", "x-request-id: a\rset-cookie: b=c"],
    ["a null byte", "x-request-id: a\0set-cookie: b=c"],
    ["letters that become a line break", "x-request-id: a\u010d\u010aset-cookie: b=c"],
  ])("with no header that is smuggled in by %s", async (_name, header) => {
    const { inside, names } = await rawAnswerTo(
      `HTTP/1.1 200 OK\r\n${header}\r\ncontent-length: 2\r\n\r\nok`,
    );
    expect(inside).toMatch(/^HTTP\/1\.1 (200|502) /);
    expect(names).not.toContain("set-cookie");
  });

  it("with the host's own status text", async () => {
    const { inside } = await rawAnswerTo(
      `HTTP/1.1 401 you sent ${KEY}\r\ncontent-length: 2\r\n\r\nno`,
    );
    expect(inside).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
  });
});

describe("an answer that nobody reads", () => {
  it("is ended as aborted by its reader, and the model is not reported as silent", async () => {
    let written: () => number = () => 0;
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        written = () => response.socket?.bytesWritten ?? 0;
        response.end(Buffer.alloc(64 * 1024 ** 2));
      },
      { limits: { silenceMs: 700, responseIdleMs: 1500 } },
    );
    const out = open(link.modelPort);
    out.on("error", nobody);
    const [response] = (await once(out, "response")) as [IncomingMessage];
    response.on("error", nobody);
    await settled(written);
    await expect
      .poll(() => events.at(-1), { timeout: 20_000 })
      .toMatchObject({ type: "model_aborted", by: "client" });
    expect(events.filter(({ type }) => type === "model_silence")).toEqual([]);
    out.destroy();
  });
});
