import { err, ok } from "../../result.ts";
import type { ActionHandlers } from "./action.ts";

/** A goal that Codex works towards, turn after turn, until it is reached, paused or out of budget. */
export const goalActions = {
  "goal/set": (conversation, { objective, active }) =>
    conversation.withThread(async ({ backend, client, threadId }) => {
      // Before Codex may begin: its first turn comes by itself.
      if (active) conversation.goal.pursue(backend);
      else conversation.goal.end();
      const set = await client.request("thread/goal/set", {
        threadId,
        status: active ? "active" : "paused",
        ...(objective === undefined ? {} : { objective }),
      });
      if (!set.ok) conversation.goal.end();
      return set.ok ? ok(set.value.goal.objective) : err(set.error);
    }),
  "goal/clear": (conversation) =>
    conversation.withThread(({ client, threadId }) => {
      conversation.goal.end();
      return client.request("thread/goal/clear", { threadId });
    }),
} satisfies Partial<ActionHandlers>;
