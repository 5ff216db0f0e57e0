import { z } from "zod";
import { ok } from "../../result.ts";
import type { Conversation } from "../conversation.ts";
import { type Action, action } from "./action.ts";

/** Telling how things stand. Starts nothing: what does not run has no state to tell. */
export const statusActions: readonly Action[] = [
  action("status/read", z.object({}), async (conversation) => {
    const { thread, document, host } = conversation;
    const { model_url: modelUrl, approvals } = host.settings;
    return ok({
      model: thread.model ?? host.settings.model ?? "Codex's default",
      effort: thread.effort ?? "",
      plan: thread.choice.plan,
      approvals,
      endpoint: new URL(modelUrl).host,
      running: thread.loaded !== undefined,
      sandbox: thread.loaded?.backend.sandboxLabel ?? "",
      thread: thread.id ?? "",
      refused: conversation.refusedHosts,
      instructions: thread.facts?.instructions ?? [],
      ...(document.usage === undefined ? {} : { usage: document.usage }),
      servers: await listServers(conversation),
    });
  }),
  action("mcp/list", z.object({}), async (conversation) => ok(await listServers(conversation))),
];

/** An MCP server, and what it offers. */
type Server = {
  readonly name: string;
  readonly state: string;
  readonly tools: readonly string[];
};

async function listServers(conversation: Conversation): Promise<readonly Server[]> {
  const configured = Object.keys(conversation.host.settings.mcp_servers);
  const { loaded } = conversation.thread;
  if (loaded === undefined || configured.length === 0)
    return configured.map((name) => ({ name, state: "not started", tools: [] }));
  const listed = await loaded.client.request("mcpServerStatus/list", {
    threadId: loaded.threadId,
  });
  const found = listed.ok ? listed.value.data : [];
  return configured.map((name) => {
    const server = found.find((it) => it.name === name);
    const state = server?.toolsError ?? server?.runtimeStatus ?? "not running";
    return { name, state, tools: Object.keys(server?.tools ?? {}) };
  });
}
