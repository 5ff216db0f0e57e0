import type { ActionResult } from "../../nvim/index.ts";
import { ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { ActionAnswer, ActionHandlers } from "./action.ts";

/** Choosing model, effort and mode, from the next turn on. */
export const modelActions = {
  "model/list": listModels,
  "model/set": async (conversation, { model, effort }) => {
    conversation.choose({
      ...conversation.thread.choice,
      ...(model === undefined ? {} : { model }),
      ...(effort === undefined ? {} : { effort }),
    });
    return ok();
  },
  "plan/set": async (conversation, { on }) => {
    const plan = on ?? !conversation.thread.choice.plan;
    conversation.choose({ ...conversation.thread.choice, plan });
    return ok({ on: plan });
  },
} satisfies Partial<ActionHandlers>;

async function listModels(conversation: Conversation): ActionAnswer<"model/list"> {
  return conversation.withThread(async ({ client }) => {
    const models: ActionResult<"model/list">[number][] = [];
    let cursor: string | undefined;
    do {
      const page = await client.request("model/list", cursor === undefined ? {} : { cursor });
      if (!page.ok) return page;
      const current = conversation.thread.model;
      for (const model of page.value.data)
        models.push({
          model: model.model,
          name: model.displayName === "" ? model.model : model.displayName,
          description: model.description,
          isCurrent: model.model === current,
          effort: model.defaultReasoningEffort,
          efforts: model.supportedReasoningEfforts.map(({ reasoningEffort, description }) => ({
            effort: reasoningEffort,
            description,
          })),
        });
      cursor = page.value.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return ok(models);
  });
}
