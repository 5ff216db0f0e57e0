import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ok } from "../../result.ts";
import { type Base, type MayGiveWay, planSync } from "./ref-sync.ts";

const oid = (letter: string) => letter.repeat(40);
const main = "refs/heads/main";

function side(refs: Readonly<Record<string, string>>, branch = main) {
  return { head: { branch }, refs: new Map(Object.entries(refs)) };
}

const never = async () => ok(false);
const always = async () => ok(true);

async function plan(...args: [Base, Base, Base, MayGiveWay]) {
  const planned = await planSync(...args);
  if (!planned.ok) throw new Error(planned.error);
  return planned.value;
}

describe("following the user's branches", () => {
  it("moves branches that the agent has not changed, creates new ones and removes deleted ones", async () => {
    const base = side({ [main]: oid("1"), "refs/heads/gone": oid("1") });
    const real = side({ [main]: oid("2"), "refs/heads/new": oid("3") });
    expect(await plan(base, real, base, never)).toEqual({
      changes: [
        { name: main, from: oid("1"), to: oid("2") },
        { name: "refs/heads/gone", from: oid("1"), to: undefined },
        { name: "refs/heads/new", from: undefined, to: oid("3") },
      ],
      head: undefined,
      diverged: [],
    });
  });

  it("leaves a branch on which the agent has committed, unless that may be replaced", async () => {
    const base = side({ [main]: oid("1") });
    const [real, own] = [side({ [main]: oid("2") }), side({ [main]: oid("a") })];
    expect(await plan(base, real, own, never)).toMatchObject({ changes: [], diverged: [main] });
    expect(await plan(base, real, own, always)).toMatchObject({
      changes: [{ name: main, from: oid("a"), to: oid("2") }],
      diverged: [],
    });
  });

  it("keeps a branch that the user has deleted and the agent committed on", async () => {
    const base = side({ x: oid("1") });
    const planned = await plan(base, side({}), side({ x: oid("a") }), always);
    expect(planned).toMatchObject({ changes: [], diverged: ["x"] });
  });

  it("switches branches if the user has switched, and not if the agent has", async () => {
    const refs = { [main]: oid("1"), other: oid("1") };
    const [base, users] = [side(refs), side(refs, "refs/heads/other")];
    expect(await plan(base, users, base, never)).toMatchObject({ head: users.head });
    expect(await plan(base, base, side(refs, "refs/heads/agents"), never)).toMatchObject({
      head: undefined,
    });
    expect(await plan(base, users, users, never)).toMatchObject({ head: undefined });
  });

  it("never removes a commit of the agent that must not be replaced", async () => {
    const value = fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined });
    const names = ["refs/heads/a", "refs/heads/b", "refs/heads/c"];
    const refs = fc
      .tuple(value, value, value)
      .map((letters) =>
        Object.fromEntries(
          letters.flatMap((letter, n) => (letter === undefined ? [] : [[names[n], oid(letter)]])),
        ),
      );
    await fc.assert(
      fc.asyncProperty(refs, refs, refs, async (base, real, own) => {
        const planned = await plan(side(base), side(real), side(own), never);
        for (const { name, from, to } of planned.changes) {
          expect(from).toBe(own[name]);
          expect(to).toBe(real[name]);
          expect(from === undefined || from === base[name]).toBe(true);
        }
        for (const name of planned.diverged) expect(own[name]).not.toBe(real[name]);
      }),
    );
  });
});
