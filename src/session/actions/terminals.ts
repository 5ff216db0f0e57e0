import { commandBlock } from "../../chat/reducer/index.ts";
import { ok } from "../../result.ts";
import type { Conversation } from "../conversation/index.ts";
import type { LoadedThread } from "../thread/index.ts";
import type { ActionHandlers } from "./action.ts";

function list({ client, threadId }: LoadedThread) {
  return client.request("thread/backgroundTerminals/list", { threadId });
}

/** Makes the text say that the matching commands were stopped, whatever their exit code. */
async function noteStopped(
  conversation: Conversation,
  thread: LoadedThread,
  matches: (processId: string) => boolean,
): Promise<void> {
  const listed = await list(thread);
  if (!listed.ok) return;
  const stopped = listed.value.data.filter(({ processId }) => matches(processId));
  const ids = stopped.map(({ itemId }) => itemId);
  conversation.document.apply({ type: "commands_stopped", ids });
}

/** Commands that keep running after their turn. */
export const terminalActions = {
  "terminals/list": (conversation) =>
    conversation.withThread(async (thread) => {
      const listed = await list(thread);
      return listed.ok
        ? ok(
            listed.value.data.map(({ itemId, processId, command, cwd }) => {
              const block = commandBlock(conversation.document.standing, itemId);
              return { id: processId, command, cwd, ...(block === undefined ? {} : { block }) };
            }),
          )
        : listed;
    }),
  "terminals/clean": (conversation) =>
    conversation.withThread(async (thread) => {
      await noteStopped(conversation, thread, () => true);
      const { client, threadId } = thread;
      return client.request("thread/backgroundTerminals/clean", { threadId });
    }),
  "terminals/stop": (conversation, { id }) =>
    conversation.withThread(async (thread) => {
      await noteStopped(conversation, thread, (processId) => processId === id);
      const { client, threadId } = thread;
      return client.request("thread/backgroundTerminals/terminate", { threadId, processId: id });
    }),
} satisfies Partial<ActionHandlers>;
