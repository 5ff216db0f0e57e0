import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FailedCalls } from "../../src/codex/messages/failed-call.ts";
import {
  applyPatch,
  exec,
  functionCall,
  message,
  type Part,
  reply,
  script,
} from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

const patch = (...lines: readonly string[]) =>
  ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");
const misfit = patch(
  ...["*** Add File: b.txt", "+b", "*** Update File: a.txt", "@@", "-nope", "+new"],
);

const files = ["b.txt", "a.txt"];
const mismatch = expect.stringMatching(/^apply_patch verification failed: .*a\.txt:\nnope$/);

let home: CodexHome;
let model: ScriptedModel;
let server: AppServer;
beforeAll(async () => {
  home = await CodexHome.make();
  model = await ScriptedModel.start();
  server = await AppServer.start({ home, model, decide: () => "decline" });
  await writeFile(join(home.project, "a.txt"), "old\n");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

/** Runs a turn in which the model makes this call; returns the failed calls found, and the items. */
async function turn(failedCalls: FailedCalls, threadId: string, call: Part) {
  const before = server.told.length;
  model.answerInTurn(reply(call), reply(message("Go on.")));
  await server.turn(threadId, "Do it.");
  const found = model.requests.map(({ body }) => failedCalls.take(body));
  expect(found.map(({ thread }) => thread)).toEqual([threadId, threadId]);
  const items = server.told
    .slice(before)
    .flatMap((notification) =>
      notification.method === "item/completed" ? [notification.params.item.type] : [],
    )
    .filter((type) => type !== "userMessage" && type !== "agentMessage");
  return { items, failed: found.flatMap(({ failed }) => failed) };
}

async function threadOf(modelName: string, approvalPolicy: "never" | "untrusted") {
  const started = await server.client.request("thread/start", {
    cwd: home.project,
    sandbox: "danger-full-access",
    approvalPolicy,
    model: modelName,
  });
  if (!started.ok) throw new Error(started.error.message);
  return started.value.thread.id;
}

describe("a call for which Codex sends no item", () => {
  it.each<[string, Part, object]>([
    [
      "a patch that does not fit",
      applyPatch(misfit),
      { kind: "patch", files, patch: misfit, reason: mismatch },
    ],
    [
      "a patch of no form",
      applyPatch("*** Begin Patch\nhello"),
      { kind: "patch", files: [], reason: expect.stringContaining("invalid patch") },
    ],
    [
      "a patch of nothing",
      applyPatch(patch()),
      { kind: "patch", files: [], reason: "patch rejected: empty patch" },
    ],
    [
      "a patch in a command",
      exec(`apply_patch <<'EOF'\n${misfit}\nEOF`),
      { kind: "patch", files, patch: misfit, reason: mismatch },
    ],
    [
      "a command that its policy refuses",
      exec("rm -rf /tmp/x"),
      { kind: "command", name: "rm -rf /tmp/x", reason: expect.stringMatching(/^rm -f style/) },
    ],
    [
      "a command that asks for more than there is",
      functionCall("exec_command", { cmd: "ls", sandbox_permissions: "require_escalated" }),
      { kind: "command", name: "ls", reason: expect.stringContaining("escalated permissions") },
    ],
    [
      "a tool that it does not have",
      functionCall("foo", {}),
      { kind: "tool", name: "foo", reason: "unsupported call: foo" },
    ],
    [
      "a call of another form",
      functionCall("exec_command", {}),
      { kind: "tool", name: "exec_command", reason: expect.stringContaining("missing field") },
    ],
    [
      "a picture that is not there",
      functionCall("view_image", { path: "/no.png" }),
      { kind: "tool", name: "view_image", reason: expect.stringContaining("/no.png") },
    ],
  ])("is found in its next request: %s", async (_what, call, failure) => {
    const done = await turn(new FailedCalls(), await server.startThread(), call);
    expect(done).toEqual({ items: [], failed: [expect.objectContaining(failure)] });
  });

  it.each<[string, string, object]>([
    [
      "a patch",
      `await tools.apply_patch(${JSON.stringify(misfit)})`,
      { kind: "patch", files, reason: mismatch },
    ],
    [
      "a patch whose failure it tells",
      `try { await tools.apply_patch(${JSON.stringify(misfit)}) } catch (e) { text("No: " + e) }`,
      { kind: "patch", files, reason: mismatch },
    ],
    [
      "a command",
      `await tools.exec_command({ cmd: "rm -rf '/tmp/x'" })`,
      {
        kind: "command",
        name: expect.stringContaining("rm -rf"),
        reason: expect.stringMatching(/^rm -f style commands.*[a-z]$/),
      },
    ],
  ])("is found where a script makes it: %s", async (_what, input, failure) => {
    const thread = await threadOf("gpt-6-sol", "never");
    const done = await turn(new FailedCalls(), thread, script(input));
    expect(done).toEqual({ items: [], failed: [expect.objectContaining(failure)] });
  });

  it("is found once, also in threads that were resumed and forked", async () => {
    const calls = new FailedCalls();
    const threadId = await server.startThread();
    expect((await turn(calls, threadId, applyPatch(misfit))).failed).toHaveLength(1);
    expect((await turn(calls, threadId, applyPatch(misfit))).failed).toHaveLength(1);
    const place = { cwd: home.project, sandbox: "danger-full-access" } as const;
    const how = { ...place, threadId, approvalPolicy: "never", excludeTurns: true } as const;
    const fork = await server.client.request("thread/fork", how);
    if (!fork.ok) throw new Error(fork.error.message);
    expect((await turn(calls, fork.value.thread.id, applyPatch(misfit))).failed).toHaveLength(1);
    await server[Symbol.asyncDispose]();
    server = await AppServer.start({ home, model, decide: () => "decline" });
    const resumed = await server.client.request("thread/resume", how);
    expect(resumed.ok).toBe(true);
    expect((await turn(new FailedCalls(), threadId, exec("rm -rf /tmp/x"))).failed).toHaveLength(1);
  });
});

describe("a call for which Codex sends an item", () => {
  it.each<[string, "never" | "untrusted", Part]>([
    ["a patch that cannot be written", "never", applyPatch(patch("*** Add File: a.txt/b", "+b"))],
    ["a patch that is declined", "untrusted", applyPatch(patch("*** Add File: c", "+c"))],
    ["a command that is declined", "untrusted", exec("ls")],
    [
      "a command that cannot start",
      "never",
      functionCall("exec_command", { cmd: "ls", workdir: "/no" }),
    ],
    ["a command that fails", "never", exec("echo 'patch rejected: by hand'; exit 1")],
  ])("is not told again: %s", async (_what, approvals, call) => {
    const done = await turn(new FailedCalls(), await threadOf("gpt-5.5", approvals), call);
    expect(done).toEqual({ items: [expect.any(String)], failed: [] });
  });

  it.each<[string, string]>([
    [
      "a patch that is declined",
      `await tools.apply_patch(${JSON.stringify(patch("*** Add File: c", "+c"))})`,
    ],
    ["a command that is declined", `await tools.exec_command({ cmd: "ls" })`],
  ])("is not reported a second time when a script makes it: %s", async (_what, input) => {
    const thread = await threadOf("gpt-6-sol", "untrusted");
    const done = await turn(new FailedCalls(), thread, script(input));
    expect(done).toEqual({ items: [expect.any(String)], failed: [] });
  });
});
