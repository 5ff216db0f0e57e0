import { describe, expect, it } from "vitest";
import { reduceAll } from "../../src/chat/reducer/reduce.ts";
import { initialState } from "../../src/chat/state.ts";
import { openClient, settle } from "../codex/as-app-server.ts";
import { root } from "./replay.ts";

/** The state of a conversation after these messages of Codex. */
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

describe("the status of a conversation", () => {
  it("has the account's limits, of which an update changes only those that it contains", async () => {
    const hours = { usedPercent: 42.4, windowDurationMins: 300, resetsAt: 1_700_000_000 };
    const week = { usedPercent: 7, windowDurationMins: 10_080, resetsAt: null };
    const { state, edits } = await stateAfter(
      limits(hours, week),
      limits({ ...hours, usedPercent: 43 }, null),
    );
    expect(state.limits).toEqual({ primary: { ...hours, usedPercent: 43 }, secondary: week });
    expect(edits).toEqual([]);
  });

  it("has no limits if they come in an unknown form", async () => {
    const { state } = await stateAfter(limits({ usedPercent: "much" }, null));
    expect(state.limits?.primary ?? undefined).toBeUndefined();
  });

  it("says why an MCP server could not be started, until it has started", async () => {
    const failed = startup("failed", "MCP client for `s` failed to start: no such program");
    expect([...(await stateAfter(failed)).state.brokenServers]).toEqual([["s", "no such program"]]);
    expect((await stateAfter(failed, startup("ready", null))).state.brokenServers.size).toBe(0);
  });
});
