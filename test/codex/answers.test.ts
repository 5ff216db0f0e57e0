import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import {
  parseRequest,
  REQUEST_METHODS,
  REQUEST_PARAMS,
} from "../../src/codex/server-requests/approval.ts";
import type { Decision } from "../../src/codex/server-requests/server-request.ts";
import { toolResult } from "../../src/codex/server-requests/tool-call.ts";
import { differences, flatten, type JsonSchema } from "./schema.ts";

const codex = fileURLToPath(new URL("../../node_modules/.bin/codex", import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "codex-chat-contract-"));
  await execa(codex, ["app-server", "generate-json-schema", "--experimental", "--out", dir]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(name: string): Promise<JsonSchema> {
  return JSON.parse(await readFile(join(dir, `${name}.json`), "utf8")) as JsonSchema;
}

/** The names of the schema files for each request. */
const FILES: Readonly<Record<string, string>> = {
  "item/commandExecution/requestApproval": "CommandExecutionRequestApproval",
  "item/fileChange/requestApproval": "FileChangeRequestApproval",
  "item/permissions/requestApproval": "PermissionsRequestApproval",
  "item/tool/requestUserInput": "ToolRequestUserInput",
  "item/tool/call": "DynamicToolCall",
  "mcpServer/elicitation/request": "McpServerElicitationRequest",
};

describe("a request of Codex", () => {
  it.each(Object.entries(REQUEST_PARAMS))("has what we read of %s", async (method, schema) => {
    const theirs = await read(`${FILES[method]}Params`);
    const ours = z.toJSONSchema(schema, {
      io: "input",
      unrepresentable: "any",
      target: "draft-7",
      reused: "inline",
    }) as JsonSchema;
    expect(differences(ours, theirs, theirs)).toEqual([]);
  });
});

/** Requests with some of their params, one for each form of the answer. */
const ASKED: readonly (readonly [string, object])[] = [
  ["item/commandExecution/requestApproval", { command: "ls" }],
  ["item/commandExecution/requestApproval", { command: "ls", kind: "writeStdin" }],
  ["item/fileChange/requestApproval", {}],
  ["item/permissions/requestApproval", {}],
  ["item/tool/requestUserInput", { questions: [{ id: "a", header: "A", question: "B?" }] }],
  ["item/tool/call", { tool: "t" }],
  ["mcpServer/elicitation/request", { mode: "url", url: "https://example.org" }],
  ["mcpServer/elicitation/request", { mode: "later" }],
  [
    "mcpServer/elicitation/request",
    { mode: "form", requestedSchema: { properties: { a: { type: "string" } } } },
  ],
  [
    "mcpServer/elicitation/request",
    { mode: "form", _meta: { codex_approval_kind: "mcp_tool_call" } },
  ],
];

describe("our answer", () => {
  it.each(ASKED)("to %s %j is of Codex's own form", async (method, params) => {
    const schema = z.fromJSONSchema((await read(`${FILES[method]}Response`)) as never);
    const whole = {
      threadId: "t",
      turnId: "u",
      itemId: "i",
      serverName: "s",
      message: "m",
      ...params,
    };
    const request = parseRequest(0, method, whole);
    const decisions: Decision[] = ["accept", "accept_session", "decline", "cancel"];
    if (request.type === "refused") throw new Error(request.message);
    const answers =
      request.type === "answered"
        ? [request.result]
        : request.type === "tool"
          ? [toolResult({ ok: true, text: "found" }), toolResult({ ok: false, text: "no" })]
          : decisions.map((decision) => request.respond({ decision, answers: { a: "text" } }));
    for (const answer of answers) expect(schema.parse(answer)).toEqual(answer);
  });

  it("exists for every known request", () => {
    expect(new Set(ASKED.map(([method]) => method))).toEqual(new Set(REQUEST_METHODS));
  });

  it("fails Codex's schema with a wrong word or name", async () => {
    const schema = z.fromJSONSchema((await read("FileChangeRequestApprovalResponse")) as never);
    expect(schema.safeParse({ decision: "acceptAlways" }).success).toBe(false);
    expect(schema.safeParse({ decison: "accept" }).success).toBe(false);
  });
});

/** The values that `src/chat` and `src/session` tell apart, by the name of their type. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  TurnStatus: ["completed", "failed", "interrupted"],
  TurnPlanStepStatus: ["completed", "inProgress"],
  CommandExecutionStatus: ["declined", "failed", "inProgress"],
  PatchApplyStatus: ["declined", "failed", "inProgress"],
  McpToolCallStatus: ["failed"],
  DynamicToolCallStatus: ["failed"],
  CollabAgentToolCallStatus: ["failed", "interrupted"],
  SubAgentActivityKind: ["completed", "interacted", "interrupted", "started"],
  // Each has a piece of advice in src/chat/turn-error.ts.
  CodexErrorInfo: [
    "activeTurnNotSteerable",
    "badRequest",
    "bioPolicy",
    "contextWindowExceeded",
    "cyberPolicy",
    "flexUnavailable",
    "httpConnectionFailed",
    "inferenceHookDenied",
    "internalServerError",
    "misalignmentPolicyViolation",
    "modelNotFound",
    "other",
    "policyCapacityUnavailable",
    "rateLimitExceeded",
    "responseStreamConnectionFailed",
    "responseStreamDisconnected",
    "responseTooManyFailedAttempts",
    "sandboxError",
    "serverOverloaded",
    "sessionBudgetExceeded",
    "threadRollbackFailed",
    "tooManyDenials",
    "unauthorized",
    "usageLimitExceeded",
  ],
};

describe("a value that we tell apart", () => {
  async function known(name: string): Promise<unknown[]> {
    const whole = await read("ServerNotification");
    const type = whole.definitions?.[name];
    if (type === undefined) throw new Error(`there is no type ${name}`);
    return flatten(type, whole).flatMap((variant) => [
      ...(variant.enum ?? []),
      ...Object.keys(variant.properties ?? {}),
    ]);
  }

  it.each(Object.entries(VALUES))("is one of Codex's %s", async (name, values) => {
    expect(await known(name)).toEqual(expect.arrayContaining([...values]));
  });

  it.each([
    ["CodexErrorInfo", []],
    ["CommandExecutionStatus", ["completed"]],
    ["PatchApplyStatus", ["completed"]],
    ["SubAgentActivityKind", []],
    // A turn that has ended is not in progress.
    ["TurnStatus", ["inProgress"]],
  ])("is each of Codex's %s, but for those like any other", async (name, others) => {
    expect(new Set(await known(name))).toEqual(new Set([...(VALUES[name] ?? []), ...others]));
  });
});
