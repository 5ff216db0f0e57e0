import type { McpServerConfig } from "../../codex/index.ts";

/** Hosts that are inside and are reached without a proxy. */
const INSIDE = "127.0.0.1,localhost,::1";
/** As long as a request may wait for the user's answer; a tool's own patience is often shorter. */
const PATIENCE_SECONDS = "300";

/**
 * The environment in which programs inside find the way out. The usual tools read the plain
 * variables: curl, git, npm, pnpm, pip, cargo, go, apt and what is built on their libraries.
 */
export function proxyEnv(port: number): Readonly<Record<string, string>> {
  const proxy = `http://127.0.0.1:${port}`;
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: INSIDE,
    no_proxy: INSIDE,
    // Node's own clients look for a proxy only if they are told to (24, 22.21).
    NODE_USE_ENV_PROXY: "1",
    // Yarn from 2 on has names of its own.
    YARN_HTTP_PROXY: proxy,
    YARN_HTTPS_PROXY: proxy,
    // These give up after 15 and 30 seconds.
    PIP_DEFAULT_TIMEOUT: PATIENCE_SECONDS,
    CARGO_HTTP_TIMEOUT: PATIENCE_SECONDS,
  };
}

/** Codex gives a server ten seconds to start (0.169); those that fetch something ask the user first. */
const START_SECONDS = 120;

/**
 * Codex starts MCP servers in an environment of their own: hands the way out on, where they set
 * none, and gives them time.
 */
export function withProxy(
  servers: Readonly<Record<string, McpServerConfig>>,
  proxy: Readonly<Record<string, string>>,
): Readonly<Record<string, McpServerConfig>> {
  return Object.fromEntries(
    Object.entries(servers).map(([name, server]) => {
      // One that is reached elsewhere is asked by Codex itself.
      if (!("command" in server)) return [name, server];
      const { env } = server;
      const own = typeof env === "object" && !Array.isArray(env) ? env : {};
      const isTimed = "startup_timeout_sec" in server || "startup_timeout_ms" in server;
      const time = isTimed ? {} : { startup_timeout_sec: START_SECONDS };
      return [name, { ...server, ...time, env: { ...proxy, ...own } }];
    }),
  );
}
