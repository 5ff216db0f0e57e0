import { expect, it } from "vitest";
import type { JsonSchema } from "../../test/codex/schema.ts";
import { changedTypes } from "./type-diff.ts";

const ref = (name: string): JsonSchema => ({ $ref: `#/definitions/v2/${name}` });

function protocolOf(newer: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { definitions: { v2: newer as JsonSchema } };
}

const before = protocolOf({
  Started: { type: "object", required: ["item"], properties: { item: ref("Item") } },
  Ended: { type: "object", properties: { item: ref("Item") } },
  Item: {
    oneOf: [
      {
        type: "object",
        required: ["type", "status"],
        properties: { type: { enum: ["command"] }, status: ref("Status") },
      },
    ],
  },
  Status: { type: "string", enum: ["done", "failed"] },
  Unused: { type: "object", properties: { old: { type: "string" } } },
});

it("names each type once, with the fields and values that came and went", () => {
  const after = protocolOf({
    Started: {
      type: "object",
      required: ["item"],
      properties: { item: ref("Item"), at: { type: ["integer", "null"] } },
    },
    Ended: { type: "object", properties: { item: ref("Item") } },
    Item: {
      oneOf: [
        {
          type: "object",
          required: ["type"],
          properties: { type: { enum: ["command"] }, status: ref("Status") },
        },
      ],
    },
    Status: { type: "string", enum: ["done", "declined"] },
    Unused: { type: "object" },
  });
  expect(changedTypes(["Started", "Ended"], before, after)).toEqual([
    { type: "Item", lines: ["- <command>.status: Status", "+ <command>.status?: Status"] },
    { type: "Started", lines: ["+ .at?: integer or null"] },
    { type: "Status", lines: ['- : "failed"', '+ : "declined"'] },
  ]);
});

it("shows a type that is gone, and one that came with a type in use", () => {
  const after = protocolOf({
    Started: { type: "object", required: ["item"], properties: { item: ref("Thing") } },
    Thing: { type: "array", items: { type: "string" } },
  });
  expect(changedTypes(["Started", "Ended"], before, after)).toEqual([
    { type: "Ended", lines: ["- .item?: Item"] },
    { type: "Item", lines: ['- <command>.type: "command"', "- <command>.status: Status"] },
    { type: "Started", lines: ["- .item: Item", "+ .item: Thing"] },
    { type: "Status", lines: ['- : "done"', '- : "failed"'] },
    { type: "Thing", lines: ["+ []: string"] },
  ]);
});

it("says nothing about a protocol that is the same", () => {
  expect(changedTypes(["Started", "Ended"], before, before)).toEqual([]);
});
