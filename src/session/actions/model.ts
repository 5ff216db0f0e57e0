import { z } from "zod";
import { ok, type Result } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { Failure } from "../failure.ts";
import { type Action, action } from "./action.ts";

/** Choosing model, effort and mode, from the next turn on. */
export const modelActions: readonly Action[] = [
  action("model/list", z.object({}), listModels),
  action(
    "model/set",
    z.object({ model: z.string().min(1).optional(), effort: z.string().min(1).optional() }),
    async (conversation, { model, effort }) => {
      conversation.choose({
        ...conversation.thread.choice,
        ...(model === undefined ? {} : { model }),
        ...(effort === undefined ? {} : { effort }),
      });
      return ok();
    },
  ),
  action("plan/set", z.object({ on: z.boolean().optional() }), async (conversation, { on }) => {
    const plan = on ?? !conversation.thread.choice.plan;
    conversation.choose({ ...conversation.thread.choice, plan });
    return ok({ on: plan });
  }),
];

/** A model as a picker shows it. */
type ListedModel = {
  readonly model: string;
  readonly name: string;
  readonly description: string;
  readonly isCurrent: boolean;
  readonly effort: string;
  readonly efforts: readonly { readonly effort: string; readonly description: string }[];
};

async function listModels(conversation: Conversation): Promise<Result<ListedModel[], Failure>> {
  return conversation.withThread(async ({ client }) => {
    const models: ListedModel[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.request("model/list", cursor === undefined ? {} : { cursor });
      if (!page.ok) return page;
      const current = conversation.thread.model;
      for (const it of page.value.data)
        models.push({
          model: it.model,
          name: it.displayName === "" ? it.model : it.displayName,
          description: it.description,
          isCurrent: it.model === current,
          effort: it.defaultReasoningEffort,
          efforts: it.supportedReasoningEfforts.map(({ reasoningEffort, description }) => ({
            effort: reasoningEffort,
            description,
          })),
        });
      cursor = page.value.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return ok(models);
  });
}
