import { describe, expect, it } from "vitest";
import { setUpEgress } from "../../../test/support/egress.ts";
import type { ServerNotification } from "../../codex/messages/notification.ts";
import type { Backend } from "../backend/backend.ts";
import type { LoadedThread } from "../thread/loaded-thread.ts";
import { Goal } from "./goal.ts";

/** A thread in a backend with a real way out; tells what Codex is asked. */
async function place() {
  const { egress } = await setUpEgress((_, response) => void response.end(), {
    turn: false,
    limits: { maxRequestsPerTurn: 2 },
  });
  const asked: string[] = [];
  const backend = { egress } as Backend;
  const client = {
    request: async (method: string, { status = "" }: { status?: string }) => {
      asked.push(`${method} ${status}`.trim());
      return { ok: true };
    },
  };
  const loaded = { backend, client, threadId: "t1" } as unknown as LoadedThread;
  const notes: string[] = [];
  const goal = new Goal((event) => {
    if ("type" in event && event.type === "note") notes.push(event.text);
  });
  return { backend, loaded, asked, notes, goal };
}

const updated = (status: string) =>
  ({
    method: "thread/goal/updated",
    params: {
      threadId: "t1",
      goal: { objective: "x", status, tokenBudget: null, tokensUsed: 0, timeUsedSeconds: 0 },
    },
  }) as ServerNotification;
const cleared = { method: "thread/goal/cleared", params: { threadId: "t1" } } as ServerNotification;

describe("a goal", () => {
  it("lets Codex begin turns from when the user sets it", async () => {
    const { goal, backend, loaded, notes } = await place();
    // Whoever says so inside: what is told gives nothing.
    goal.onNotification(updated("active"));
    expect(goal.begin(loaded, "u1")).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining("no goal is active")]);
    goal.pursue(backend);
    goal.onNotification(updated("active"));
    expect(goal.begin(loaded, "u2")).toBeDefined();
  });

  it.each<[string, ServerNotification]>([
    ["complete", updated("complete")],
    ["blocked", updated("blocked")],
    ["paused", updated("paused")],
    ["out of its budget", updated("budgetLimited")],
    ["in an unknown state", updated("toString")],
    ["cleared", cleared],
  ])("no longer lets Codex begin turns when it is %s", async (_name, told) => {
    const { goal, backend, loaded } = await place();
    goal.pursue(backend);
    goal.onNotification(told);
    goal.onNotification(updated("active"));
    expect(goal.begin(loaded, "u1")).toBeUndefined();
    goal.renew();
    goal.follow(backend);
    expect(goal.begin(loaded, "u2")).toBeUndefined();
  });

  it("ends with a stop, which is reported to Codex", async () => {
    const { goal, backend, loaded, asked } = await place();
    goal.pursue(backend);
    goal.stop(loaded);
    expect(goal.begin(loaded, "u1")).toBeUndefined();
    expect(asked).toEqual(["thread/goal/set paused"]);
    goal.stop(loaded);
    expect(asked).toHaveLength(1);
  });

  it("applies to the backend that it was set in, until the user sends something to another", async () => {
    const [{ goal, backend, loaded }, other] = [await place(), await place()];
    goal.pursue(backend);
    expect(goal.begin(other.loaded, "u1")).toBeUndefined();
    goal.follow(other.backend);
    expect(goal.begin(other.loaded, "u1")).toBeDefined();
    expect(goal.begin(loaded, "u1")).toBeUndefined();
  });

  it("is paused with a note when its turns have used their allowance, and continues on command", async () => {
    const { goal, backend, loaded, asked, notes } = await place();
    goal.pursue(backend);
    for (let n = 0; n < 100; n++) goal.begin(loaded, `u${n}`)?.end();
    expect(goal.begin(loaded, "u100")).toBeUndefined();
    expect(notes).toEqual([
      "The goal is paused: Codex has started 100 turns by itself, the most that are allowed. It cannot call the model. To continue: :CodexChat goal resume.",
    ]);
    expect(asked).toEqual(["turn/interrupt", "thread/goal/set paused"]);
    expect(goal.isPursued).toBe(false);
    goal.pursue(backend);
    expect(goal.begin(loaded, "u101")).toBeDefined();
    goal.renew();
  });
});
