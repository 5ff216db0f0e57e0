import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ITEM_TYPES, Item } from "./item.ts";

const command = {
  type: "commandExecution",
  id: "call_1",
  command: "/bin/bash -lc ls",
  cwd: "/p",
  processId: "1",
  source: "agent",
  status: "completed",
  commandActions: [{ type: "unknown", command: "ls" }],
  aggregatedOutput: "a\n",
  exitCode: 0,
  durationMs: 12,
};

describe("an item", () => {
  it("is read without unused fields", () => {
    expect(Item.parse({ ...command, startedAtMs: 1, somethingNew: { a: 1 } })).toEqual({
      type: "commandExecution",
      id: "call_1",
      command: "/bin/bash -lc ls",
      cwd: "/p",
      commandActions: [{ type: "unknown" }],
      source: "agent",
      status: "completed",
      aggregatedOutput: "a\n",
      exitCode: 0,
      durationMs: 12,
    });
  });

  it("may lack the fields that a running command does not have yet", () => {
    const { id, type, status } = command;
    expect(Item.parse({ id, type, status, command: "ls", exitCode: null })).toMatchObject({
      type: "commandExecution",
      cwd: "",
      source: "agent",
      exitCode: null,
    });
  });

  it("may have malformed optional fields", () => {
    const odd = { ...command, exitCode: "0", durationMs: {}, aggregatedOutput: 1, cwd: null };
    expect(Item.parse(odd)).toMatchObject({
      type: "commandExecution",
      exitCode: null,
      durationMs: null,
      aggregatedOutput: null,
      cwd: "",
    });
  });

  it("may have any arguments, or none", () => {
    const call = { type: "mcpToolCall", id: "1", server: "s", tool: "t", status: "completed" };
    expect(Item.parse(call)).toMatchObject({ type: "mcpToolCall" });
    expect(Item.parse({ ...call, arguments: [1], result: "odd", error: 1 })).toMatchObject({
      type: "mcpToolCall",
      arguments: [1],
      result: null,
      error: null,
    });
  });

  it("keeps the diff of a change of an unknown kind", () => {
    const kinds = [
      { type: "add" },
      { type: "update", move_path: "b" },
      { type: "update" },
      { type: "chmod", mode: 1 },
    ];
    const changes = kinds.map((kind) => ({ path: "a", kind, diff: "+x" }));
    const item = Item.parse({ type: "fileChange", id: "1", status: "completed", changes });
    expect(item.type === "fileChange" && item.changes.map((change) => change.kind)).toEqual([
      { type: "add" },
      { type: "update", move_path: "b" },
      { type: "update", move_path: undefined },
      { type: "unknown" },
    ]);
  });
});

describe("an item of an unknown kind", () => {
  it.each([
    [{ type: "hologram", id: "1", text: "words" }, "hologram", "words"],
    [{ type: "hologram", id: "1", text: "", query: "q", path: "p" }, "hologram", "q"],
    [{ type: "unknown", id: "1", kind: "forged", text: "x" }, "unknown", "x"],
    [{ id: "1" }, "unknown", ""],
    [{ type: 5, id: "1" }, "unknown", ""],
  ])("is kept with its text: %j", (value, kind, text) => {
    expect(Item.parse(value)).toEqual({ type: "unknown", id: "1", kind, text });
  });

  it("is kept with its fields if it has no text", () => {
    const item = { type: "hologram", id: "1", message: { no: "text" }, path: null, startedAtMs: 1 };
    const fields = '{\n  "message": {\n    "no": "text"\n  }\n}';
    expect(Item.parse(item)).toEqual({
      type: "unknown",
      id: "1",
      kind: "hologram",
      text: "",
      fields,
    });
  });

  it("may have a known type and an unknown form", () => {
    const { command: _, ...rest } = command;
    expect(Item.parse({ ...rest, text: "ls" })).toEqual({
      type: "unknown",
      id: "call_1",
      kind: "commandExecution",
      text: "ls",
    });
  });

  it("must have an id", () => {
    expect(Item.safeParse({ type: "agentMessage", text: "x" }).success).toBe(false);
    expect(Item.safeParse({ type: "hologram", id: 1 }).success).toBe(false);
    expect(Item.safeParse(null).success).toBe(false);
  });

  it("is the result for any value with an id that is not a known item", () => {
    const value = fc.record({
      id: fc.string(),
      type: fc.oneof(fc.string(), fc.constantFrom(...ITEM_TYPES)),
      text: fc.jsonValue(),
      status: fc.jsonValue(),
      changes: fc.jsonValue(),
    });
    fc.assert(
      fc.property(value, (item) => {
        const parsed = Item.parse(item);
        expect(parsed.id).toBe(item.id);
        expect(["unknown", item.type]).toContain(parsed.type);
      }),
    );
  });
});
