import type { CodexClient, CodexError } from "../../codex/index.ts";
import type { Result } from "../../result.ts";
import type { CodexAnswer, CodexRequest } from "../../threads/index.ts";
import { forgetThread } from "./delete-threads.ts";

/** Has Codex rename, archive or delete its thread as the user did the conversation. Starts nothing. */
export async function tellCodex(
  client: CodexClient | undefined,
  request: CodexRequest,
): Promise<CodexAnswer> {
  if (client === undefined) return { isTold: false };
  const done = await ask(client, request);
  return done.ok ? { isTold: true } : { isTold: false, reason: reasonOf(done.error.message) };
}

function ask(
  client: CodexClient,
  { task, thread, name = "" }: CodexRequest,
): Promise<Result<void, CodexError>> {
  switch (task) {
    case "rename":
      return client.request("thread/name/set", { threadId: thread, name });
    case "archive":
      return client.request("thread/archive", { threadId: thread });
    case "unarchive":
      return client.request("thread/unarchive", { threadId: thread });
    case "delete":
      return forgetThread(client, thread);
  }
}

/** Codex's own words, but for the one refusal that users meet. */
function reasonOf(message: string): string {
  return message.includes("forked history still references it")
    ? "Codex keeps its memory of it while a fork needs it"
    : message;
}
