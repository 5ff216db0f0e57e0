/** Calls that the upstream refuses with 401, and keys that can be renewed. */

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { call, type Handler, open, setUpEgress } from "../../test/support/egress.ts";
import { ok } from "../result.ts";

/** Accepts a single key, and echoes the request of a call with any other. */
function taking(key: string): { seen: string[]; handler: Handler } {
  const seen: string[] = [];
  return {
    seen,
    handler: (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const { authorization = "" } = incoming.headers;
        seen.push(`${authorization} ${Buffer.concat(chunks)}`);
        const isRight = authorization === `Bearer ${key}`;
        response.writeHead(isRight ? 200 : 401, { "x-request-id": authorization });
        response.end(`you sent ${authorization}`);
      });
    },
  };
}

/** A sequence of keys, one per renewal. */
function keys(all: readonly string[]) {
  let n = 0;
  let renewals = 0;
  return {
    renewals: () => renewals,
    authorization: async () => ok([["authorization", `Bearer ${all[n]}`]] as const),
    renew: async () => {
      renewals++;
      if (n + 1 >= all.length) return false;
      n++;
      return true;
    },
  };
}

describe("a key that is refused", () => {
  it("is renewed, and the same call is sent again, unnoticed by the program inside", async () => {
    const { seen, handler } = taking("2-is-the-key-number");
    const { authorization, renew } = keys(["1-is-the-key-number", "2-is-the-key-number"]);
    const { link, events } = await setUpEgress(handler, { authorization, renew });

    const answer = await call(link.modelPort, { body: "{ }" });

    expect(answer).toMatchObject({ status: 200, body: "you sent Bearer [redacted]" });
    expect(seen).toEqual(["Bearer 1-is-the-key-number { }", "Bearer 2-is-the-key-number { }"]);
    expect(events.map(({ type }) => type)).toEqual([
      "model_request",
      "model_response",
      "model_done",
    ]);
    expect(JSON.stringify([answer, events])).not.toContain("key-number");
  });

  it("is renewed once per call, however often it is refused", async () => {
    const { seen, handler } = taking("none");
    const source = keys(["1-is-the-key-number", "2-is-the-key-number", "3-is-the-key-number"]);
    const { link, events } = await setUpEgress(handler, source);

    const answer = await call(link.modelPort);

    expect(answer).toMatchObject({ status: 401, body: "you sent Bearer [redacted]" });
    expect(seen).toHaveLength(2);
    expect(source.renewals()).toBe(1);
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "status", status: 401 });
  });

  it.each<[string, () => Promise<boolean>]>([
    ["has no replacement", async () => false],
    ["cannot be renewed", () => Promise.reject(new Error("1-is-the-key-number"))],
  ])("and %s is reported as the endpoint answered", async (_name, renew) => {
    const { seen, handler } = taking("none");
    const { authorization } = keys(["1-is-the-key-number"]);
    const { link, events, logged } = await setUpEgress(handler, { authorization, renew });

    const answer = await call(link.modelPort);

    expect(answer).toMatchObject({
      status: 401,
      body: "you sent Bearer [redacted]",
      headers: { "x-request-id": "Bearer [redacted]" },
    });
    expect(seen).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: "model_failed", status: 401 });
    expect(JSON.stringify([answer, events, logged])).not.toContain("key-number");
  });

  it("is no longer waited for if the turn ends or Codex breaks off", async () => {
    const { handler } = taking("none");
    const { authorization } = keys(["1-is-the-key-number"]);
    let asked: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const renew = () => {
      asked();
      return new Promise<boolean>(() => {});
    };
    const { link, events, pass } = await setUpEgress(handler, { authorization, renew });
    const out = open(link.modelPort);
    out.on("error", () => {});
    await waiting;
    pass?.end();
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_aborted", by: "turn_end" });
    out.destroy();
  });

  it("leads to a cut answer inside if its refusal was cut and there is no other key", async () => {
    const { authorization } = keys(["1-is-the-key-number"]);
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.writeHead(401, { "content-length": 100 });
        response.write("only half");
        setImmediate(() => response.destroy());
      },
      { authorization, renew: async () => false },
    );
    await expect(call(link.modelPort)).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "cut" });
  });

  it("is renewed even if the refusal's body never ends", async () => {
    const { authorization, renew } = keys(["1-is-the-key-number", "2-is-the-key-number"]);
    let n = 0;
    const { link, events } = await setUpEgress(
      (incoming: IncomingMessage, response) => {
        incoming.resume();
        if (n++ > 0) return void response.end("hello");
        response.writeHead(401, { "content-length": 100 });
        response.write("only half");
        setImmediate(() => response.destroy());
      },
      { authorization, renew },
    );
    const [answer] = await once(open(link.modelPort), "response");
    expect(answer.statusCode).toBe(200);
    answer.resume();
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_done" });
  });
});
