import { expect, it } from "vitest";
import { silentLog as log } from "../../log.ts";
import { err, ok } from "../../result.ts";
import { type TurnHook, TurnHookRunner } from "./turn-hook.ts";

const place = { threadId: "t", path: "/chats/a.md" };
const { signal } = new AbortController();

function rite(name: string, told: string[], failure?: "before" | "after"): TurnHook {
  return {
    before: async () => {
      told.push(`${name} before`);
      return failure === "before" ? err({ kind: "no", message: "No." }) : ok();
    },
    after: async () => {
      told.push(`${name} after`);
      if (failure === "after") throw new Error("a bug");
      return [{ type: "note", text: name }];
    },
  };
}

it("ends in the reverse order, and once", async () => {
  const told: string[] = [];
  const rites = new TurnHookRunner([rite("a", told), rite("b", told)], log);
  expect(await rites.begin(place, signal)).toEqual(ok());
  expect(await rites.end()).toEqual([
    { type: "note", text: "b" },
    { type: "note", text: "a" },
  ]);
  expect(await rites.end()).toEqual([]);
  expect(told).toEqual(["a before", "b before", "b after", "a after"]);
});

it("begins no more after a failure, and ends what has begun", async () => {
  const told: string[] = [];
  const rites = new TurnHookRunner([rite("a", told, "before"), rite("b", told)], log);
  expect((await rites.begin(place, signal)).ok).toBe(false);
  await rites.end();
  expect(told).toEqual(["a before", "a after"]);
});

it("goes on where one of them throws", async () => {
  const told: string[] = [];
  const rites = new TurnHookRunner([rite("a", told), rite("b", told, "after")], log);
  await rites.begin(place, signal);
  expect(await rites.end()).toEqual([{ type: "note", text: "a" }]);
});
