/**
 * The limits of a turn: each refusal names its setting, and each turn starts with full limits.
 */

import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import {
  call,
  type Handler,
  MODEL_PATH,
  open,
  sayHello,
  setUpEgress,
} from "../../../test/support/egress.ts";
import { TurnGate } from "./turn-gate.ts";

const DONE = (total: number) =>
  `data: ${JSON.stringify({ type: "response.completed", response: { usage: { input_tokens: total, output_tokens: 0, total_tokens: total } } })}\n\n`;

/** Responds with this number of tokens. */
const taking =
  (tokens: () => number | undefined): Handler =>
  (incoming, response) => {
    const told = tokens();
    incoming.resume().on("end", () => response.end(told === undefined ? "hello" : DONE(told)));
  };

describe("limits.tokens_per_turn", () => {
  it("counts the tokens that the answers report", async () => {
    const { link, events } = await setUpEgress(
      taking(() => 600),
      { limits: { maxTokensPerTurn: 1000 } },
    );
    expect(await call(link.modelPort)).toMatchObject({ status: 200 });
    expect(await call(link.modelPort)).toMatchObject({ status: 200 });
    const third = await call(link.modelPort);
    expect(third.status).toBe(403);
    expect(third.body).toContain(
      "about 1000 tokens, the most that are allowed (limits.tokens_per_turn)",
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: "model_done", usage: { input: 600, output: 0, total: 600 } }),
    );
  });

  it("estimates from sizes if an answer reports no usage", async () => {
    const { link } = await setUpEgress(sayHello, { limits: { maxTokensPerTurn: 1000 } });
    const body = Buffer.alloc(4000, "a");
    expect(await call(link.modelPort, { body })).toMatchObject({ status: 200 });
    expect((await call(link.modelPort)).body).toContain("limits.tokens_per_turn");
  });

  it("returns what was estimated too high", async () => {
    const { link } = await setUpEgress(
      taking(() => 1),
      { limits: { maxTokensPerTurn: 1000 } },
    );
    for (let n = 0; n < 3; n++)
      expect(await call(link.modelPort, { body: Buffer.alloc(8000, "a") })).toMatchObject({
        status: 200,
      });
  });

  it("adds up calls that run at the same time", () => {
    const gate = new TurnGate({
      maxRequestsPerTurn: 9,
      maxConcurrent: 9,
      maxBytesPerTurn: 9,
      maxTokensPerTurn: 1000,
    });
    gate.begin();
    const places = [1, 2].map(() => {
      const place = gate.enter(() => {});
      if (!place.ok) throw new Error(place.error);
      return place.value;
    });
    places[0]?.countTokens(5000);
    // Alone, a call that was let in continues; beside it, the other one does not.
    expect(places.map((place) => place.checkTokens().ok)).toEqual([true, false]);
    places[1]?.countTokens(1000);
    expect(places.map((place) => place.checkTokens().ok)).toEqual([false, false]);
  });

  it("refuses a call if others have spent the rest before its body is complete", async () => {
    const { link } = await setUpEgress(sayHello, { limits: { maxTokensPerTurn: 1000 } });
    const slow = connect(link.modelPort, "127.0.0.1");
    const answer = once(slow, "data");
    slow.write(`POST ${MODEL_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{`);
    expect((await call(link.modelPort, { body: Buffer.alloc(8000, "a") })).status).toBe(200);
    slow.write("}");
    expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 403 /);
  });

  it("counts a call that was abandoned as the most it can have used", async () => {
    const { link, events } = await setUpEgress(
      (incoming, response) => void incoming.resume().on("end", () => response.write("data: ")),
      { limits: { maxTokensPerTurn: 1000 } },
    );
    const ask = open(link.modelPort, { body: Buffer.alloc(1500, "a") });
    ask.on("error", () => {});
    await once(ask, "response");
    ask.destroy();
    await expect.poll(() => events.at(-1)?.type).toBe("model_aborted");
    expect((await call(link.modelPort)).body).toContain("limits.tokens_per_turn");
  });

  it("counts a call whose connection breaks", async () => {
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.write("x".repeat(8000), () => response.destroy());
      },
      { limits: { maxTokensPerTurn: 1000 } },
    );
    await expect(call(link.modelPort)).rejects.toThrow();
    await expect.poll(() => events.at(-1)).toMatchObject({ type: "model_failed" });
    expect((await call(link.modelPort)).body).toContain("limits.tokens_per_turn");
  });

  it("starts from zero in the next turn, however much the last one overdrew", async () => {
    const { link, egress, pass } = await setUpEgress(
      taking(() => 5_000_000),
      { limits: { maxTokensPerTurn: 1000 } },
    );
    await call(link.modelPort);
    expect((await call(link.modelPort)).status).toBe(403);
    pass?.end();
    const next = egress.beginTurn();
    expect((await call(link.modelPort)).status).toBe(200);
    next.end();
  });
});

describe("limits.bytes_per_turn", () => {
  it("ends a request on its way out", async () => {
    let reached = 0;
    const { link, events } = await setUpEgress(() => reached++, {
      limits: { maxBytesPerTurn: 1000 },
    });
    const answer = await call(link.modelPort, { body: Buffer.alloc(2000, "a") });
    expect(answer.status).toBe(403);
    expect(answer.body).toContain("limits.bytes_per_turn");
    expect(reached).toBe(0);
    expect(events).toEqual([
      { type: "model_refused", reason: expect.stringContaining("limits.bytes_per_turn") },
    ]);
  });

  it("ends an answer on its way in, and says why", async () => {
    const { link, events } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.end("x".repeat(2000));
      },
      { limits: { maxBytesPerTurn: 1000 } },
    );
    await expect(call(link.modelPort)).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({
      type: "model_failed",
      kind: "limit",
      message: expect.stringContaining("limits.bytes_per_turn"),
    });
    expect((await call(link.modelPort)).status).toBe(403);
  });
});

describe("limits.concurrent_requests", () => {
  it("is named if too many requests run", async () => {
    const { link, events } = await setUpEgress((incoming) => void incoming.resume(), {
      limits: { maxConcurrent: 1 },
    });
    const first = call(link.modelPort).catch(() => "broken off");
    await expect.poll(() => events.length).toBe(1);
    expect((await call(link.modelPort)).body).toContain("limits.concurrent_requests");
    void first;
  });
});

describe("a call that a turn's end cuts off", () => {
  it("is not charged to the next turn", () => {
    const gate = new TurnGate({
      maxRequestsPerTurn: 2,
      maxConcurrent: 2,
      maxBytesPerTurn: 100,
      maxTokensPerTurn: 100,
    });
    const turn = gate.begin();
    const place = gate.enter(() => place.ok && place.value.release());
    turn.end();
    gate.begin();
    if (place.ok) place.value.countTokens(1_000_000);
    expect(gate.enter(() => {}).ok).toBe(true);
  });
});

describe("turns that Codex begins by itself", () => {
  const limits = {
    maxRequestsPerTurn: 3,
    maxConcurrent: 9,
    maxBytesPerTurn: 100,
    maxTokensPerTurn: 100,
  };
  /** Makes one call of this size; returns its refusal, or undefined. */
  const ask = (gate: TurnGate, bytes = 0, tokens = 0) => {
    const place = gate.enter(() => {});
    if (!place.ok) return place.error;
    place.value.spendBytes(bytes);
    place.value.countTokens(tokens);
    place.value.release();
    return undefined;
  };

  it("share the calls of one turn, even if Codex begins twenty of them", () => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    let passed = 0;
    for (let n = 0; n < 20; n++) {
      const turn = gate.begin(allowance);
      while (ask(gate) === undefined) passed++;
      turn.end();
      expect(ask(gate)).toContain("no turn is running");
    }
    expect(passed).toBe(3);
    expect(allowance.refusal()).toContain("started by itself have together made 3 model calls");
    allowance.renew();
    expect(allowance.refusal()).toBeUndefined();

    // The control: each of the user's own turns has that many.
    for (let n = 0; n < 20; n++) {
      const turn = gate.begin();
      while (ask(gate) === undefined) passed++;
      turn.end();
    }
    expect(passed).toBe(3 + 60);
  });

  it.each([
    ["bytes", 60, 0],
    ["tokens", 0, 60],
  ])("share the %s of one turn", (name, bytes, tokens) => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    for (let n = 0; n < 2; n++) {
      const turn = gate.begin(allowance);
      expect(ask(gate, bytes, tokens)).toBeUndefined();
      turn.end();
    }
    expect(allowance.refusal()).toContain(`limits.${name}_per_turn`);
    gate.begin(allowance);
    expect(ask(gate)).toContain(`limits.${name}_per_turn`);
  });

  it("are counted even without a model call", () => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    for (let n = 0; n < 100; n++) gate.begin(allowance).end();
    expect(allowance.refusal()).toContain("100 turns by itself");
  });

  it("share no allowance with the user's turns", () => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    const query = gate.begin();
    const own = gate.begin(allowance);
    for (let n = 0; n < 4; n++) expect(ask(gate)).toBeUndefined();
    own.end();
    // The calls belong to an unknown turn, so they count in both.
    expect(allowance.refusal()).toContain("3 model calls");
    expect(ask(gate)).toBeUndefined();
    expect(ask(gate)).toBeUndefined();
    expect(ask(gate)).toContain("this turn has made 3");
    query.end();
    expect(ask(gate)).toContain("no turn is running");
  });

  it("get a full allowance again if the user sends something meanwhile", () => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    const turn = gate.begin(allowance);
    while (ask(gate) === undefined);
    allowance.renew();
    turn.end();
    expect(allowance.refusal()).toBeUndefined();
  });

  it("are charged for a call that their end cuts off", () => {
    const gate = new TurnGate(limits);
    const allowance = gate.allowance();
    const turn = gate.begin(allowance);
    const place = gate.enter(() => {
      if (!place.ok) return;
      place.value.countTokens(1000);
      place.value.release();
    });
    turn.end();
    expect(allowance.refusal()).toContain("limits.tokens_per_turn");
    gate.begin();
    expect(ask(gate)).toBeUndefined();
  });
});
