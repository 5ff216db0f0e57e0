import { z } from "zod";
import { shortened } from "./error.ts";
import { Id } from "./id.ts";
import { Elicitation, elicitationRequest, UserInput, userInputRequest } from "./question.ts";
import { ToolCall } from "./tool-call.ts";

/** A question that the user answers, in words of no protocol. */
export type Approval =
  | {
      readonly kind: "command";
      readonly id: string;
      readonly itemId: string;
      readonly command?: string;
      readonly cwd?: string;
      readonly reason?: string;
      readonly network?: { readonly host: string; readonly protocol: string };
      /** Whether a sub-agent asks, whose turn is not the conversation's. */
      readonly byAgent?: boolean;
    }
  | {
      readonly kind: "patch";
      readonly id: string;
      readonly itemId: string;
      readonly reason?: string;
      readonly grantRoot?: string;
      readonly byAgent?: boolean;
    }
  /** Something to be told: by Codex, or by a form of an MCP server. */
  | {
      readonly kind: "questions";
      readonly id: string;
      readonly itemId?: string;
      readonly server?: string;
      readonly title: string;
      readonly fields: readonly Field[];
    }
  /** Whether a tool of an MCP server may run. */
  | {
      readonly kind: "tool";
      readonly id: string;
      readonly server: string;
      readonly tool: string;
      readonly message: string;
      readonly detail?: string;
    }
  /** An MCP server wants the user to visit a page. */
  | {
      readonly kind: "page";
      readonly id: string;
      readonly server: string;
      readonly message: string;
      readonly url: string;
    };

/** One thing that is asked for. */
export type Field = {
  readonly name: string;
  readonly label: string;
  readonly description?: string;
  readonly type: "text" | "number" | "integer" | "boolean" | "choice" | "choices";
  /** What a text must be. */
  readonly format?: "email" | "uri" | "date" | "date-time";
  /** Bounds: of a number its value, of a text its characters, of choices how many. */
  readonly min?: number;
  readonly max?: number;
  readonly required: boolean;
  /** The answer is never written anywhere. */
  readonly secret: boolean;
  readonly options: readonly {
    readonly value: string;
    readonly label: string;
    readonly description: string;
  }[];
  /** Whether something else than the options may be answered. */
  readonly other: boolean;
  readonly default?: string | number | boolean | readonly string[];
};

/** What was told for a field; several where several may be chosen. */
export type FieldAnswer = string | number | boolean | readonly string[];

/** What the user may answer. */
export type Decision = "accept" | "accept_session" | "decline" | "cancel";

/** An answer, with what was told for each field that was asked for. */
export type Answer = {
  readonly decision: Decision;
  readonly answers?: Readonly<Record<string, FieldAnswer>> | undefined;
};

/** A request of the app-server: a question for the user, or one that is answered without asking. */
export type ServerRequest =
  | { readonly type: "tool"; readonly call: ToolCall }
  | {
      readonly type: "approval";
      readonly threadId: string;
      readonly approval: Approval;
      /** Codex's own form of the answer. */
      readonly respond: (answer: Answer) => unknown;
    }
  | {
      readonly type: "answered";
      readonly threadId?: string;
      readonly result: unknown;
      /** What was asked for and refused, where there is only that answer. */
      readonly asked?: { readonly kind: string; readonly about: string };
      /** What the user is told about it. */
      readonly note?: string;
    }
  | { readonly type: "refused"; readonly code: number; readonly message: string };

const reason = z.string().nullish().catch(null);

const CommandApproval = z.object({
  /** Absent before 0.169, where all were commands. */
  kind: z.string().catch("command"),
  threadId: Id,
  itemId: Id,
  /** Set where one item has several questions, each with a command of its own. */
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

/** Requests that are answered here, because this version offers no such thing to the agent. */
const FIXED_ANSWERS: Readonly<Record<string, unknown>> = {};

/** The params of every request that is read, for the contract test. */
export const REQUEST_PARAMS: Readonly<Record<string, z.ZodType>> = {
  "item/commandExecution/requestApproval": CommandApproval,
  "item/fileChange/requestApproval": PatchApproval,
  "item/tool/requestUserInput": UserInput,
  "mcpServer/elicitation/request": Elicitation,
  "item/permissions/requestApproval": Permissions,
};

/** The requests that are known, for the contract test. */
export const REQUEST_METHODS: readonly string[] = [
  ...Object.keys(REQUEST_PARAMS),
  "item/tool/call",
  "currentTime/read",
  ...Object.keys(FIXED_ANSWERS),
];

/**
 * Reads a request of the app-server. Every one gets an answer: what is not understood gets an
 * error, because Codex would wait for ever.
 *
 * SECURITY: a request may be forged by a program inside. Tokens and attestations are therefore
 * refused whoever asks (`account/chatgptAuthTokens/refresh`, `attestation/generate`): the answer
 * would be readable inside.
 */
export function parseRequest(
  id: string | number,
  method: string,
  params: unknown,
  nowSeconds: number,
): ServerRequest {
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
    case "currentTime/read":
      return { type: "answered", result: { currentTimeAt: nowSeconds } };
    default:
      if (Object.hasOwn(FIXED_ANSWERS, method))
        return { type: "answered", ...threadIn(params), result: FIXED_ANSWERS[method] };
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
  const it = parsed.data;
  // Typing into a running command, and whatever else comes up: what is asked could not be shown,
  // only the command that it is about. 0.169 asks no such thing under our settings.
  if (it.kind !== "command")
    return {
      type: "answered",
      threadId: it.threadId,
      result: decisionResult("decline"),
      asked: { kind: shortened(it.kind), about: it.command ?? "" },
    };
  return {
    type: "approval",
    threadId: it.threadId,
    respond: ({ decision }) => decisionResult(decision),
    approval: {
      kind: "command",
      id: approvalId(id),
      // The item shows its own command, which is not the one that is asked for.
      itemId: it.approvalId ?? it.itemId,
      ...(it.command == null ? {} : { command: it.command }),
      ...(it.cwd == null ? {} : { cwd: it.cwd }),
      ...(it.reason == null ? {} : { reason: it.reason }),
      ...(it.networkApprovalContext == null ? {} : { network: it.networkApprovalContext }),
    },
  };
}

function patchApproval(id: string | number, params: unknown): ServerRequest {
  const parsed = PatchApproval.safeParse(params);
  if (!parsed.success) return invalid(parsed.error);
  const it = parsed.data;
  return {
    type: "approval",
    threadId: it.threadId,
    respond: ({ decision }) => decisionResult(decision),
    approval: {
      kind: "patch",
      id: approvalId(id),
      itemId: it.itemId,
      ...(it.reason == null ? {} : { reason: it.reason }),
      ...(it.grantRoot == null ? {} : { grantRoot: it.grantRoot }),
    },
  };
}

/**
 * Codex asks for more than its sandbox gives. That sandbox is off: the container is the only one,
 * and nothing that is said to Codex opens it. So nothing is granted, and the user hears of it.
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
    note: `Codex asked for more permissions${because}. None can be granted from here: the sandbox stays as your configuration has it.`,
  };
}

/** A request's id as a string; a number and a string of the same digits stay apart. */
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

function threadIn(params: unknown): { threadId?: string } {
  const parsed = z.object({ threadId: Id }).safeParse(params);
  return parsed.success ? { threadId: parsed.data.threadId } : {};
}

function orInvalid(request: ServerRequest | z.ZodError): ServerRequest {
  return request instanceof z.ZodError ? invalid(request) : request;
}

function invalid(error: z.ZodError): ServerRequest {
  return { type: "refused", code: INVALID_PARAMS, message: shortened(z.prettifyError(error)) };
}
