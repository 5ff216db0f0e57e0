import { z } from "zod";
import { commandBlock } from "../../chat/reducer/index.ts";
import { ok } from "../../result.ts";
import { type Action, action } from "./action.ts";

/** Commands that go on running after their turn. */
export const terminalActions: readonly Action[] = [
  action("terminals/list", z.object({}), (conversation) =>
    conversation.withThread(async ({ client, threadId }) => {
      const listed = await client.request("thread/backgroundTerminals/list", { threadId });
      return listed.ok
        ? ok(
            listed.value.data.map(({ itemId, processId, command, cwd }) => {
              const block = commandBlock(conversation.document.standing, itemId);
              return { id: processId, command, cwd, ...(block === undefined ? {} : { block }) };
            }),
          )
        : listed;
    }),
  ),
  action("terminals/clean", z.object({}), (conversation) =>
    conversation.withThread(({ client, threadId }) =>
      client.request("thread/backgroundTerminals/clean", { threadId }),
    ),
  ),
  action("terminals/stop", z.object({ id: z.string() }), (conversation, { id }) =>
    conversation.withThread(({ client, threadId }) =>
      client.request("thread/backgroundTerminals/terminate", { threadId, processId: id }),
    ),
  ),
];
