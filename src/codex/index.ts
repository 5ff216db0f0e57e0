/**
 * Codex's app-server: JSON-RPC over a pair of streams, schemas of the messages in use, and the
 * arguments that it is started with.
 *
 * It must not know Neovim or Docker. Every message is hostile input: see the SECURITY comments.
 */
export {
  type Answer,
  type Approval,
  approvalId,
  type Decision,
  type Field,
  type FieldAnswer,
} from "./approval.ts";
export { type AppServerOptions, appServerArgs, type McpServerConfig } from "./arguments.ts";
export { type CodexClient, openCodexClient } from "./client.ts";
export type { CodexError } from "./error.ts";
export { type FailedCall, FailedCalls } from "./failed-call.ts";
export type { FileUpdateChange, Item } from "./item.ts";
export type {
  ApprovalPolicy,
  ParamsOf,
  ResultOf,
  ToolFunction,
  ToolParameter,
  ToolSpec,
  UserInput,
} from "./method.ts";
export {
  queryOf,
  type RateLimits,
  type ServerNotification,
  type TurnError,
  threadOf,
} from "./notification.ts";
export type { ToolAnswer, ToolCall } from "./tool-call.ts";
