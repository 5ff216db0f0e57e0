/** Who decided, in the audit log: a decision that nobody made is never the user's. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { exec, functionCall, message, reply } from "../../../src/offline/reply.ts";
import { FIND_CODEX } from "../from-inside.ts";
import { Conversation, Place, ScriptedModel, SLOW, share, WAIT } from "../support.ts";

/** The questions on record, oldest first. */
async function asked(projectDir: string): Promise<readonly Record<string, unknown>[]> {
  const text = await readFile(join(projectDir, "audit.jsonl"), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((record) => record["event"] === "approval");
}

/** Waits for a question that is about this, and gives its record. */
async function recorded(projectDir: string, about: string): Promise<unknown> {
  const find = async () =>
    (await asked(projectDir)).find((record) => String(record["about"]).includes(about));
  await expect.poll(find, WAIT).toBeDefined();
  return find();
}

/** A server of tools that asks the user back. */
const SERVER = `
import { createInterface } from "node:readline";

const say = (it) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...it }) + "\\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize")
    say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "asker", version: "1" } } });
  else if (method === "tools/list")
    say({ id, result: { tools: [{ name: "ask", description: "ask", inputSchema: { type: "object", properties: {} } }] } });
  else if (method === "tools/call")
    say({ id: "ask", method: "elicitation/create", params: { mode: "form", message: "Who are you?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } } });
  else if (id !== undefined && method) say({ id, result: {} });
}
`;

describe("the audit log", SLOW, () => {
  const shared = share({
    git: false,
    config: {
      approvals: "untrusted",
      model: "scripted",
      mcp_servers: {
        asker: { command: "node", args: ["asker.mjs"], default_tools_approval_mode: "approve" },
      },
    },
  });
  beforeEach(async () => {
    const { chat, place } = shared();
    await writeFile(join(place.project, "asker.mjs"), SERVER);
    await chat.startAnew();
  });

  it("attributes a user's answer to the user", async () => {
    const { chat, model } = shared();
    model.answerInTurn(reply(exec("touch by-the-user")), reply(message("Done.")));
    await chat.send("Touch it.");
    await chat.waitForQuestion();
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await recorded(chat.projectDir, "by-the-user")).toMatchObject({
      decision: "accept",
      by: "user",
    });
  });

  it("attributes the decision on a command that was open when the turn stopped to nobody", async () => {
    const { chat, model } = shared();
    model.answer(() => reply(exec("touch stopped")));
    await chat.send("Touch it.");
    await chat.waitForQuestion();
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await recorded(chat.projectDir, "touch stopped")).toMatchObject({
      decision: "cancel",
      by: "nobody",
      reason: expect.stringMatching(/turn was stopped|no longer waited/),
    });
  });

  it("attributes the decision on an MCP server's form that was left open to nobody", async () => {
    const { chat, model } = shared();
    model.answer(() => reply(functionCall("ask", {}, "mcp__asker")));
    await chat.send("Ask me.");
    await chat.waitForQuestion();
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await recorded(chat.projectDir, "Who are you?")).toMatchObject({ by: "nobody" });
  });

  it("attributes the decision on a question from a thread without a conversation to nobody", async () => {
    const { chat, model, place } = shared();
    model.answer(() => reply(message("Done.")));
    await chat.ask("Hello.");
    const ask = {
      id: 987,
      method: "item/commandExecution/requestApproval",
      params: {
        kind: "command",
        threadId: "of-nobody",
        turnId: "t",
        itemId: "i",
        command: "forged",
      },
    };
    await place.inside(
      `node -e '${FIND_CODEX} fs.appendFileSync("/proc/" + pid + "/fd/1", JSON.stringify(${JSON.stringify(ask)}) + "\\n");'`,
    );
    expect(await recorded(chat.projectDir, "forged")).toMatchObject({
      decision: "decline",
      by: "nobody",
      reason: "no conversation has this thread",
    });
  });

  it("attributes the refusal of permissions, which are never granted, to a rule", async () => {
    const { chat, model, place } = shared();
    model.answer(() => reply(message("Done.")));
    await chat.ask("Hello.");
    const ask = {
      id: 988,
      method: "item/permissions/requestApproval",
      params: { threadId: "t", turnId: "t", itemId: "i", reason: "to roam" },
    };
    await place.inside(
      `node -e '${FIND_CODEX} fs.appendFileSync("/proc/" + pid + "/fd/1", JSON.stringify(${JSON.stringify(ask)}) + "\\n");'`,
    );
    expect(await recorded(chat.projectDir, "to roam")).toMatchObject({
      asked: "permissions",
      decision: "decline",
      by: "rule",
    });
  });
});

describe("the audit log of a turn that may ask for hosts", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("attributes the decision on a host that was asked about when the turn stopped to nobody", async () => {
    const { chat, model } = shared();
    model.answer(() => reply(exec("curl -sS -m 60 https://left-open.example/")));
    await chat.send("Fetch it.");
    await chat.waitForQuestion();
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await recorded(chat.projectDir, "left-open.example")).toMatchObject({
      asked: "network",
      by: "nobody",
    });
    const text = await readFile(join(chat.projectDir, "audit.jsonl"), "utf8");
    expect(text).not.toContain('"by":"user"');
    expect(text).not.toContain("the user refused");
  });

  it("attributes the refusal of a host by the user to the user", async () => {
    const { chat, model } = shared();
    model.answerInTurn(
      reply(exec("curl -sS -m 60 https://refused.example/")),
      reply(message("Done.")),
    );
    await chat.send("Fetch it.");
    await chat.waitForQuestion();
    await chat.answer("dno<CR>");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await recorded(chat.projectDir, "refused.example")).toMatchObject({
      asked: "network",
      decision: "decline",
      by: "user",
    });
  });
});

it(
  "a question that is open when Neovim is killed is recorded in the audit log as nobody's decision",
  SLOW,
  async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { approvals: "untrusted" },
    });
    model.answer(() => reply(exec("touch left-alone")));
    await chat.send("Touch it.");
    await chat.waitForQuestion();
    await chat.kill();
    await chat.hostGone();
    const [only, ...others] = await asked(chat.projectDir);
    expect(others).toEqual([]);
    expect(only).toMatchObject({ about: expect.stringContaining("left-alone"), by: "nobody" });
    expect(only?.["reason"]).toContain("Neovim");
  },
);
