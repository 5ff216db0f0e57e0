import type { ActionResult } from "../../nvim/index.ts";
import { err, ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { ActionHandlers } from "./action.ts";

/** Lists what the user has allowed in answer to questions, and takes it back. */
export const networkActions = {
  "network/list": async (conversation) => ok(await hostsOf(conversation)),
  "network/forget": async (conversation, { entry }) => {
    const { network } = conversation.host;
    const isGone = await network.grants.forget(entry, conversation.threadId ?? "");
    return isGone
      ? ok()
      : err({
          kind: "not_found",
          message: `${entry} was not allowed by an answer to a question. An entry of the configuration is removed there (network.allow).`,
        });
  },
} satisfies Partial<ActionHandlers>;

/** The hosts that the configuration allows, and those that the user allowed here. */
export async function hostsOf({
  host,
  threadId,
}: Conversation): Promise<ActionResult<"network/list">> {
  const { grants } = host.network;
  await grants.load();
  return {
    config: host.settings.network.allow,
    project: grants.entries("project"),
    conversation: threadId === undefined ? [] : grants.entries("conversation", threadId),
    ask: host.settings.network.ask,
  };
}
