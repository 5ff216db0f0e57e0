import { z } from "zod";
import { ok, type Result } from "../../result.ts";
import type { Backend } from "../backend/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { forgetThread } from "../delete-threads.ts";
import type { Failure } from "../failure.ts";
import { type Action, action } from "./action.ts";

/** A thread of the project; not needed to be that of the conversation which is asked through. */
const Thread = z.object({ thread: z.string().min(1) });

/** Whether Codex has heard of it, and why not where it was asked. */
type Told = { readonly told: boolean; readonly reason?: string };

/** What the editor does with conversations as files, told to Codex where it runs; starts nothing. */
export const threadActions: readonly Action[] = [
  action("threads/name", Thread.extend({ name: z.string().min(1) }), (conversation, params) =>
    tell(conversation, ({ client }) =>
      client.request("thread/name/set", { threadId: params.thread, name: params.name }),
    ),
  ),
  action("threads/archive", Thread, (conversation, { thread }) =>
    tell(conversation, ({ client }) => client.request("thread/archive", { threadId: thread })),
  ),
  action("threads/unarchive", Thread, (conversation, { thread }) =>
    tell(conversation, ({ client }) => client.request("thread/unarchive", { threadId: thread })),
  ),
  action("threads/forget", Thread, (conversation, { thread }) =>
    tell(conversation, ({ client }) => forgetThread(client, thread)),
  ),
];

async function tell(
  conversation: Conversation,
  request: (backend: Backend) => Promise<Result<void, Failure>>,
): Promise<Result<Told, Failure>> {
  const backend = conversation.host.running();
  if (backend === undefined) return ok({ told: false });
  const done = await request(backend);
  return ok(done.ok ? { told: true } : { told: false, reason: reasonOf(done.error.message) });
}

/** Codex's own words, but for the one refusal that users meet. */
function reasonOf(message: string): string {
  return message.includes("forked history still references it")
    ? "Codex keeps its memory of it while a fork needs it"
    : message;
}
