import * as z from "zod";
import { shortened } from "../error.ts";
import { Id } from "../id.ts";
import { FileUpdateChange, Item } from "./item.ts";

const inTurn = { threadId: Id, turnId: Id };
const words = z.string().nullish().catch(null);
const number = z.number().nullish().catch(null);
const delta = { ...inTurn, itemId: Id, delta: z.string() };

/** Why a turn failed; `codexErrorInfo` is a name or an object with one, and open-ended. */
export const TurnError = z.object({
  message: z.string(),
  codexErrorInfo: z.unknown().optional(),
  additionalDetails: z.string().nullish().catch(null),
  /** Why Codex declined to help with a request. */
  misalignment: z.object({ detailedExplanation: words }).nullish().catch(null),
});
export type TurnError = z.infer<typeof TurnError>;

const Turn = z.object({
  id: Id,
  status: z.string(),
  error: TurnError.nullish().catch(null),
  /** A summary at the turn's end: the last message alone, or nothing (0.171). */
  items: z.array(Item).optional().catch(undefined),
});

const HookRun = z.object({
  id: Id,
  eventName: z.string(),
  sourcePath: z.string().catch(""),
  status: z.string(),
  statusMessage: words,
  durationMs: number,
  entries: z.array(z.object({ kind: z.string().catch(""), text: z.string().catch("") })).catch([]),
});

/** Codex's own review of a request; its types are marked as unstable (0.171), so all may be absent. */
const autoReview = {
  ...inTurn,
  reviewId: Id,
  review: z.object({ status: z.string(), riskLevel: words, rationale: words }),
  action: z
    .object({
      type: z.string(),
      command: words,
      program: words,
      argv: z.array(z.string()).nullish().catch(null),
      stdin: words,
      files: z.array(z.string()).nullish().catch(null),
      target: words,
      host: words,
      server: words,
      toolName: words,
    })
    .nullish()
    .catch(null),
};

const Tokens = z.object({ totalTokens: z.number() });

const LimitWindow = z
  .object({ usedPercent: z.number(), windowDurationMins: number, resetsAt: number })
  .nullish()
  .catch(null);

/** What an account may still use. An update is sparse: fields that it leaves out keep their value. */
export const RateLimits = z.object({ primary: LimitWindow, secondary: LimitWindow });
export type RateLimits = z.infer<typeof RateLimits>;

/** The params of every notification in use, by method. */
export const NOTIFICATIONS = {
  "turn/started": z.object({ threadId: Id, turn: Turn }),
  "turn/completed": z.object({ threadId: Id, turn: Turn }),
  "turn/plan/updated": z.object({
    ...inTurn,
    explanation: z.string().nullish().catch(null),
    plan: z.array(z.object({ step: z.string(), status: z.string() })),
  }),
  "item/started": z.object({ ...inTurn, item: Item, startedAtMs: number }),
  "item/completed": z.object({ ...inTurn, item: Item, completedAtMs: number }),
  "item/agentMessage/delta": z.object(delta),
  "item/plan/delta": z.object(delta),
  "item/reasoning/summaryTextDelta": z.object({ ...delta, summaryIndex: z.number() }),
  "item/reasoning/summaryPartAdded": z.object({ ...inTurn, itemId: Id, summaryIndex: z.number() }),
  "item/reasoning/textDelta": z.object({ ...delta, contentIndex: z.number() }),
  "item/commandExecution/outputDelta": z.object(delta),
  "item/commandExecution/terminalInteraction": z.object({
    ...inTurn,
    itemId: Id,
    processId: Id.catch(""),
    stdin: z.string(),
  }),
  "item/fileChange/patchUpdated": z.object({
    ...inTurn,
    itemId: Id,
    changes: z.array(FileUpdateChange),
  }),
  "item/mcpToolCall/progress": z.object({ ...inTurn, itemId: Id, message: z.string() }),
  "serverRequest/resolved": z.object({
    threadId: Id,
    requestId: z.union([Id, z.number()]),
  }),
  "thread/tokenUsage/updated": z.object({
    ...inTurn,
    tokenUsage: z.object({
      total: Tokens,
      last: Tokens,
      modelContextWindow: z.number().nullish().catch(null),
    }),
  }),
  "mcpServer/startupStatus/updated": z.object({
    threadId: Id.nullish().catch(null),
    name: Id,
    status: z.string(),
    error: z.string().nullish().catch(null),
  }),
  "account/rateLimits/updated": z.object({ rateLimits: RateLimits }),
  "thread/compacted": z.object(inTurn),
  "hook/started": z.object({ threadId: Id, run: HookRun }),
  "hook/completed": z.object({ threadId: Id, run: HookRun }),
  "item/autoApprovalReview/started": z.object(autoReview),
  "item/autoApprovalReview/completed": z.object(autoReview),
  "autoApprovalReview/strictReviewRequired": z.object(inTurn),
  "thread/goal/updated": z.object({
    threadId: Id,
    goal: z.object({
      objective: z.string(),
      status: z.string(),
      tokenBudget: number,
      tokensUsed: z.number().catch(0),
      timeUsedSeconds: z.number().catch(0),
    }),
  }),
  "thread/goal/cleared": z.object({ threadId: Id }),
  "model/verification": z.object({ ...inTurn, verifications: z.array(z.string()).catch([]) }),
  "model/safetyBuffering/updated": z.object({
    ...inTurn,
    showBufferingUi: z.boolean().catch(false),
  }),
  "modelProvider/authRecoveryStarted": z.object({ ...inTurn, message: z.string() }),
  "modelProvider/authRecoveryCompleted": z.object({ ...inTurn, message: z.string() }),
  "model/rerouted": z.object({
    ...inTurn,
    fromModel: z.string(),
    toModel: z.string(),
    reason: words,
  }),
  error: z.object({ ...inTurn, error: TurnError, willRetry: z.boolean() }),
  warning: z.object({ threadId: Id.nullish().catch(null), message: z.string() }),
  guardianWarning: z.object({ threadId: Id, message: z.string() }),
  configWarning: z.object({
    summary: z.string(),
    details: z.string().nullish().catch(null),
    path: words,
  }),
  deprecationNotice: z.object({ summary: z.string(), details: z.string().nullish().catch(null) }),
} as const;

type Known = {
  [M in keyof typeof NOTIFICATIONS]: {
    readonly method: M;
    readonly params: z.infer<(typeof NOTIFICATIONS)[M]>;
    /** Set if it is kept for later with its long texts cut. */
    readonly isCut?: true;
  };
}[keyof typeof NOTIFICATIONS];

/** A notification of the app-server; a method that this project does not use becomes `unknown`. */
export type ServerNotification =
  | Known
  | { readonly method: "unknown"; readonly name: string; readonly params: unknown }
  | { readonly method: "invalid"; readonly name: string; readonly problem: string };

/**
 * Reads a notification.
 *
 * SECURITY: a program inside may forge any notification. Its content is shown in the conversation;
 * it cannot make the host do anything else.
 */
export function parseNotification(method: string, params: unknown): ServerNotification {
  if (!Object.hasOwn(NOTIFICATIONS, method)) return { method: "unknown", name: method, params };
  const known = method as keyof typeof NOTIFICATIONS;
  const parsed = NOTIFICATIONS[known].safeParse(params);
  if (parsed.success) return { method: known, params: parsed.data } as Known;
  return { method: "invalid", name: method, problem: shortened(z.prettifyError(parsed.error)) };
}

/** The thread that a notification is about; undefined if it is about none or all of them. */
export function threadOf(notification: ServerNotification): string | undefined {
  if (notification.method === "unknown" || notification.method === "invalid") return undefined;
  const { params } = notification;
  return "threadId" in params ? (params.threadId ?? undefined) : undefined;
}

/** The client's id of the query that a notification is about; undefined if it is about none. */
export function queryOf(notification: ServerNotification): string | undefined {
  if (notification.method !== "item/started" && notification.method !== "item/completed")
    return undefined;
  const { item } = notification.params;
  return item.type === "userMessage" ? (item.clientId ?? undefined) : undefined;
}
