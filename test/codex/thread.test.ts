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
    await using it = await told("My name is Ada.");
    await it.server[Symbol.asyncDispose]();
    await using next = await AppServer.start({ home: it.home, model: it.model });

    const resumed = await resume(next, it.home, it.threadId);

    expect(resumed).toMatchObject({ ok: true, value: { thread: { id: it.threadId } } });
    await next.turn(it.threadId, "What is my name?");
    const last = it.model.requests.at(-1);
    expect(last?.userTexts()).toEqual(["My name is Ada.", "What is my name?"]);
    expect(last?.contains("Heard: My name is Ada.")).toBe(true);
    expect(next.all("deprecationNotice")).toEqual([]);
  });

  it("can be left and loaded again, and goes on", async () => {
    await using it = await told("First.");
    const { client } = it.server;
    const left = await client.request("thread/unsubscribe", { threadId: it.threadId });
    expect(left).toMatchObject({ ok: true });

    expect(await resume(it.server, it.home, it.threadId)).toMatchObject({ ok: true });

    expect(await it.server.turn(it.threadId, "Second.")).toMatchObject({ status: "completed" });
    expect(it.model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second."]);
  });

  it("survives a crash in the middle of a turn, with what the user said", async () => {
    await using it = await told("First.");
    it.model.answer(() => reply(message("Half an ans", { pieces: 1 }), silence()));
    const turnId = await it.server.startTurn(it.threadId, "Second.");
    await it.server.until("item/agentMessage/delta", ({ params }) => params.turnId === turnId);
    it.server.kill();
    await it.server.client.closed;
    it.model.answer(() => reply(message("Third's answer.")));
    await using next = await AppServer.start({ home: it.home, model: it.model });

    expect(await resume(next, it.home, it.threadId)).toMatchObject({ ok: true });
    expect(await next.turn(it.threadId, "Third.")).toMatchObject({ status: "completed" });
    expect(it.model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second.", "Third."]);
  });

  it("runs its commands without Codex's own sandbox after it was resumed, too", async () => {
    await using it = await told("Hello.");
    await it.server[Symbol.asyncDispose]();
    await using next = await AppServer.start({ home: it.home, model: it.model });
    await resume(next, it.home, it.threadId);
    it.model.answerInTurn(reply(exec("echo from-outside > $HOME/outside")), reply(message("Ok.")));
    await next.turn(it.threadId, "Write outside of the project.");
    expect(next.items("commandExecution").at(-1)).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ["that does not exist", "01a1fcde-7b16-7df3-9a19-710ca9a03b1a"],
    ["whose id is none", "my-thread"],
    ["whose id is hostile", "../../etc/passwd"],
  ])("%s is unknown, however it is asked for", async (_, threadId) => {
    await using it = await told();
    const unknown = { ok: false, error: { kind: "thread_unknown" } };
    expect(await resume(it.server, it.home, threadId)).toMatchObject(unknown);
    const input = [{ type: "text", text: "x", text_elements: [] }] as const;
    expect(await it.server.client.request("turn/start", { threadId, input })).toMatchObject(
      unknown,
    );
    expect(
      await it.server.client.request("turn/interrupt", { threadId, turnId: "u" }),
    ).toMatchObject(unknown);
  });

  it("without a turn is unknown to another app-server", async () => {
    await using it = await told();
    await using next = await AppServer.start({ home: it.home, model: it.model });
    expect(await resume(next, it.home, it.threadId)).toMatchObject({
      error: { kind: "thread_unknown" },
    });
  });

  it("is busy while another app-server has it, and free again after a crash of that", async () => {
    await using it = await told("Hello.");
    await using next = await AppServer.start({ home: it.home, model: it.model });
    expect(await resume(next, it.home, it.threadId)).toMatchObject({
      error: { kind: "thread_busy" },
    });
    it.server.kill();
    await it.server.exitCode();
    expect(await resume(next, it.home, it.threadId)).toMatchObject({ ok: true });
  });
});

describe("a thread's turns", () => {
  it("are listed with their items, a page at a time", async () => {
    await using it = await told("One.", "Two.", "Three.");
    const page = (cursor?: string) =>
      it.server.client.request("thread/turns/list", {
        threadId: it.threadId,
        limit: 2,
        sortDirection: "asc",
        itemsView: "full",
        ...(cursor === undefined ? {} : { cursor }),
      });
    const first = await page();
    if (!first.ok) throw new Error(first.error.message);
    expect(first.value.data.map((turn) => turn.id)).toEqual(it.turns.slice(0, 2));
    expect(first.value.data[0]?.items).toMatchObject([
      { type: "userMessage", clientId: "user:One." },
      { type: "agentMessage", text: "Heard: One." },
    ]);
    const rest = await page(first.value.nextCursor ?? "");
    expect(rest).toMatchObject({ ok: true, value: { data: [{ id: it.turns[2] }] } });
  });

  it("can be taken back, and are then not sent to the model", async () => {
    await using it = await told("One.", "Two.", "Three.");
    const reverted = await it.server.client.request("thread/revert", {
      threadId: it.threadId,
      beforeTurnId: it.turns[1] ?? "",
    });
    expect(reverted).toMatchObject({ ok: true });
    await it.server.turn(it.threadId, "Other.");
    expect(it.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Other."]);
    const again = { threadId: it.threadId, beforeTurnId: "none" };
    expect(await it.server.client.request("thread/revert", again)).toMatchObject({
      error: { kind: "refused" },
    });
  });

  it("can be copied into another thread, up to one of them", async () => {
    await using it = await told("One.", "Two.");
    const forked = await it.server.client.request("thread/fork", {
      threadId: it.threadId,
      lastTurnId: it.turns[0] ?? "",
      cwd: it.home.project,
      sandbox: "danger-full-access",
      approvalPolicy: "never",
      excludeTurns: true,
    });
    if (!forked.ok) throw new Error(forked.error.message);
    const { thread, model } = forked.value;
    expect(thread.id).not.toBe(it.threadId);
    expect(model).toBe("gpt-5.5");
    await it.server.turn(thread.id, "Other.");
    expect(it.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Other."]);
    await it.server.turn(it.threadId, "Three.");
    expect(it.model.requests.at(-1)?.userTexts()).toEqual(["One.", "Two.", "Three."]);
  });

  it("can be compacted", async () => {
    await using it = await told("One.");
    it.model.answer(() => reply(message("A summary.")));
    const { threadId } = it;
    const before = it.server.all("turn/completed").length;
    const asked = await it.server.client.request("thread/compact/start", { threadId });
    expect(asked).toMatchObject({ ok: true });
    await expect
      .poll(() => it.server.all("turn/completed").length, { timeout: 20_000 })
      .toBe(before + 1);
    expect(it.server.items("contextCompaction")).toHaveLength(1);
    it.model.answer(() => reply(message("Two.")));
    await it.server.turn(threadId, "Two.");
    expect(it.model.requests.at(-1)?.contains("A summary.")).toBe(true);
  });

  it("can be a review", async () => {
    await using it = await told();
    it.model.answer(() => reply(message("Nothing to say.")));
    const started = await it.server.client.request("review/start", {
      threadId: it.threadId,
      target: { type: "custom", instructions: "Look at it." },
      delivery: "inline",
    });
    if (!started.ok) throw new Error(started.error.message);
    expect(await it.server.turnEnd(started.value.turn.id)).toMatchObject({ status: "completed" });
    expect(it.server.items("enteredReviewMode")).toHaveLength(1);
    expect(it.server.items("exitedReviewMode")).toMatchObject([{ review: "Nothing to say." }]);
  });

  it("can run in plan mode and with another effort", async () => {
    await using it = await told();
    it.model.answer(() => reply(message("<proposed_plan>\n1. Do it.\n</proposed_plan>")));
    const started = await it.server.client.request("turn/start", {
      threadId: it.threadId,
      input: [{ type: "text", text: "Plan.", text_elements: [] }],
      effort: "low",
      collaborationMode: {
        mode: "plan",
        settings: { model: "gpt-5.5", reasoning_effort: "low", developer_instructions: null },
      },
    });
    if (!started.ok) throw new Error(started.error.message);
    await it.server.turnEnd(started.value.turn.id);
    expect(it.server.items("plan")).toMatchObject([{ text: expect.stringContaining("Do it.") }]);
    expect(it.model.requests.at(-1)?.body["reasoning"]).toMatchObject({ effort: "low" });
  });
});
