/**
 * Codex's app-server: JSON-RPC over a pair of streams, schemas of the messages in use, and the
 * arguments that it is started with.
 *
 * It must not know Neovim or Docker. Every message is hostile input: see the SECURITY comments.
 */
export { appServerArgs, type McpServerConfig } from "./arguments.ts";
export { type CodexClient, openCodexClient } from "./client.ts";
export type {
  ApprovalPolicy,
  ParamsOf,
  ResultOf,
  ToolFunction,
  ToolParameter,
  ToolSpec,
  UserInput,
} from "./client-methods.ts";
export type { CodexError } from "./error.ts";
