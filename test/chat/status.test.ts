import { describe, expect, it } from "vitest";
import { reduceAll } from "../../src/chat/reducer/reduce.ts";
import { initialState } from "../../src/chat/state.ts";
import { openClient, settle } from "../codex/as-app-server.ts";
import { root } from "./replay.ts";

/** What Codex says as it says it, and what the conversation then knows. */
async function stateAfter(...said: readonly object[]) {
  const { say, told } = openClient();
  say(...said);
  await settle();
  return reduceAll(initialState({ root }), told);
}

const limits = (primary: object | null, secondary: object | null) => ({
  method: "account/rateLimits/updated",
  params: {
    rateLimits: {
      ...{ limitId: "codex", limitName: null, normalModelSlug: null, credits: null },
      ...{ individualLimit: null, spendControlReached: null, rateLimitReachedType: null },
      ...{ planType: "plus", primary, secondary },
    },
  },
});
const startup = (status: string, error: string | null) => ({
  method: "mcpServer/startupStatus/updated",
  params: { threadId: "t1", name: "s", status, error },
});

describe("what is told beside the text", () => {
  it("are the account's limits, of which an update changes what it names", async () => {
    const hours = { usedPercent: 42.4, windowDurationMins: 300, resetsAt: 1_700_000_000 };
    const week = { usedPercent: 7, windowDurationMins: 10_080, resetsAt: null };
    const { state, edits } = await stateAfter(
      limits(hours, week),
      limits({ ...hours, usedPercent: 43 }, null),
    );
    expect(state.limits).toEqual({ primary: { ...hours, usedPercent: 43 }, secondary: week });
    expect(edits).toEqual([]);
  });

  it("are no limits where they come in a form that nobody knows", async () => {
    const { state } = await stateAfter(limits({ usedPercent: "much" }, null));
    expect(state.limits?.primary ?? undefined).toBeUndefined();
  });

  it("is why an MCP server could not be started, until it is", async () => {
    const failed = startup("failed", "MCP client for `s` failed to start: no such program");
    expect([...(await stateAfter(failed)).state.brokenServers]).toEqual([["s", "no such program"]]);
    expect((await stateAfter(failed, startup("ready", null))).state.brokenServers.size).toBe(0);
  });
});
