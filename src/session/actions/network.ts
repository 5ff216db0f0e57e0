import { z } from "zod";
import { err, ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import { type Action, action } from "./action.ts";

/** What the sandbox may reach besides the model, by who said so. */
export type AllowedHosts = {
  readonly config: readonly string[];
  readonly project: readonly string[];
  readonly conversation: readonly string[];
  readonly ask: boolean;
};

/** Listing what was allowed in answer to questions, and taking it back. */
export const networkActions: readonly Action[] = [
  action("network/list", z.object({}), async (conversation) => ok(await hostsOf(conversation))),
  action(
    "network/forget",
    z.object({ entry: z.string().min(1) }),
    async (conversation, { entry }) => {
      const { network } = conversation.host;
      const isGone = await network.grants.forget(entry, conversation.threadId ?? "");
      return isGone
        ? ok()
        : err({
            kind: "not_found",
            message: `${entry} was not allowed in answer to a question; what the configuration allows is taken back there (network.allow).`,
          });
    },
  ),
];

/** What stands in the configuration, and what this project and conversation were given. */
export async function hostsOf({ host, threadId }: Conversation): Promise<AllowedHosts> {
  const { grants } = host.network;
  await grants.load();
  return {
    config: host.settings.network.allow,
    project: grants.entries("project"),
    conversation: threadId === undefined ? [] : grants.entries("conversation", threadId),
    ask: host.settings.network.ask,
  };
}
