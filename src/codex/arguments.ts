/** An MCP server that Codex starts, as in `[mcp_servers.<name>]`. */
export type McpServerConfig = { readonly [key: string]: Value | undefined };

/** What the app-server is started with. */
export type AppServerOptions = {
  /** The model's endpoint inside the sandbox, such as `http://127.0.0.1:4711/v1`. */
  readonly modelBaseUrl: string;
  readonly model?: string | undefined;
  readonly effort?: string | undefined;
  /** How long Codex waits for the next event of a response. */
  readonly streamIdleMs: number;
  /**
   * Whether commands may have a terminal; by default they may. Codex never asks about input to a
   * terminal, whatever the approval policy (0.171), so a user who wants to be asked about everything
   * must forbid terminals.
   */
  readonly terminals?: boolean | undefined;
  /**
   * Whether commands run in login shells; by default they do. Without them, no profile is read, and
   * Codex need not take a snapshot of what it sets. Under gVisor the snapshot takes 0.4 s of the
   * first turn, and a profile without a snapshot 60 ms of each command (0.171).
   */
  readonly loginShells?: boolean | undefined;
  /** By name; names consist of letters, digits, `-` and `_`. */
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
    // The host adds the key; Codex must neither have one nor look for one.
    [`model_providers.${PROVIDER}.requires_openai_auth`]: false,
    [`model_providers.${PROVIDER}.request_max_retries`]: 2,
    [`model_providers.${PROVIDER}.stream_max_retries`]: 2,
    [`model_providers.${PROVIDER}.stream_idle_timeout_ms`]: options.streamIdleMs,
    // The container is the sandbox; Codex's own cannot nest in it.
    sandbox_mode: "danger-full-access",
    // Each thread gets its own. With "untrusted" in a file, Codex 0.171 does not start.
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
    ...(options.loginShells === false
      ? { allow_login_shell: false, "features.shell_snapshot": false }
      : {}),
    ...(options.terminals === false ? { "features.unified_exec_tty": false } : {}),
    ...serverKeys(options.mcpServers ?? {}),
  };
  const overrides = Object.entries(config).flatMap(([key, value]) => [
    "-c",
    `${key}=${toml(value)}`,
  ]);
  return [...overrides, "app-server"];
}

/** A TOML value other than a date. */
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
 * Writes a value as TOML: JSON's strings and lists of them are valid TOML once DEL is escaped, too; a
 * table has a form of its own.
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
