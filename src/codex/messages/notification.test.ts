import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOTIFICATIONS, parseNotification, threadOf } from "./notification.ts";

const turn = { id: "u", status: "failed", items: [], itemsView: "summary" };

describe("a notification", () => {
  it("is read without unused fields", () => {
    const params = { threadId: "t", turnId: "u", itemId: "i", delta: "x", extra: 1 };
    expect(parseNotification("item/agentMessage/delta", params)).toEqual({
      method: "item/agentMessage/delta",
      params: { threadId: "t", turnId: "u", itemId: "i", delta: "x" },
    });
  });

  it("with an id that is longer than any of Codex's is not read", () => {
    const long = "x".repeat(201);
    const command = { type: "commandExecution", id: "i", command: "ls", status: "inProgress" };
    const agent = { type: "collabAgentToolCall", id: "i", tool: "spawnAgent", status: "completed" };
    const started = (changes: object, item: object) =>
      parseNotification("item/started", { threadId: "t", turnId: "u", ...changes, item });
    expect(started({}, { ...command, id: "x".repeat(200) })).toMatchObject({
      method: "item/started",
    });
    for (const told of [
      started({ threadId: long }, command),
      started({ turnId: long }, command),
      started({}, { ...command, id: long }),
      started({}, { type: "later", id: long }),
      parseNotification("turn/started", { threadId: "t", turn: { ...turn, id: long } }),
      parseNotification("serverRequest/resolved", { threadId: "t", requestId: long }),
    ]) {
      expect(told).toMatchObject({ method: "invalid" });
      expect(JSON.stringify(told)).not.toContain("xxxx");
    }
    const lists = { receiverThreadIds: [long], agentsStates: { [long]: { status: "x" } } };
    expect(JSON.stringify(started({}, { ...agent, ...lists }))).not.toContain("xxxx");
  });

  it.each([
    ["a name", "unauthorized"],
    ["an object", { httpConnectionFailed: { httpStatusCode: 401 } }],
    ["null", null],
  ])("gives the reason for a failed turn as %s", (_, codexErrorInfo) => {
    const error = { message: "no", codexErrorInfo, additionalDetails: null };
    expect(
      parseNotification("turn/completed", { threadId: "t", turn: { ...turn, error } }),
    ).toMatchObject({ params: { turn: { status: "failed", error } } });
  });

  it("reports a failed turn even if the reason is missing or has an unknown form", () => {
    for (const error of ["words", 1, { code: 1 }, null, undefined]) {
      const told = parseNotification("turn/completed", { threadId: "t", turn: { ...turn, error } });
      expect(told).toMatchObject({ method: "turn/completed" });
      expect(told.method === "turn/completed" && told.params.turn.error).toBe(
        error === undefined ? undefined : null,
      );
    }
    const reason = parseNotification("turn/completed", {
      threadId: "t",
      turn: { ...turn, error: { message: "only words" } },
    });
    expect(reason).toMatchObject({ params: { turn: { error: { message: "only words" } } } });
  });

  it("accepts a new status", () => {
    const params = { threadId: "t", turn: { ...turn, status: "paused" } };
    expect(parseNotification("turn/completed", params)).toMatchObject({
      params: { turn: { status: "paused" } },
    });
  });

  it("carries an item of an unknown kind", () => {
    const params = { threadId: "t", turnId: "u", item: { type: "hologram", id: "1" } };
    expect(parseNotification("item/started", params)).toMatchObject({
      params: { item: { type: "unknown", kind: "hologram" } },
    });
  });

  it("names the request that is resolved, 0 included", () => {
    expect(
      parseNotification("serverRequest/resolved", { threadId: "t", requestId: 0 }),
    ).toMatchObject({ params: { requestId: 0 } });
  });
});

describe("a notification that this project does not use", () => {
  it.each(["thread/settings/updated", "", "toString", "__proto__", "unknown", "invalid"])(
    "is unknown, and kept: %j",
    (name) => {
      expect(parseNotification(name, { threadId: "t" })).toEqual({
        method: "unknown",
        name,
        params: { threadId: "t" },
      });
    },
  );

  it("is invalid in another form, with the place of the mistake", () => {
    expect(parseNotification("turn/started", { threadId: 1 })).toMatchObject({
      method: "invalid",
      name: "turn/started",
      problem: expect.stringContaining("threadId"),
    });
  });

  it("is reported in a bounded length", () => {
    const plan = new Array(50_000).fill(1);
    const told = parseNotification("turn/plan/updated", { threadId: "t", turnId: "u", plan });
    expect(told.method === "invalid" ? told.problem.length : 0).toBeLessThan(3000);
  });

  it("never throws, for any content", () => {
    const method = fc.oneof(fc.string(), fc.constantFrom(...Object.keys(NOTIFICATIONS)));
    fc.assert(
      fc.property(method, fc.jsonValue(), (name, params) => {
        expect([name, "unknown", "invalid"]).toContain(parseNotification(name, params).method);
      }),
    );
  });
});

describe("the thread of a notification", () => {
  it.each([
    ["warning", { threadId: "t", message: "x" }, "t"],
    ["warning", { message: "x" }, undefined],
    ["warning", { threadId: null, message: "x" }, undefined],
    ["configWarning", { summary: "x" }, undefined],
    ["turn/started", { threadId: "t", turn }, "t"],
    ["turn/started", { threadId: "t" }, undefined],
    ["thread/goal/updated", { threadId: "t" }, undefined],
  ])("of %s with %j is %s", (method, params, thread) => {
    expect(threadOf(parseNotification(method, params))).toBe(thread);
  });
});
