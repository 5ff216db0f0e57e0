import type { ActionResult } from "../../nvim/index.ts";
import { ok } from "../../result.ts";
import { endpointOf } from "../auth/index.ts";
import type { Conversation } from "../conversation/index.ts";
import { startFault } from "../hooks/index.ts";
import { usableServers } from "../settings/index.ts";
import type { ActionHandlers } from "./action.ts";
import { hostsOf } from "./network.ts";

/** The state of a conversation. Starts nothing. */
export const statusActions = {
  "status/read": async (conversation) => {
    const { thread, document, host } = conversation;
    const endpoint = endpointOf(host.settings);
    const { usage, limits } = document.standing;
    return ok({
      model: thread.model ?? host.settings.model ?? "Codex's default",
      effort: thread.effort ?? "",
      plan: thread.choice.plan,
      approvals: thread.approvals,
      endpoint: endpoint.ok ? endpoint.value.url.host : endpoint.error.message,
      credential: await host.credential(),
      running: thread.loaded !== undefined,
      sandbox: thread.loaded?.backend.sandboxLabel ?? "",
      thread: thread.id ?? "",
      refused: conversation.network.refusedHosts,
      network: await hostsOf(conversation),
      instructions: thread.facts?.instructions ?? [],
      ...(usage === undefined ? {} : { usage }),
      limits: [limits?.primary, limits?.secondary].filter((limit) => limit != null),
      servers: await listServers(conversation),
    });
  },
  "mcp/list": async (conversation) => ok(await listServers(conversation)),
} satisfies Partial<ActionHandlers>;

async function listServers(conversation: Conversation): Promise<ActionResult<"mcp/list">> {
  const { mcp_servers: configured, sandbox, network } = conversation.host.settings;
  const { servers, refused } = usableServers(configured, sandbox.env, network.allow);
  const { loaded } = conversation.thread;
  const listed =
    loaded === undefined || Object.keys(servers).length === 0
      ? undefined
      : await loaded.client.request("mcpServerStatus/list", { threadId: loaded.threadId });
  const found = listed?.ok ? listed.value.data : [];
  return Object.keys(configured).map((name) => {
    const server = found.find((one) => one.name === name);
    const why =
      refused[name] ?? (servers[name]?.["enabled"] === false ? "switched off" : undefined);
    const state =
      why ??
      notStarted(conversation.document.standing.brokenServers.get(name)) ??
      toolsFault(name, server?.toolsError, servers[name]) ??
      server?.runtimeStatus ??
      (loaded ? "not running" : "not started");
    return { name, state, tools: Object.keys(server?.tools ?? {}) };
  });
}

/** The same text as in the notification about a server's start, which may come later than this. */
function toolsFault(name: string, error: string | null | undefined, server: unknown) {
  if (error == null || !/startup failed|failed to start/.test(error)) return error;
  return notStarted(startFault(name, error, server));
}

/** Why a server could not be started, as part of a line. */
function notStarted(why: string | undefined): string | undefined {
  if (why === undefined) return undefined;
  return why === "" ? "could not be started" : `could not be started: ${why}`;
}
