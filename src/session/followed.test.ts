import { describe, expect, it } from "vitest";
import type { ServerNotification } from "../codex/messages/index.ts";
import { followed } from "./followed.ts";

const item = (method: "item/started" | "item/completed", fields: object) =>
  ({ method, params: { threadId: "t", turnId: "u", item: fields } }) as ServerNotification;

const command = (...commandActions: object[]) => ({ type: "commandExecution", commandActions });
const update = {
  path: "/p/a.ts",
  kind: { type: "update", move_path: "/p/b.ts" },
  diff: "@@ -4,2 +7,3 @@\n a\n+b\n c\n",
};
const patch = (status: string, ...changes: object[]) => ({ type: "fileChange", status, changes });

describe("the file that Codex works on", () => {
  it.each([
    ["reads", "item/started", command({ type: "read", path: "/p/a" }), { path: "/p/a" }],
    ["has read", "item/completed", command({ type: "read", path: "/p/a" }), undefined],
    ["lists", "item/started", command({ type: "listFiles", path: "/p" }), undefined],
    ["runs", "item/started", command({ type: "unknown" }), undefined],
    ["is about to edit", "item/started", patch("inProgress", update), { path: "/p/a.ts", line: 4 }],
    ["has edited", "item/completed", patch("completed", update), { path: "/p/b.ts", line: 7 }],
    ["may not edit", "item/completed", patch("declined", update), { path: "/p/a.ts", line: 4 }],
    [
      "makes",
      "item/started",
      patch("inProgress", { path: "/p/c", kind: { type: "add" }, diff: "@@ -1 +9 @@" }),
      { path: "/p/c" },
    ],
    [
      "removes",
      "item/started",
      patch("inProgress", { path: "/p/c", kind: { type: "delete" }, diff: "" }),
      undefined,
    ],
    ["writes about", "item/completed", { type: "agentMessage", text: "/p/a" }, undefined],
  ] as const)("is the one that it %s", (_, method, fields, expected) => {
    expect(followed(item(method, fields))).toEqual(expected);
  });
});
