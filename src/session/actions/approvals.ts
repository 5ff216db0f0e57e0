import { err, ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { ActionHandlers } from "./action.ts";

/** When Codex asks before it acts, in this conversation, from the next turn on. */
export const approvalActions = {
  "approvals/list": async (conversation) =>
    ok({ current: conversation.thread.approvals, offered: offeredTo(conversation) }),
  "approvals/set": async (conversation, { policy }) => {
    const approvals = offeredTo(conversation).find((offered) => offered === policy);
    if (approvals !== undefined) {
      conversation.choose({ ...conversation.thread.choice, approvals });
      return ok();
    }
    if (policy === "untrusted")
      return err({
        kind: "invalid_params",
        message: "Codex must be started differently to ask about everything.",
        fix: 'Set `approvals = "untrusted"` in the configuration: the sandbox restarts with your next message.',
      });
    return err({
      kind: "invalid_params",
      message: `Approvals are ${offeredTo(conversation).join(" or ")}, not ${policy}.`,
    });
  },
} satisfies Partial<ActionHandlers>;

/**
 * The policies that can be chosen while Codex runs. "untrusted" is one only if Codex was started with
 * it: only then does it lack terminals, into which it could type without asking.
 */
function offeredTo({ host }: Conversation) {
  const always = ["never", "on-request"] as const;
  return host.settings.approvals === "untrusted" ? ([...always, "untrusted"] as const) : always;
}
