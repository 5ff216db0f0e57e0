import * as z from "zod";
import { AllowedHosts, Done, McpServer, NoParams, Tokens } from "./shapes.ts";

/** A row of the chat buffer, 0-based. */
const AtRow = z.object({ row: z.int().nonnegative() });

const Fork = z
  .object({
    keep: z.int().describe("how many rows the new conversation begins with"),
    query: z.string().describe("what was asked there"),
    thread: z.string().optional().describe("absent if the new conversation is given its text"),
    files: z.int().describe("how many files Codex has changed after that"),
    sent: z
      .object({ row: z.int(), end: z.int(), text: z.string().optional() })
      .meta({ id: "ForkedQuery" })
      .optional()
      .describe("the sent query at the row"),
  })
  .meta({ id: "Fork" });

const Revert = z
  .object({
    from: z.int().describe("the first row that goes"),
    turns: z.int().describe("how many turns go"),
    files: z.int().describe("how many files Codex has changed in them"),
    copy: z.string().optional().describe("the copy of the file, once confirmed"),
  })
  .meta({ id: "Revert" });

const Model = z
  .object({
    model: z.string(),
    name: z.string(),
    description: z.string(),
    isCurrent: z.boolean(),
    effort: z.string().describe("the default one"),
    efforts: z.array(
      z.object({ effort: z.string(), description: z.string() }).meta({ id: "ListedEffort" }),
    ),
  })
  .meta({ id: "ListedModel" });

const Policy = z.enum(["never", "on-request", "untrusted"]);

const Approvals = z
  .object({ current: Policy, offered: z.array(Policy) })
  .meta({ id: "ApprovalPolicies" });

const Terminal = z
  .object({
    id: z.string(),
    command: z.string(),
    cwd: z.string(),
    block: z.string().optional().describe("where the conversation shows it"),
  })
  .meta({ id: "Terminal" });

const Limit = z
  .object({
    usedPercent: z.number(),
    windowDurationMins: z.number().nullish(),
    resetsAt: z.number().nullish().describe("in seconds since 1970"),
  })
  .meta({ id: "UsageLimit" });

const Status = z
  .object({
    model: z.string(),
    effort: z.string(),
    plan: z.boolean(),
    approvals: Policy,
    endpoint: z.string(),
    credential: z.string(),
    running: z.boolean(),
    sandbox: z.string(),
    thread: z.string(),
    refused: z.array(z.object({ host: z.string(), times: z.int() }).meta({ id: "RefusedHost" })),
    network: AllowedHosts,
    instructions: z.array(z.string()),
    usage: Tokens.extend({ window: z.int().nullish() }).meta({ id: "Usage" }).optional(),
    limits: z.array(Limit),
    servers: z.array(McpServer),
  })
  .meta({ id: "ConversationStatus" });

const Commit = z
  .object({
    oid: z.string(),
    ref: z.string(),
    subject: z.string().describe("the agent's words"),
    date: z.string().describe("as ISO 8601"),
    isTaken: z.boolean().describe("whether a branch of the user's has it"),
  })
  .meta({ id: "Commit" });

/** Actions on a conversation, and what can be asked about it. */
export const conversationActions = {
  "thread/fork": { params: AtRow, result: Fork },
  "thread/revert": {
    params: AtRow.extend({ confirmed: z.boolean().default(false) }),
    result: Revert,
  },
  "thread/compact": { params: NoParams, result: Done },
  "thread/review": {
    params: z.object({
      target: z.enum(["uncommitted", "base", "commit", "custom"]),
      argument: z.string().default(""),
    }),
    result: Done,
  },
  "model/list": { params: NoParams, result: z.array(Model) },
  "model/set": {
    params: z.object({
      model: z.string().min(1).optional(),
      effort: z.string().min(1).optional(),
    }),
    result: Done,
  },
  "plan/set": {
    params: z.object({ on: z.boolean().optional().describe("absent: the other of the two") }),
    result: z.object({ on: z.boolean() }).meta({ id: "PlanMode" }),
  },
  "approvals/list": { params: NoParams, result: Approvals },
  "approvals/set": { params: z.object({ policy: z.string() }), result: Done },
  "terminals/list": { params: NoParams, result: z.array(Terminal) },
  "terminals/clean": { params: NoParams, result: Done },
  "terminals/stop": { params: z.object({ id: z.string() }), result: Done },
  "status/read": { params: NoParams, result: Status },
  "mcp/list": { params: NoParams, result: z.array(McpServer) },
  "commits/list": { params: NoParams, result: z.array(Commit) },
  "commits/show": {
    params: z.object({ oid: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/) }),
    result: z.string(),
  },
  "commits/log": { params: NoParams, result: z.string() },
} as const;
