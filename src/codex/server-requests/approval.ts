import * as z from "zod";
import { shortened } from "../error.ts";
import { Id } from "../id.ts";
import { Elicitation, elicitationRequest, UserInputRequest, userInputRequest } from "./question.ts";
import type { Decision, ServerRequest } from "./server-request.ts";
import { ToolCall } from "./tool-call.ts";

const reason = z.string().nullish().catch(null);

const CommandApproval = z.object({
  /** Absent before 0.169, when every request was about a command. */
  kind: z.string().catch("command"),
  threadId: Id,
  itemId: Id,
  /** Set if one item asks several times, each time about a command of its own. */
  approvalId: Id.nullish().catch(null),
  command: z.string().nullish().catch(null),
  cwd: z.string().nullish().catch(null),
  reason,
  networkApprovalContext: z
    .object({ host: z.string(), protocol: z.string() })
    .nullish()
    .catch(null),
});

const PatchApproval = z.object({
  threadId: Id,
  itemId: Id,
  reason,
  grantRoot: z.string().nullish().catch(null),
});

const Permissions = z.object({ threadId: Id, reason });

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

/** The schema of the params of every request that has one, for the contract test. */
export const REQUEST_PARAMS: Readonly<Record<string, z.ZodType>> = {
  "item/commandExecution/requestApproval": CommandApproval,
  "item/fileChange/requestApproval": PatchApproval,
  "item/tool/requestUserInput": UserInputRequest,
  "mcpServer/elicitation/request": Elicitation,
  "item/permissions/requestApproval": Permissions,
};

/** All requests that are answered, for the contract test. */
export const REQUEST_METHODS: readonly string[] = [
  ...Object.keys(REQUEST_PARAMS),
  "item/tool/call",
];

/**
 * Reads a request of the app-server. Every request gets an answer: one that is not understood gets
 * an error, because Codex would wait forever.
 *
 * SECURITY: a program inside may forge any request. So requests for tokens and attestations
 * (`account/chatgptAuthTokens/refresh`, `attestation/generate`) are always refused: the answer would
 * be readable inside.
 */
export function parseRequest(id: string | number, method: string, params: unknown): ServerRequest {
  switch (method) {
    case "item/commandExecution/requestApproval":
      return commandApproval(id, params);
    case "item/fileChange/requestApproval":
      return patchApproval(id, params);
    case "item/tool/requestUserInput":
      return orInvalid(userInputRequest(approvalId(id), params));
    case "mcpServer/elicitation/request":
      return orInvalid(elicitationRequest(approvalId(id), params));
    case "item/permissions/requestApproval":
      return permissions(params);
    case "item/tool/call": {
      const parsed = ToolCall.safeParse(params);
      return parsed.success ? { type: "tool", call: parsed.data } : invalid(parsed.error);
    }
    default:
      return {
        type: "refused",
        code: METHOD_NOT_FOUND,
        message: `codex-chat.nvim does not answer ${method.slice(0, 100)}`,
      };
  }
}

function commandApproval(id: string | number, params: unknown): ServerRequest {
  const parsed = CommandApproval.safeParse(params);
  if (!parsed.success) return invalid(parsed.error);
  const request = parsed.data;
  // Input to a running command, or a kind of a later Codex: only the command could be shown, not what
  // the request is about. Codex 0.171 sends none of these under our settings.
  if (request.kind !== "command")
    return {
      type: "answered",
      threadId: request.threadId,
      result: decisionResult("decline"),
      asked: { kind: shortened(request.kind), about: request.command ?? "" },
    };
  return {
    type: "approval",
    threadId: request.threadId,
    respond: ({ decision }) => decisionResult(decision),
    approval: {
      kind: "command",
      id: approvalId(id),
      // The item shows its own command, which is not the one that is asked about.
      itemId: request.approvalId ?? request.itemId,
      ...(request.command == null ? {} : { command: request.command }),
      ...(request.cwd == null ? {} : { cwd: request.cwd }),
      ...(request.reason == null ? {} : { reason: request.reason }),
      ...(request.networkApprovalContext == null
        ? {}
        : { network: request.networkApprovalContext }),
    },
  };
}

function patchApproval(id: string | number, params: unknown): ServerRequest {
  const parsed = PatchApproval.safeParse(params);
  if (!parsed.success) return invalid(parsed.error);
  const request = parsed.data;
  return {
    type: "approval",
    threadId: request.threadId,
    respond: ({ decision }) => decisionResult(decision),
    approval: {
      kind: "patch",
      id: approvalId(id),
      itemId: request.itemId,
      ...(request.reason == null ? {} : { reason: request.reason }),
      ...(request.grantRoot == null ? {} : { grantRoot: request.grantRoot }),
    },
  };
}

/**
 * Codex asks for permissions beyond its own sandbox. That sandbox is off: the container is the only
 * one, and no answer to Codex opens it. So nothing is granted, and a note tells the user.
 */
function permissions(params: unknown): ServerRequest {
  const parsed = Permissions.safeParse(params);
  if (!parsed.success) return invalid(parsed.error);
  const { threadId, reason: why } = parsed.data;
  const because = why == null || why.trim() === "" ? "" : ` (${why.trim()})`;
  return {
    type: "answered",
    threadId,
    result: { permissions: {}, scope: "turn" },
    asked: { kind: "permissions", about: why?.trim() ?? "" },
    note: `Codex asked for more permissions${because}. None can be granted here: only your configuration decides what the sandbox may do.`,
  };
}

/** A request's id as a string; the number 1 and the string "1" stay different. */
export function approvalId(id: string | number): string {
  return typeof id === "number" ? `n${id}` : `s${id}`;
}

/** Codex's word for a decision; both kinds of approval have these four. */
export function decisionResult(decision: Decision): unknown {
  const words = {
    accept: "accept",
    accept_session: "acceptForSession",
    decline: "decline",
    cancel: "cancel",
  };
  return { decision: words[decision] };
}

function orInvalid(request: ServerRequest | z.ZodError): ServerRequest {
  return request instanceof z.ZodError ? invalid(request) : request;
}

function invalid(error: z.ZodError): ServerRequest {
  return { type: "refused", code: INVALID_PARAMS, message: shortened(z.prettifyError(error)) };
}
