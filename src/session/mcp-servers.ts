import { z } from "zod";
import type { McpServerConfig } from "../codex/index.ts";

/** A server that is started inside the sandbox, in Codex's own words (`[mcp_servers.<name>]`, 0.169). */
const LocalServer = z.strictObject({
  command: z.string().min(1),
  args: z.array(z.string()).optional(),
  /** SECURITY: visible to everything inside. */
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().min(1).optional(),
  startup_timeout_sec: z.number().positive().optional(),
  tool_timeout_sec: z.number().positive().optional(),
  enabled: z.boolean().optional(),
  required: z.boolean().optional(),
  enabled_tools: z.array(z.string()).optional(),
  disabled_tools: z.array(z.string()).optional(),
});

/** A server elsewhere, which the sandbox does not reach. */
const RemoteServer = z.looseObject({ url: z.url() });

/** The user's MCP servers by name. A name becomes part of a key of Codex's configuration. */
export const McpServers = z.record(
  z.string().regex(/^[A-Za-z0-9_-]+$/, "a name has letters, digits, - and _ only"),
  z.union([RemoteServer, LocalServer]),
);
export type McpServers = z.infer<typeof McpServers>;

/** Those that can run, and a sentence about each that cannot. */
export function usableServers(servers: McpServers): {
  readonly servers: Readonly<Record<string, McpServerConfig>>;
  readonly notes: readonly string[];
} {
  const usable: Record<string, McpServerConfig> = {};
  const notes: string[] = [];
  for (const [name, server] of Object.entries(servers)) {
    if ("command" in server && LocalServer.safeParse(server).success)
      usable[name] = server as z.infer<typeof LocalServer>;
    else
      notes.push(
        `The MCP server ${name} is reached over the network, which the sandbox does not have. Configure one that is started by a command.`,
      );
  }
  return { servers: usable, notes };
}
