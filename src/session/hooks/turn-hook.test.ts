import { expect, it } from "vitest";
import { silentLog as log } from "../../log.ts";
import { err, ok } from "../../result.ts";
import { type TurnHook, TurnHookRunner } from "./turn-hook.ts";

const turn = { threadId: "t", path: "/chats/a.md" };
const { signal } = new AbortController();

function hook(name: string, told: string[], failure?: "before" | "after"): TurnHook {
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

it("ends hooks in reverse order, once", async () => {
  const told: string[] = [];
  const hooks = new TurnHookRunner([hook("a", told), hook("b", told)], log);
  expect(await hooks.begin(turn, signal)).toEqual(ok());
  expect(await hooks.end()).toEqual([
    { type: "note", text: "b" },
    { type: "note", text: "a" },
  ]);
  expect(await hooks.end()).toEqual([]);
  expect(told).toEqual(["a before", "b before", "b after", "a after"]);
});

it("begins no more hooks after a failure, and ends those that have begun", async () => {
  const told: string[] = [];
  const hooks = new TurnHookRunner([hook("a", told, "before"), hook("b", told)], log);
  expect((await hooks.begin(turn, signal)).ok).toBe(false);
  await hooks.end();
  expect(told).toEqual(["a before", "a after"]);
});

it("continues if one of the hooks throws", async () => {
  const told: string[] = [];
  const hooks = new TurnHookRunner([hook("a", told), hook("b", told, "after")], log);
  await hooks.begin(turn, signal);
  expect(await hooks.end()).toEqual([{ type: "note", text: "a" }]);
});

it("ends hooks that begin after the end of a turn that did not wait for them", async () => {
  const told: string[] = [];
  let release = () => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = hook("a", told);
  const waits: TurnHook = {
    ...first,
    before: async (...given) => {
      await slow;
      return first.before(...given);
    },
  };
  const hooks = new TurnHookRunner([waits, hook("b", told)], log);
  void hooks.begin(turn, signal);
  const ended = hooks.end();
  release();
  await ended;
  expect(told).toEqual(["a before", "b before", "b after", "a after"]);
});

it("waits for everything that its hooks have begun before it is ready for the next turn", async () => {
  let done: () => void = () => {};
  const work = new Promise<void>((resolve) => {
    done = resolve;
  });
  const working = { ...hook("a", []), ready: () => work };
  const hooks = new TurnHookRunner([working, hook("b", [])], log);
  expect(hooks.ready()).toBeUndefined();
  await hooks.begin(turn, signal);
  const ready = hooks.ready();
  expect(ready).toBeInstanceOf(Promise);
  done();
  await ready;
  await hooks.end();
  expect(hooks.ready()).toBeUndefined();
});

it("begins two hooks at the same time, and ends the second first", async () => {
  const told: string[] = [];
  let release = () => {};
  const begun = new Promise<void>((resolve) => {
    release = resolve;
  });
  const [a, b] = [hook("a", told), hook("b", told)];
  // Would wait for ever if the second began after it.
  const waits: TurnHook = { ...a, before: (...given) => begun.then(() => a.before(...given)) };
  const releases: TurnHook = {
    ...b,
    before: async (...given) => {
      release();
      return b.before(...given);
    },
  };
  const hooks = new TurnHookRunner([[waits, releases]], log);
  expect(await hooks.begin(turn, signal)).toEqual(ok());
  expect(await hooks.end()).toEqual([
    { type: "note", text: "b" },
    { type: "note", text: "a" },
  ]);
  expect(told.slice(2)).toEqual(["b after", "a after"]);
});

it("fails if either of two hooks fails, and ends both", async () => {
  for (const failing of ["a", "b"]) {
    const told: string[] = [];
    const [a, b] = ["a", "b"].map((name) =>
      hook(name, told, name === failing ? "before" : undefined),
    );
    if (a === undefined || b === undefined) throw new Error("no hook");
    const hooks = new TurnHookRunner([[a, b]], log);
    expect((await hooks.begin(turn, signal)).ok).toBe(false);
    await hooks.end();
    expect(told).toEqual(["a before", "b before", "b after", "a after"]);
  }
});
