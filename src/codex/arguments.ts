/** A server of tools that Codex starts, as `[mcp_servers.<name>]` has it. */
export type McpServerConfig = { readonly [key: string]: Value | undefined };

/** What Codex is told at its start. */
export type AppServerOptions = {
  /** The model's endpoint inside the sandbox, such as `http://127.0.0.1:4711/v1`. */
  readonly modelBaseUrl: string;
  readonly model?: string | undefined;
  readonly effort?: string | undefined;
  /** How long Codex waits for the next event of an answer. */
  readonly streamIdleMs: number;
  /**
   * Whether commands may have a terminal; by default they may. What is typed into one is never asked
   * about, whatever the approval policy (0.171): who is to be asked for every command must forbid it.
   */
  readonly terminals?: boolean | undefined;
  /** By name; names are of letters, digits, `-` and `_`. */
  readonly mcpServers?: Readonly<Record<string, McpServerConfig>>;
};

/** The provider's name in Codex's configuration. */
const PROVIDER = "codex-chat";

/**
 * The arguments of `codex` that start an app-server which dials nothing but the model's endpoint.
 *
 * Everything travels as `-c` overrides, never as a file: the host must not write into a directory
 * in which the agent may have put a symbolic link. Keys as of Codex 0.171.
 */
export function appServerArgs(options: AppServerOptions): string[] {
  const config: Record<string, Value> = {
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(options.effort === undefined ? {} : { model_reasoning_effort: options.effort }),
    model_provider: PROVIDER,
    [`model_providers.${PROVIDER}.name`]: "codex-chat.nvim",
    [`model_providers.${PROVIDER}.base_url`]: options.modelBaseUrl,
    [`model_providers.${PROVIDER}.wire_api`]: "responses",
    // The key is added on the host; Codex must neither have one nor look for one.
    [`model_providers.${PROVIDER}.requires_openai_auth`]: false,
    [`model_providers.${PROVIDER}.request_max_retries`]: 2,
    [`model_providers.${PROVIDER}.stream_max_retries`]: 2,
    [`model_providers.${PROVIDER}.stream_idle_timeout_ms`]: options.streamIdleMs,
    // The container is the sandbox; Codex's own cannot nest in it.
    sandbox_mode: "danger-full-access",
    // Each thread is told its own. With "untrusted" in a file, 0.171 does not start.
    approval_policy: "on-request",
    check_for_update_on_startup: false,
    web_search: "disabled",
    "analytics.enabled": false,
    "feedback.enabled": false,
    "otel.exporter": "none",
    "history.persistence": "none",
    // Plugins are fetched from hosts that the sandbox does not reach.
    "features.plugins": false,
    "features.remote_plugin": false,
    "features.apps": false,
    "tools.update_plan.enabled": true,
    ...(options.terminals === false ? { "features.unified_exec_tty": false } : {}),
    ...serverKeys(options.mcpServers ?? {}),
  };
  const overrides = Object.entries(config).flatMap(([key, value]) => [
    "-c",
    `${key}=${toml(value)}`,
  ]);
  return [...overrides, "app-server"];
}

/** A value of TOML, without dates. */
type Value =
  | string
  | number
  | boolean
  | readonly string[]
  | { readonly [key: string]: Value | undefined };

function serverKeys(servers: Readonly<Record<string, McpServerConfig>>): Record<string, Value> {
  const keys: Record<string, Value> = {};
  for (const [name, server] of Object.entries(servers))
    for (const [key, value] of Object.entries(server))
      if (value !== undefined) keys[`mcp_servers.${name}.${key}`] = value;
  return keys;
}

/**
 * A TOML value: JSON's strings and lists of them are TOML's, once DEL is escaped, too; a table has
 * its own form.
 */
function toml(value: Value): string {
  if (typeof value === "object" && !isList(value)) {
    const entries = Object.entries(value).flatMap(([key, entry]) =>
      entry === undefined ? [] : [`${toml(key)} = ${toml(entry)}`],
    );
    return `{ ${entries.join(", ")} }`;
  }
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}
