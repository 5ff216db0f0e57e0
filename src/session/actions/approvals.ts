import { z } from "zod";
import { err, ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import { type Action, action } from "./action.ts";

/** When Codex asks, of this conversation, from the next turn on. */
export const approvalActions: readonly Action[] = [
  action("approvals/list", z.object({}), async (conversation) =>
    ok({ current: conversation.thread.approvals, offered: offeredTo(conversation) }),
  ),
  action("approvals/set", z.object({ policy: z.string() }), async (conversation, { policy }) => {
    const approvals = offeredTo(conversation).find((it) => it === policy);
    if (approvals !== undefined) {
      conversation.choose({ ...conversation.thread.choice, approvals });
      return ok();
    }
    return err({
      kind: "invalid_params",
      message:
        policy === "untrusted"
          ? 'Codex is started otherwise where it is to ask for everything. Put `approvals = "untrusted"` into the configuration and restart Neovim.'
          : `Approvals are ${offeredTo(conversation).join(" or ")}, not ${policy}.`,
    });
  }),
];

/**
 * What can be chosen while Codex runs. "untrusted" is not, unless Codex was started for it: only then
 * has it no terminals, into which it could type without asking.
 */
function offeredTo({ host }: Conversation) {
  const always = ["never", "on-request"] as const;
  return host.settings.approvals === "untrusted" ? ([...always, "untrusted"] as const) : always;
}
