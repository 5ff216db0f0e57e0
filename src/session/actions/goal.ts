import { z } from "zod";
import { err, ok } from "../../result.ts";
import { type Action, action } from "./action.ts";

/** A goal that Codex works towards, turn after turn, until it is reached, paused or out of budget. */
export const goalActions: readonly Action[] = [
  action(
    "goal/set",
    z.object({ objective: z.string().min(1).max(4000).optional(), active: z.boolean() }),
    (conversation, { objective, active }) =>
      conversation.withThread(async ({ client, threadId }) => {
        // Before Codex may begin: its first turn comes by itself.
        conversation.pursuesGoal = active;
        const set = await client.request("thread/goal/set", {
          threadId,
          status: active ? "active" : "paused",
          ...(objective === undefined ? {} : { objective }),
        });
        if (!set.ok) conversation.pursuesGoal = false;
        return set.ok ? ok(set.value.goal.objective) : err(set.error);
      }),
  ),
  action("goal/clear", z.object({}), (conversation) =>
    conversation.withThread(({ client, threadId }) => {
      conversation.pursuesGoal = false;
      return client.request("thread/goal/clear", { threadId });
    }),
  ),
];
