import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { reduce, reduceAll } from "../../src/chat/reducer/reduce.ts";
import { initialState } from "../../src/chat/state.ts";
import { NOTIFICATIONS, parseNotification } from "../../src/codex/messages/notification.ts";
import { flatten, type JsonSchema } from "../codex/schema.ts";
import { root } from "./replay.ts";

const at = { threadId: "t1", turnId: "u1" };
const turn = { id: "u1", status: "completed", error: null };
const delta = { ...at, itemId: "i1", delta: "words\nand more" };
const agentMessage = { type: "agentMessage", id: "i1", text: "words", phase: null };
const run = { id: "h", eventName: "stop", status: "completed", sourcePath: "", entries: [] };
const review = {
  ...at,
  reviewId: "r",
  review: { status: "approved", riskLevel: "low", rationale: null },
  action: { type: "command", command: "ls" },
};
const goal = { objective: "o", status: "active", tokenBudget: null, tokensUsed: 0 };
const error = { message: "no", codexErrorInfo: "other", additionalDetails: null };

/** Notifications that change the text or a mark, with their parameters and the events before them. */
const SHOWN: Readonly<Record<string, readonly [params: object, ...before: [string, object][]]>> = {
  "turn/started": [{ threadId: "t1", turn }],
  "turn/completed": [{ threadId: "t1", turn }],
  "turn/plan/updated": [{ ...at, explanation: null, plan: [{ step: "s", status: "pending" }] }],
  "item/started": [{ ...at, item: { type: "imageView", id: "i1", path: "a.png" } }],
  "item/completed": [{ ...at, item: agentMessage }],
  "item/agentMessage/delta": [
    delta,
    ["item/started", { ...at, item: { ...agentMessage, text: "" } }],
  ],
  "item/plan/delta": [
    delta,
    ["item/started", { ...at, item: { type: "plan", id: "i1", text: "" } }],
  ],
  "item/reasoning/summaryTextDelta": [{ ...delta, summaryIndex: 0 }, reasoningStarted()],
  "item/reasoning/textDelta": [{ ...delta, contentIndex: 0 }, reasoningStarted()],
  "item/reasoning/summaryPartAdded": [
    { ...at, itemId: "i1", summaryIndex: 1 },
    reasoningStarted(),
    ["item/reasoning/summaryTextDelta", { ...delta, summaryIndex: 0 }],
  ],
  "item/commandExecution/outputDelta": [delta, commandStarted()],
  "item/commandExecution/terminalInteraction": [
    { ...at, itemId: "i1", processId: "1", stdin: "y\n" },
    commandStarted(),
  ],
  "item/mcpToolCall/progress": [
    { ...at, itemId: "i1", message: "half" },
    [
      "item/started",
      { ...at, item: { type: "mcpToolCall", id: "i1", server: "s", tool: "t", status: "x" } },
    ],
  ],
  "thread/compacted": [at],
  "model/rerouted": [{ ...at, fromModel: "a", toModel: "b" }],
  "model/verification": [{ ...at, verifications: ["trustedAccessForCyber"] }],
  "model/safetyBuffering/updated": [{ ...at, showBufferingUi: true }],
  "modelProvider/authRecoveryStarted": [{ ...at, message: "renewing" }],
  "modelProvider/authRecoveryCompleted": [
    { ...at, message: "done" },
    ["modelProvider/authRecoveryStarted", { ...at, message: "renewing" }],
  ],
  "hook/started": [{ threadId: "t1", run }],
  "hook/completed": [{ threadId: "t1", run }],
  "item/autoApprovalReview/started": [review],
  "item/autoApprovalReview/completed": [review],
  "autoApprovalReview/strictReviewRequired": [at],
  "thread/goal/updated": [{ threadId: "t1", goal }],
  "thread/goal/cleared": [{ threadId: "t1" }, ["thread/goal/updated", { threadId: "t1", goal }]],
  "mcpServer/startupStatus/updated": [
    { threadId: "t1", name: "s", status: "failed", error: "no such file" },
  ],
  error: [{ ...at, error, willRetry: true }],
  warning: [{ threadId: "t1", message: "w" }],
  guardianWarning: [{ threadId: "t1", message: "w" }],
  configWarning: [{ summary: "w", details: null }],
  deprecationNotice: [{ summary: "w", details: null }],
  "item/fileChange/patchUpdated": [
    { ...at, itemId: "i1", changes: [{ path: "a", kind: { type: "add" }, diff: "x" }] },
  ],
};

/** Notifications that are used in another way. */
const USED: Readonly<Record<string, string>> = {
  "thread/tokenUsage/updated": "the winbar and `:CodexChat status` show the tokens",
  "account/rateLimits/updated": "`:CodexChat status` shows them",
  "serverRequest/resolved": "takes away a question that somebody else has answered",
};

/** Notifications that are ignored, and why. */
const IGNORED: Readonly<Record<string, string>> = {
  "turn/diff/updated": "repeats what the items of patches have told, many times over",
  "item/fileChange/outputDelta": "is not sent any more (0.169)",
  "thread/started": "the answer to the request tells it",
  "thread/status/changed": "the turn's own notifications tell it, in order",
  "thread/readState/changed": "is about what other clients have read",
  "thread/settings/updated": "we are the ones who set them; `:CodexChat status` asks for them",
  "thread/name/updated": "we are the ones who name it",
  "thread/archived": "we are the ones who archive it",
  "thread/unarchived": "we are the ones who take it back",
  "thread/deleted": "we are the ones who delete it",
  "thread/closed": "a thread that is not loaded is loaded when it is needed",
  "thread/reverted": "asked for with `:CodexChat revert`, which cuts the document itself",
  "thread/section/changed": "sections of threads are of other clients",
  "thread/attachment/updated": "attachments of threads are of other clients",
  "thread/prediction/updated": "nothing is predicted for this client",
  "thread/search/partial": "threads are searched in their files",
  "thread/queue/changed": "queries wait on our side, in the text",
  "thread/project/updated": "projects of threads are of other clients",
  "project/changed": "projects of threads are of other clients",
  "thread/environment/connected": "there is one environment, the container",
  "thread/environment/disconnected": "the end of the container is told by the sandbox",
  "skills/changed": "skills are read when they are completed",
  "turn/moderationMetadata": "has no form of its own (any JSON)",
  "command/exec/outputDelta": "commands outside of a thread are not run",
  "process/outputDelta": "processes outside of a thread are not run",
  "process/exited": "processes outside of a thread are not run",
  "fs/changed": "files are not watched through Codex",
  "fuzzyFileSearch/sessionUpdated": "files are found by the editor",
  "fuzzyFileSearch/sessionCompleted": "files are found by the editor",
  "mcpServer/oauthLogin/completed": "no login is offered",
  "mcpServer/event/stream/notification": "no stream of a server is subscribed to",
  "account/updated": "there is no account inside the sandbox",
  "account/gatewayOAuth/changed": "there is no account inside the sandbox",
  "account/login/completed": "there is no account inside the sandbox",
  "app/list/updated": "apps are off",
  "remoteControl/status/changed": "remote control is off",
  "externalAgentConfig/import/progress": "nothing is imported",
  "externalAgentConfig/import/completed": "nothing is imported",
  "windows/worldWritableWarning": "Linux only",
  "windowsSandbox/setupCompleted": "Linux only",
  ...Object.fromEntries(
    [
      "started",
      "itemAdded",
      "item/started",
      "item/transcript/delta",
      "item/completed",
      "transcript/delta",
      "transcript/done",
      "outputAudio/delta",
      "sdp",
      "error",
      "closed",
    ].map((name) => [`thread/realtime/${name}`, "there is no talking by voice"]),
  ),
};

function reasoningStarted(): [string, object] {
  return ["item/started", { ...at, item: { type: "reasoning", id: "i1" } }];
}

function commandStarted(): [string, object] {
  const item = { type: "commandExecution", id: "i1", command: "ls", status: "inProgress" };
  return ["item/started", { ...at, item }];
}

describe("each notification that the pinned app-server knows", () => {
  let known: string[];
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), "codex-chat-names-"));
    try {
      const codex = fileURLToPath(new URL("../../node_modules/.bin/codex", import.meta.url));
      await execa(codex, ["app-server", "generate-json-schema", "--experimental", "--out", dir]);
      const text = await readFile(join(dir, "ServerNotification.json"), "utf8");
      const schema = JSON.parse(text) as JsonSchema;
      known = flatten(schema, schema).flatMap((variant) => {
        const name = variant.properties?.["method"]?.enum?.[0];
        return typeof name === "string" ? [name] : [];
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("is shown, used in another way, or ignored for a reason", () => {
    const decided = [...Object.keys(SHOWN), ...Object.keys(USED), ...Object.keys(IGNORED)];
    expect(decided.sort()).toEqual([...new Set(known)].sort());
  });
});

describe("the decision about each notification", () => {
  it("covers exactly those that are parsed", () => {
    expect([...Object.keys(SHOWN), ...Object.keys(USED)].sort()).toEqual(
      Object.keys(NOTIFICATIONS).sort(),
    );
  });

  it.each(Object.entries(SHOWN))("shows %s", (method, [params, ...before]) => {
    const sent = { type: "sent", id: "user:1", mode: "start", text: "Go." } as const;
    const earlier = before.map(([name, value]) => parseNotification(name, value));
    const { state } = reduceAll(initialState({ root }), [
      ...(method === "turn/started" ? [] : [sent]),
      ...earlier,
    ]);
    const shown = parseNotification(method, params);
    expect(shown.method).toBe(method);
    const { edits, state: after } = reduce(state, shown);
    // A new part of a summary shows as the blank line before its text.
    if (method === "item/reasoning/summaryPartAdded") expect(after).not.toEqual(state);
    // Without a section a turn that starts has nothing to mark yet.
    else if (method === "turn/started") expect(after.turn.running).toBe(true);
    else expect(edits).not.toEqual([]);
  });
});
