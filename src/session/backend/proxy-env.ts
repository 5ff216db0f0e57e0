import type { McpServerConfig } from "../../codex/index.ts";

/** Hosts inside the sandbox, which are reached without the proxy. */
const INSIDE = "127.0.0.1,localhost,::1";
/**
 * As long as a request may wait for the user's answer; the tools' own time-outs are often shorter.
 */
const WAIT_SECONDS = "300";

/**
 * The environment variables through which programs inside find the proxy. Most tools read the
 * common ones: curl, git, npm, pnpm, pip, cargo, go, apt, and programs built on their libraries.
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
    // Node's own clients use a proxy only with this variable (Node 24, 22.21).
    NODE_USE_ENV_PROXY: "1",
    // Yarn 2 and newer has its own names.
    YARN_HTTP_PROXY: proxy,
    YARN_HTTPS_PROXY: proxy,
    // By default these time out after 15 and 30 seconds.
    PIP_DEFAULT_TIMEOUT: WAIT_SECONDS,
    CARGO_HTTP_TIMEOUT: WAIT_SECONDS,
  };
}

/**
 * Codex's default is ten seconds (0.169), too short if a server's downloads must wait for the user.
 */
const START_SECONDS = 120;

/**
 * Adds the proxy variables and a longer start-up time-out to MCP servers that do not set them;
 * Codex starts them in an environment of their own.
 */
export function withProxy(
  servers: Readonly<Record<string, McpServerConfig>>,
  proxy: Readonly<Record<string, string>>,
): Readonly<Record<string, McpServerConfig>> {
  return Object.fromEntries(
    Object.entries(servers).map(([name, server]) => {
      // Codex itself connects to a remote server.
      if (!("command" in server)) return [name, server];
      const { env } = server;
      const own = typeof env === "object" && !Array.isArray(env) ? env : {};
      const isTimed = "startup_timeout_sec" in server || "startup_timeout_ms" in server;
      const time = isTimed ? {} : { startup_timeout_sec: START_SECONDS };
      return [name, { ...server, ...time, env: { ...proxy, ...own } }];
    }),
  );
}
