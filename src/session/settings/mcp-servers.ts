import * as z from "zod";
import type { McpServerConfig } from "../../codex/index.ts";
import { AllowList } from "../../egress/network/index.ts";

/** An empty Lua table arrives as a list. */
const Empty = z.array(z.never()).transform((): Record<string, never> => ({}));

function table<V extends z.ZodType>(value: V) {
  return z.union([z.record(z.string(), value), Empty]).optional();
}

const Approval = z.enum(["auto", "prompt", "approve"]);
const Seconds = z.number().positive();
const Names = z.array(z.string());

/** The fields that every server may have, named as in Codex (`[mcp_servers.<name>]`, 0.169). */
const shared = {
  enabled: z.boolean().optional(),
  required: z.boolean().optional(),
  startup_timeout_sec: Seconds.optional(),
  startup_timeout_ms: Seconds.optional(),
  tool_timeout_sec: Seconds.optional(),
  enabled_tools: Names.optional(),
  disabled_tools: Names.optional(),
  supports_parallel_tool_calls: z.boolean().optional(),
  default_tools_approval_mode: Approval.optional(),
  tools: table(z.union([z.strictObject({ approval_mode: Approval.optional() }), Empty])),
};

/** A server that is started inside the sandbox. */
const LocalServer = z.strictObject({
  ...shared,
  command: z.string().min(1),
  args: Names.optional(),
  /** SECURITY: visible to everything inside. */
  env: table(z.string()),
  /** Variables passed on to it; inside there are only those of `sandbox.env`. */
  env_vars: Names.optional(),
  cwd: z.string().min(1).optional(),
});

/** A remote server, which the sandbox reaches if its host is in `network.allow`. */
const RemoteServer = z.strictObject({
  ...shared,
  url: z.url({ protocol: /^https?$/ }),
  bearer_token_env_var: z.string().optional(),
  http_headers: table(z.string()),
  env_http_headers: table(z.string()),
  scopes: Names.optional(),
  oauth_resource: z.string().optional(),
});

/**
 * The user's MCP servers by name; parsed one by one, so that a wrong one does not affect others.
 */
export const McpServers = z.union([z.record(z.string(), z.unknown()), Empty]);
export type McpServers = z.infer<typeof McpServers>;

/** Codex accepts no other names (0.169), and a name becomes part of a configuration key. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** The configured servers, sorted by whether they can run. */
export type UsableServers = {
  readonly servers: Readonly<Record<string, McpServerConfig>>;
  /** Why the others cannot run, by name. */
  readonly refused: Readonly<Record<string, string>>;
  /** Notes for the user about those, and about variables that the others lack. */
  readonly notes: readonly string[];
};

/**
 * Sorts the configured servers. `insideEnv` is the container's environment, `allow` is what the
 * settings let it reach: Codex starts servers outside of turns, when the user is not asked.
 *
 * SECURITY: no secret enters the sandbox unless the user put it into `env` or `sandbox.env`. A
 * server that takes one from another variable gets a note that the variable is missing.
 */
export function usableServers(
  servers: McpServers,
  insideEnv: Readonly<Record<string, string>> = {},
  allow: readonly string[] = [],
): UsableServers {
  const list = AllowList.parse(allow);
  const allowed = list.ok ? list.value : AllowList.none;
  const usable: Record<string, McpServerConfig> = {};
  const refused: Record<string, string> = {};
  const notes: string[] = [];
  for (const [name, server] of Object.entries(servers)) {
    const read = readServer(name, server, allowed);
    if ("reason" in read) {
      refused[name] = read.reason;
      if (!isOff(server)) notes.push(`The MCP server ${shown(name)} is left out: ${read.reason}`);
      continue;
    }
    usable[name] = read.server;
    const own = "command" in read.server ? read.server.env : undefined;
    const missing = wanted(read.server).filter(
      (variable) => insideEnv[variable] === undefined && own?.[variable] === undefined,
    );
    if (missing.length > 0 && !isOff(server)) notes.push(missingText(name, missing));
  }
  return { servers: usable, refused, notes };
}

/** The names of the servers that Codex is to start. */
export function enabledServers({
  mcp_servers: servers,
  sandbox,
  network,
}: {
  readonly mcp_servers: McpServers;
  readonly sandbox: { readonly env: Readonly<Record<string, string>> };
  readonly network: { readonly allow: readonly string[] };
}): readonly string[] {
  const usable = usableServers(servers, sandbox.env, network.allow).servers;
  return Object.keys(usable).filter((name) => usable[name]?.["enabled"] !== false);
}

type Server = z.infer<typeof LocalServer> | z.infer<typeof RemoteServer>;

/** The variables that a server reads from its environment. */
function wanted(server: Server): readonly string[] {
  if ("command" in server) return server.env_vars ?? [];
  const { bearer_token_env_var: token, env_http_headers: headers } = server;
  return [...(token === undefined ? [] : [token]), ...Object.values(headers ?? {})];
}

function readServer(
  name: string,
  server: unknown,
  allowed: AllowList,
): { readonly server: Server } | { readonly reason: string } {
  if (!NAME.test(name)) return { reason: "a name may have only letters, digits, - and _." };
  const isRemote = typeof server === "object" && server !== null && "url" in server;
  const parsed = (isRemote ? RemoteServer : LocalServer).safeParse(server);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
    return { reason: `${where}${issue?.message ?? "it is invalid"}. See :help codex-chat-mcp.` };
  }
  if ("command" in parsed.data) return { server: parsed.data };
  const checked = allowed.checkUrl(new URL(parsed.data.url));
  return checked.ok
    ? { server: parsed.data }
    : { reason: remoteReason(parsed.data, checked.error) };
}

function remoteReason(
  { url, bearer_token_env_var: token }: z.infer<typeof RemoteServer>,
  entry: string,
): string {
  const secret =
    token === undefined
      ? ""
      : ` It also needs the secret in ${token}, which is kept out of the sandbox.`;
  return `it is reached at ${new URL(url).host} over the network; network.allow = { "${entry}" } allows that.${secret}`;
}

function missingText(name: string, missing: readonly string[]): string {
  return `The MCP server ${shown(name)} reads ${missing.join(", ")} from the environment, which the sandbox does not have. Set it in the server's env if everything in the sandbox may read it.`;
}

function isOff(server: unknown): boolean {
  return z.looseObject({ enabled: z.literal(false) }).safeParse(server).success;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
