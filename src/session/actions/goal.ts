import { z } from "zod";
import { err, ok } from "../../result.ts";
import { type Action, action } from "./action.ts";

/** A goal that Codex works towards, turn after turn, until it is reached, paused or out of budget. */
export const goalActions: readonly Action[] = [
  action(
    "goal/set",
    z.object({ objective: z.string().min(1).max(4000).optional(), active: z.boolean() }),
    (conversation, { objective, active }) =>
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
  ),
  action("goal/clear", z.object({}), (conversation) =>
    conversation.withThread(({ client, threadId }) => {
      conversation.goal.end();
      return client.request("thread/goal/clear", { threadId });
    }),
  ),
];
