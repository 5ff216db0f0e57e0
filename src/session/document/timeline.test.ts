import { describe, expect, it } from "vitest";
import { placeQueries, pointAt, type ThreadTurn } from "./timeline.ts";

const lines = [
  "---", // 0
  "codex-chat: 1",
  "---",
  "## You", // 3
  "",
  "First question",
  "",
  "## Codex", // 7
  "First answer",
  "## You", // 9
  "Second *question*",
  "## Codex", // 11
  "Half",
  "## You", // 13
  "steered",
  "## Codex", // 15
  "Second answer",
  "## You", // 17
  "Third question",
  "## Codex", // 19
  "Third answer",
  "## You", // 21
  "typing",
];
const turn = (id: string, ...messages: (string | string[])[]): ThreadTurn => ({
  id,
  messages: messages.map((message) => (typeof message === "string" ? [message] : message)),
});
const turns = [
  turn("a", ["what was before", "First question", "context"]),
  turn("b", "Second *question*", "steered"),
  turn("compaction"),
  turn("c", "Third question"),
];

describe("a place in a conversation", () => {
  it("is before the query that the cursor is in", () => {
    expect(pointAt(lines, 18, turns)).toEqual({
      keep: 17,
      query: "Third question",
      turns: 3,
      sent: { row: 17, end: 19, text: "Third question" },
    });
  });

  it("is after the answer that the cursor is in, with the actions after it", () => {
    expect(pointAt(lines, 16, turns)).toEqual({ keep: 17, query: "", turns: 3 });
    expect(pointAt(lines, 8, turns)).toEqual({ keep: 9, query: "", turns: 1 });
    expect(pointAt(lines, 20, turns)).toEqual({ keep: 21, query: "", turns: 4 });
  });

  it("includes a whole turn when the cursor is in a query that was steered into it", () => {
    expect(pointAt(lines, 14, turns)).toMatchObject({
      keep: 9,
      query: "Second *question*\n\nsteered",
      turns: 1,
    });
    expect(pointAt(lines, 12, turns)).toEqual({ keep: 17, query: "", turns: 3 });
  });

  it("is the end, with the typed text, when the cursor is in the prompt", () => {
    expect(pointAt(lines, 22, turns)).toEqual({ keep: 21, query: "typing", turns: 4 });
  });

  it("is the beginning if the cursor is above the first query", () => {
    expect(pointAt(lines, 1, turns)).toEqual({ keep: 3, query: "", turns: 0 });
  });

  it("recognizes an edited query by those around it, with the text that was sent", () => {
    const edited = lines.with(10, "Another question");
    expect(pointAt(edited, 10, turns)).toMatchObject({
      query: "Another question",
      turns: 1,
      sent: { text: "Second *question*" },
    });
  });

  it("is not guessed if queries were added or removed", () => {
    const fewer = lines.toSpliced(9, 4);
    expect(pointAt(fewer, 14, turns)).toMatchObject({ query: "Third question", turns: 3 });
    const more = lines.toSpliced(9, 0, "## You", "never sent", "## Codex", "never said");
    expect(pointAt(more, 10, turns)).toMatchObject({ query: "never sent", turns: undefined });
    expect(pointAt(more, 22, turns)).toMatchObject({ query: "Third question", turns: 3 });
  });

  it("ignores the line about the context of a query", () => {
    const more = lines.toSpliced(18, 1, "Third question", "", "> **Context:** a.ts lines 1–2");
    expect(pointAt(more, 18, turns)).toMatchObject({ query: "Third question", turns: 3 });
  });

  it("recognizes queries that were sent together", () => {
    const sections = ["one", "two", "three"].map((text, row) => ({
      role: "user" as const,
      row,
      end: row + 1,
      text,
    }));
    const placed = placeQueries(sections, [turn("a", "one\n\ntwo"), turn("b", "three")]);
    expect(placed.map((query) => query.turn)).toEqual([0, 0, 1]);
  });

  it("is found in a document without sections, and without a thread", () => {
    expect(pointAt(["text"], 0, [])).toEqual({ keep: 1, query: "", turns: 0 });
    expect(pointAt(lines, 18, [])).toMatchObject({ query: "Third question", turns: undefined });
  });
});
