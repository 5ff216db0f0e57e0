import { expect, it } from "vitest";
import { startFault } from "./mcp-failures.ts";

/** As Codex 0.169 says it, with the types of the library that it speaks MCP with. */
const TRANSPORT =
  "Send message error Transport [codex_rmcp_client::tool_list_changes::ToolListChanges<rmcp::transport::worker::WorkerTransport<rmcp::transport::streamable_http_client::StreamableHttpClientWorker<x>>>] error: ";
const http = (said: string) =>
  `MCP client for \`x\` failed to start: MCP startup failed: handshaking with MCP server failed: ${TRANSPORT}${said}, when send initialize request: ${TRANSPORT}${said}, when send initialize request`;
const url = { url: "https://mcp.example.org/x" };

it.each<[string, string, object | undefined, string]>([
  [
    "an unknown program",
    "No such file or directory (os error 2)",
    { command: "mine" },
    "mine is not in the sandbox's image. ",
  ],
  [
    "a missing directory",
    "No such file or directory (os error 2)",
    { command: "node", cwd: "/x" },
    "node is not in the sandbox's image, or its `cwd` /x is not there.",
  ],
  [
    "an engine",
    "No such file or directory (os error 2)",
    { command: "podman" },
    "there are no containers",
  ],
  ["bun", "No such file or directory (os error 2)", { command: "bunx" }, "oven/bun"],
  [
    "a program for another machine",
    "Exec format error (os error 8)",
    { command: "/p/my server" },
    "/p/my server cannot run on this machine",
  ],
  [
    "a login",
    "The x MCP server is not logged in. Run `codex mcp login x`.",
    url,
    "mcp.example.org wants a login, which",
  ],
  [
    "a refusal without a login",
    http("unexpected server response: HTTP 403: no"),
    url,
    "wants a login, which",
  ],
  [
    "an HTTP error",
    http("unexpected server response: HTTP 500: <html>"),
    url,
    "it answered with HTTP 500. Check `mcp_servers.x.url`",
  ],
  [
    "a page",
    http('Unexpected content type: Some("text/html")'),
    url,
    "the server there does not speak MCP. ",
  ],
  [
    "a host that is refused",
    http(
      "unexpected server response: HTTP 502: codex-chat: network access to a.b:80 is refused: its name is unknown. ",
    ),
    url,
    "network access to a.b:80 is refused: its name is unknown. Check",
  ],
  [
    "a time-out",
    "MCP client for `x` timed out after 1 second. Add or adjust `startup_timeout_sec` in your config.toml: [mcp_servers.x] startup_timeout_sec = XX",
    { command: "a" },
    "`mcp_servers.x.startup_timeout_sec`",
  ],
  [
    "unknown",
    "MCP client for `x` failed to start: MCP startup failed: something new",
    { command: "a", args: ["b c"] },
    "something new. It must speak MCP over its input and output; `:CodexChat sandbox shell a 'b c'` shows",
  ],
  [
    "a message in the list of servers",
    "MCP startup failed: something new",
    { command: "a" },
    "something new. It must speak MCP",
  ],
  ["a server that is not configured", "something new", undefined, "something new. "],
])("gives a fix if the cause is %s", (_what, error, server, told) => {
  const text = startFault("x", error, server);
  expect(text).toContain(told);
  expect(text).not.toMatch(/::|os error|config\.toml|codex mcp|startup failed/);
});
