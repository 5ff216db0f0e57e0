import { expect, it } from "vitest";
import type { Query } from "../query.ts";
import { QueryEdits } from "./query-edits.ts";

const image = { image: "data:image/png;base64,AA==" };
const query: Query = { id: "user:1", text: "Look at @a.png.", context: [image] };

it("returns queries as they were sent until they are edited", () => {
  expect(new QueryEdits().apply([query])).toEqual([query]);
});

it("returns an edited query without its attached context, and leaves out a deleted one", () => {
  const edits = new QueryEdits();
  edits.set("user:1", "Look at @b.png.");
  edits.set("user:2", undefined);
  edits.set("user:9", "of another one");
  const others = [
    { id: "user:2", text: "Never mind." },
    { id: "user:3", text: "Go on." },
  ];
  expect(edits.apply([query, ...others])).toEqual([
    { id: "user:1", text: "Look at @b.png." },
    { id: "user:3", text: "Go on." },
  ]);
});

it("treats a query whose edit was undone as the sent one", () => {
  const edits = new QueryEdits();
  for (const text of [undefined, "Look.", "Look at @a.png."]) edits.set("user:1", text);
  expect(edits.apply([query])).toEqual([query]);
});

it("treats a query that the host has repaired as the sent one", () => {
  const edits = new QueryEdits();
  const open: Query = { id: "user:1", text: " What is this?\n```ts\nlet x\n", context: [image] };
  edits.set("user:1", "What is this?\n```ts\nlet x\n```");
  expect(edits.apply([open])).toEqual([open]);
  edits.set("user:1", "What is that?\n```ts\nlet x\n```");
  expect(edits.textOf("user:1", open.text)).toBe("What is that?\n```ts\nlet x\n```");
});
