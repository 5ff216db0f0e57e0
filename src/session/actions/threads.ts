import { ok, type Result } from "../../result.ts";
import type { Backend } from "../backend/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { forgetThread } from "../delete-threads.ts";
import type { Failure } from "../failure.ts";
import type { ActionAnswer, ActionHandlers } from "./action.ts";

/** What the editor does to conversations as files, passed on to Codex if it runs. Starts nothing. */
export const threadActions = {
  "threads/name": (conversation, params) =>
    tell(conversation, ({ client }) =>
      client.request("thread/name/set", { threadId: params.thread, name: params.name }),
    ),
  "threads/archive": (conversation, { thread }) =>
    tell(conversation, ({ client }) => client.request("thread/archive", { threadId: thread })),
  "threads/unarchive": (conversation, { thread }) =>
    tell(conversation, ({ client }) => client.request("thread/unarchive", { threadId: thread })),
  "threads/forget": (conversation, { thread }) =>
    tell(conversation, ({ client }) => forgetThread(client, thread)),
} satisfies Partial<ActionHandlers>;

async function tell(
  conversation: Conversation,
  request: (backend: Backend) => Promise<Result<void, Failure>>,
): ActionAnswer<"threads/archive"> {
  const backend = conversation.host.running();
  if (backend === undefined) return ok({ told: false });
  const done = await request(backend);
  return ok(done.ok ? { told: true } : { told: false, reason: reasonOf(done.error.message) });
}

/** Codex's own words, except for the one refusal that users meet. */
function reasonOf(message: string): string {
  return message.includes("forked history still references it")
    ? "Codex keeps its memory of it while a fork needs it"
    : message;
}
