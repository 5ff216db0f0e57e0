/**
 * What Codex asks of its client: approvals, questions, tool calls, and the answers it accepts.
 *
 * It knows neither who answers nor how a question is shown.
 */
export { approvalId, parseRequest } from "./approval.ts";
export type { Answer, Approval, Decision, Field, FieldAnswer } from "./server-request.ts";
export { type ToolAnswer, type ToolCall, toolResult } from "./tool-call.ts";
