import { describe, expect, it } from "vitest";
import { exec, message, reply, silence } from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

/** Loads a thread as the plugin does. */
function resume(server: AppServer, home: CodexHome, threadId: string) {
  return server.client.request("thread/resume", {
    threadId,
    cwd: home.project,
    sandbox: "danger-full-access",
    approvalPolicy: "never",
    excludeTurns: true,
  });
}

/** A home with one conversation in it, with a turn for each text. */
async function told(...texts: readonly string[]) {
  const home = await CodexHome.make();
  const model = await ScriptedModel.start((request) =>
    reply(message(`Heard: ${request.lastUserText()}`)),
  );
  const server = await AppServer.start({ home, model });
  const threadId = await server.startThread();
  const turns: string[] = [];
  for (const text of texts) turns.push((await server.turn(threadId, text)).id);
  return {
    home,
    model,
    server,
    threadId,
    turns,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

describe("a thread", () => {
  it("is remembered by another app-server: the model is sent all that was said", async () => {
    await using codex = await told("My name is Ada.");
    await codex.server[Symbol.asyncDispose]();
    await using next = await AppServer.start({ home: codex.home, model: codex.model });

    const resumed = await resume(next, codex.home, codex.threadId);

    expect(resumed).toMatchObject({ ok: true, value: { thread: { id: codex.threadId } } });
    await next.turn(codex.threadId, "What is my name?");
    const last = codex.model.requests.at(-1);
    expect(last?.userTexts()).toEqual(["My name is Ada.", "What is my name?"]);
    expect(last?.contains("Heard: My name is Ada.")).toBe(true);
    expect(next.all("deprecationNotice")).toEqual([]);
  });

  it("can be left and loaded again, and goes on", async () => {
    await using codex = await told("First.");
    const { client } = codex.server;
    const left = await client.request("thread/unsubscribe", { threadId: codex.threadId });
    expect(left).toMatchObject({ ok: true });

    expect(await resume(codex.server, codex.home, codex.threadId)).toMatchObject({ ok: true });

    expect(await codex.server.turn(codex.threadId, "Second.")).toMatchObject({
      status: "completed",
    });
    expect(codex.model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second."]);
  });

  it("survives a crash in the middle of a turn, with what the user said", async () => {
    await using codex = await told("First.");
    codex.model.answer(() => reply(message("Half an ans", { pieces: 1 }), silence()));
    const turnId = await codex.server.startTurn(codex.threadId, "Second.");
    await codex.server.until("item/agentMessage/delta", ({ params }) => params.turnId === turnId);
    codex.server.kill();
    await codex.server.client.closed;
    codex.model.answer(() => reply(message("Third's answer.")));
    await using next = await AppServer.start({ home: codex.home, model: codex.model });

    expect(await resume(next, codex.home, codex.threadId)).toMatchObject({ ok: true });
    expect(await next.turn(codex.threadId, "Third.")).toMatchObject({ status: "completed" });
    expect(codex.model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second.", "Third."]);
  });

  it("runs its commands without Codex's own sandbox after it was resumed, too", async () => {
    await using codex = await told("Hello.");
    await codex.server[Symbol.asyncDispose]();
    await using next = await AppServer.start({ home: codex.home, model: codex.model });
    await resume(next, codex.home, codex.threadId);
    codex.model.answerInTurn(
      reply(exec("echo from-outside > $HOME/outside")),
      reply(message("Ok.")),
    );
    await next.turn(codex.threadId, "Write outside of the project.");
    expect(next.items("commandExecution").at(-1)).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ["that does not exist", "01a1fcde-7b16-7df3-9a19-710ca9a03b1a"],
    ["whose id is none", "my-thread"],
    ["whose id is hostile", "../../etc/passwd"],
  ])("%s is unknown, however it is asked for", async (_, threadId) => {
    await using codex = await told();
    const unknown = { ok: false, error: { kind: "thread_unknown" } };
    expect(await resume(codex.server, codex.home, threadId)).toMatchObject(unknown);
    const input = [{ type: "text", text: "x", text_elements: [] }] as const;
    expect(await codex.server.client.request("turn/start", { threadId, input })).toMatchObject(
      unknown,
    );
    expect(
      await codex.server.client.request("turn/interrupt", { threadId, turnId: "u" }),
    ).toMatchObject(unknown);
  });

  it("without a turn is unknown to another app-server", async () => {
    await using codex = await told();
    await using next = await AppServer.start({ home: codex.home, model: codex.model });
    expect(await resume(next, codex.home, codex.threadId)).toMatchObject({
      error: { kind: "thread_unknown" },
    });
  });

  it("is busy while another app-server has it, and free again after a crash of that", async () => {
    await using codex = await told("Hello.");
    await using next = await AppServer.start({ home: codex.home, model: codex.model });
    expect(await resume(next, codex.home, codex.threadId)).toMatchObject({
      error: { kind: "thread_busy" },
    });
    codex.server.kill();
    await codex.server.exitCode();
    expect(await resume(next, codex.home, codex.threadId)).toMatchObject({ ok: true });
  });
});

describe("a thread's turns", () => {
  it("are listed with their items, a page at a time", async () => {
    await using codex = await told("One.", "Two.", "Three.");
    const page = (cursor?: string) =>
      codex.server.client.request("thread/turns/list", {
        threadId: codex.threadId,
        limit: 2,
        sortDirection: "asc",
        itemsView: "full",
        ...(cursor === undefined ? {} : { cursor }),
      });
    const first = await page();
    if (!first.ok) throw new Error(first.error.message);
    expect(first.value.data.map((turn) => turn.id)).toEqual(codex.turns.slice(0, 2));
    expect(first.value.data[0]?.items).toMatchObject([
      { type: "userMessage", clientId: "user:One." },
      { type: "agentMessage", text: "Heard: One." },
    ]);
    const rest = await page(first.value.nextCursor ?? "");
    expect(rest).toMatchObject({ ok: true, value: { data: [{ id: codex.turns[2] }] } });
  });

  it("can be taken back, and are then not sent to the model", async () => {
    await using codex = await told("One.", "Two.", "Three.");
    const reverted = await codex.server.client.request("thread/revert", {
      threadId: codex.threadId,
      beforeTurnId: codex.turns[1] ?? "",
    });
    expect(reverted).toMatchObject({ ok: true });
    await codex.server.turn(codex.threadId, "Other.");
    expect(codex.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Other."]);
    const again = { threadId: codex.threadId, beforeTurnId: "none" };
    expect(await codex.server.client.request("thread/revert", again)).toMatchObject({
      error: { kind: "refused" },
    });
  });

  it("can be copied into another thread, up to one of them", async () => {
    await using codex = await told("One.", "Two.");
    const forked = await codex.server.client.request("thread/fork", {
      threadId: codex.threadId,
      lastTurnId: codex.turns[0] ?? "",
      cwd: codex.home.project,
      sandbox: "danger-full-access",
      approvalPolicy: "never",
      excludeTurns: true,
    });
    if (!forked.ok) throw new Error(forked.error.message);
    const { thread, model } = forked.value;
    expect(thread.id).not.toBe(codex.threadId);
    expect(model).toBe("gpt-5.5");
    await codex.server.turn(thread.id, "Other.");
    expect(codex.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Other."]);
    await codex.server.turn(codex.threadId, "Three.");
    expect(codex.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Two.", "Three."]);
  });

  it("can be compacted", async () => {
    await using codex = await told("One.");
    codex.model.answer(() => reply(message("A summary.")));
    const { threadId } = codex;
    const before = codex.server.all("turn/completed").length;
    const asked = await codex.server.client.request("thread/compact/start", { threadId });
    expect(asked).toMatchObject({ ok: true });
    await expect
      .poll(() => codex.server.all("turn/completed").length, { timeout: 20_000 })
      .toBe(before + 1);
    expect(codex.server.items("contextCompaction")).toHaveLength(1);
    codex.model.answer(() => reply(message("Two.")));
    await codex.server.turn(threadId, "Two.");
    expect(codex.model.requests.at(-1)?.contains("A summary.")).toBe(true);
  });

  it("can be a review", async () => {
    await using codex = await told();
    codex.model.answer(() => reply(message("Nothing to say.")));
    const started = await codex.server.client.request("review/start", {
      threadId: codex.threadId,
      target: { type: "custom", instructions: "Look at it." },
      delivery: "inline",
    });
    if (!started.ok) throw new Error(started.error.message);
    expect(await codex.server.turnEnd(started.value.turn.id)).toMatchObject({
      status: "completed",
    });
    expect(codex.server.items("enteredReviewMode")).toHaveLength(1);
    expect(codex.server.items("exitedReviewMode")).toMatchObject([{ review: "Nothing to say." }]);
  });

  it("can run in plan mode and with another effort", async () => {
    await using codex = await told();
    codex.model.answer(() => reply(message("<proposed_plan>\n1. Do it.\n</proposed_plan>")));
    const started = await codex.server.client.request("turn/start", {
      threadId: codex.threadId,
      input: [{ type: "text", text: "Plan.", text_elements: [] }],
      effort: "low",
      collaborationMode: {
        mode: "plan",
        settings: { model: "gpt-5.5", reasoning_effort: "low", developer_instructions: null },
      },
    });
    if (!started.ok) throw new Error(started.error.message);
    await codex.server.turnEnd(started.value.turn.id);
    expect(codex.server.items("plan")).toMatchObject([{ text: expect.stringContaining("Do it.") }]);
    expect(codex.model.requests.at(-1)?.body["reasoning"]).toMatchObject({ effort: "low" });
  });
});
