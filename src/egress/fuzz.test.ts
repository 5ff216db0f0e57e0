/** Requests and responses of any form, in pieces, with a reader that pauses at random. */

import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { KEY, listen, MODEL_PATH, settled } from "../../test/support/egress.ts";
import { forgeRelay } from "../../test/support/forged-relay.ts";
import { FrameType } from "./link/frame.ts";

const STREAMS = 3;

const text = fc.constantFrom(
  `POST ${MODEL_PATH} HTTP/1.1\r\n`,
  `POST ${MODEL_PATH} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}`,
  `POST ${MODEL_PATH} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n`,
  `POST ${MODEL_PATH} HTTP/1.0\r\nconnection: keep-alive\r\n`,
  "GET http://evil.example/ HTTP/1.1\r\n",
  "CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
  "host: evil.example\r\n",
  "authorization: Bearer evil\r\n",
  "content-length: 2\r\n",
  "content-length: 100000\r\n",
  "transfer-encoding: chunked\r\n",
  "expect: 100-continue\r\n",
  "expect: evil\r\n",
  "connection: upgrade\r\nupgrade: evil\r\n",
  "\r\n",
  "2\r\n{}\r\n",
  "0\r\n\r\n",
  "zz\r\n",
  "{}",
  "\0",
  "e".repeat(20_000),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant("data" as const), text, cut: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constantFrom("open", "end", "reset", "stop", "go on", "wait", "listen"),
      service: fc.constantFrom(1, 1, 2),
    }),
  },
);
/** The beginning of most streams, so that many requests get as far as the upstream. */
const start = fc.constantFrom(
  "",
  `POST ${MODEL_PATH} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}`,
  `POST ${MODEL_PATH} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n`,
  `POST ${MODEL_PATH} HTTP/1.1\r\nauthorization: Bearer evil\r\ncontent-length: 4\r\n\r\n{}`,
  `POST ${MODEL_PATH} HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}`,
);
const starts = fc.array(start, { minLength: STREAMS, maxLength: STREAMS });
const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: STREAMS }), step), { maxLength: 40 });

it("for any request, only the permitted call goes out, no key comes in, and the host survives", async () => {
  const odd: string[] = [];
  let reached = 0;
  const upstream = createServer((incoming, response) => {
    reached++;
    const { method, url, headers, rawHeaders } = incoming;
    const seen = `${method} ${url} ${headers.authorization} ${rawHeaders.join(" ")}`;
    const isRight = seen.startsWith(`POST ${MODEL_PATH} Bearer ${KEY} `);
    if (!isRight || seen.includes("evil")) odd.push(seen);
    incoming.resume().on("error", () => {});
    // Echoes everything it was sent, sooner or later, as a refusal or not; ends only when the
    // request is complete.
    const turns = [0, 3, 10, 30][reached % 4] ?? 0;
    const isWhole = reached % 3 === 0 ? once(incoming, "end").catch(() => {}) : Promise.resolve();
    void (async () => {
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      response.statusCode = reached % 5 === 0 ? 401 : 200;
      response.write(seen.slice(0, -5));
      await isWhole;
      response.end(KEY);
    })();
  });
  const upstreamPort = await listen(upstream);
  await fc.assert(
    fc.asyncProperty(starts, steps, async (begin, all) => {
      const relay = await forgeRelay({ upstreamPort, limits: { headersMs: 50, bodyIdleMs: 50 } });
      // Opening an open stream again would close the link, so each number is used once.
      const ids = new Map<number, number>();
      let nextId = 1;
      const open = (n: number, service: number) => {
        ids.set(n, nextId);
        relay.send(FrameType.open, Buffer.of(service), nextId++);
      };
      for (const [n, said] of begin.entries()) {
        open(n + 1, 1);
        relay.send(FrameType.data, said, n + 1);
      }
      for (const [n, step] of all) {
        const id = ids.get(n) ?? 0;
        if (step.what === "data") {
          const cut = step.cut % step.text.length;
          relay.send(FrameType.data, step.text.slice(0, cut), id);
          relay.send(FrameType.data, step.text.slice(cut), id);
        } else if (step.what === "open") open(n, step.service);
        else if (step.what === "end") {
          relay.send(FrameType.end, "", id);
          open(n, step.service);
        } else if (step.what === "reset") relay.send(FrameType.reset, "", id);
        else if (step.what === "stop") relay.stopReading();
        else if (step.what === "go on") relay.goOn();
        else if (step.what === "wait") await nextTurn();
        // Long enough for a call to reach the upstream.
        else if (step.what === "listen") for (let turn = 0; turn < 20; turn++) await nextTurn();
      }
      // All requests are answered before the reader continues.
      for (let turn = 0; turn < 50; turn++) await nextTurn();
      relay.goOn();
      const answers = () => Array.from({ length: nextId }, (_, n) => relay.answer(n)).join("\n");
      await settled(() => answers().length, 2);
      relay.close();
      expect(answers()).not.toContain(KEY);
      expect(odd).toEqual([]);
    }),
    { numRuns: 150 },
  );
  expect(reached).toBeGreaterThan(20);
});

const part = fc.constantFrom(
  "HTTP/1.1 200 OK\r\n",
  "HTTP/1.1 099 x\r\n",
  "HTTP/1.1 999 x\r\n",
  "HTTP/1.1 103 x\r\n\r\n",
  "HTTP/1.1 100 x\r\n\r\n",
  "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
  "HTTP/1.1 204 x\r\n\r\n",
  "HTTP/1.1 304 x\r\n\r\n",
  "HTTP/1.0 200 OK\r\n",
  "HTTP/1.1 401 x\r\n",
  "content-length: 5\r\n",
  "transfer-encoding: chunked\r\n",
  "content-encoding: gzip\r\n",
  "connection: close\r\n",
  `x-request-id: ${KEY}\r\n`,
  "x-request-id: \xff\xfe\r\n",
  "x-request-id: a\r\n b\r\n",
  `set-cookie: ${KEY}\r\n`,
  "\r\n",
  "5\r\nhello\r\n",
  "0\r\n\r\n",
  `0\r\nx-request-id: ${KEY}\r\n\r\n`,
  "hello",
  `${KEY}`,
  KEY.slice(0, 9),
  KEY.slice(9),
  "\n\0\n",
);
const answerParts = fc.array(part, { maxLength: 12 });
const beginning = fc.constantFrom(
  "",
  "HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
  "HTTP/1.1 401 x\r\ncontent-length: 5\r\n\r\n",
);

it("for any answer, one well-formed answer or none comes in, without a key, and the host survives", async () => {
  let parts: readonly string[] = [];
  let ending: "end" | "reset" = "end";
  const upstream = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      void (async () => {
        for (const text of parts) {
          socket.write(Buffer.from(text, "latin1"));
          await nextTurn();
        }
        if (ending === "end") socket.end();
        else socket.resetAndDestroy();
      })();
    });
  });
  const upstreamPort = await listen(upstream);
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      beginning,
      answerParts,
      fc.constantFrom<("end" | "reset")[]>("end", "reset"),
      async (first, rest, how) => {
        parts = [first, ...rest];
        ending = how;
        const relay = await forgeRelay({ upstreamPort });
        relay.send(FrameType.open, Buffer.of(1));
        relay.send(FrameType.data, `POST ${MODEL_PATH} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}`);
        const last = () => relay.events.at(-1)?.type;
        await expect
          .poll(last, { interval: 1, timeout: 20_000 })
          .toMatch(/^model_(done|failed|aborted)$/);
        await settled(() => relay.answer().length, 1);
        if (last() === "model_done" && relay.answer() !== "") answered++;
        relay.close();
        const answer = relay.answer();
        expect(answer).not.toContain(KEY);
        expect(answer).toMatch(/^(HTTP\/1\.1 [2-5]\d\d |$)/);
        const head = answer.slice(0, answer.indexOf("\r\n\r\n"));
        expect(head).not.toMatch(/^set-cookie|[^ -~\r\n]/m);
      },
    ),
    { numRuns: 150 },
  );
  expect(answered).toBeGreaterThan(10);
});
