import { expect, it } from "vitest";
import { turnAt, turnFrom } from "./turn-at.ts";
import type { TurnRecord } from "./turn-log.ts";

const record = (id: string, ...queries: string[]): TurnRecord => ({
  ...{ id, thread: "t", chat: "/c.md", queries, beganMs: 0, process: "", before: "", after: "" },
  ...{ endedMs: 1, undoneBy: undefined },
});

const TEXT = `---
thread: t
---

## You

Make the first file.

## Codex

Done.

## You

And this, steered.

## Codex

Done.

## You

Make the second file.

## Codex

Done.

## You

`;

const rowOf = (text: string) => TEXT.split("\n").findIndex((line) => line.startsWith(text));
const turns = [record("1", "Make the first file."), record("2", "Make the second file.")];

it.each([
  ["---", undefined],
  ["Make the first", "1"],
  ["And this", "1"],
  ["Make the second", "2"],
])("finds the turn at %j", (text, id) => {
  expect(turnAt(TEXT, rowOf(text), turns)?.id).toBe(id);
});

it("takes the last turn below all answers", () => {
  expect(turnAt(TEXT, TEXT.split("\n").length, turns)?.id).toBe("2");
});

it.each([
  ["---", "1"],
  ["And this", "2"],
  ["Make the second", undefined],
])("finds the first turn from %j on", (text, id) => {
  expect(turnFrom(TEXT, rowOf(text), turns)?.id).toBe(id);
});
