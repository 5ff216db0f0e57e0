import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  applyPatch,
  cutConnection,
  exec,
  functionCall,
  httpError,
  message,
  reasoning,
  reply,
  silence,
  updatePlan,
} from "../../src/offline/reply.ts";
import { ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

let home: CodexHome;
let model: ScriptedModel;
let server: AppServer;
beforeAll(async () => {
  home = await CodexHome.make();
  model = await ScriptedModel.start();
  server = await AppServer.start({ home, model });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  // The pinned version sent nothing in a form that we do not know.
  expect(server.all("invalid")).toEqual([]);
});

const inProject = (name: string) => join(home.project, name);

describe("a turn", () => {
  it("reports its items in order, and their results to the model", async () => {
    await writeFile(inProject("a.txt"), "old\n");
    model.answerInTurn(
      reply(reasoning("I think."), message("I look."), exec("cat a.txt; exit 3")),
      reply(updatePlan([{ step: "edit", status: "in_progress" }])),
      reply(
        applyPatch(
          "*** Begin Patch\n*** Update File: a.txt\n@@\n-old\n+new\n*** Add File: b.txt\n+b\n*** End Patch",
        ),
      ),
      reply(message("Done.", { pieces: 3 })),
    );
    const threadId = await server.startThread();
    const turnId = await server.startTurn(threadId, "Edit a.txt.");

    expect(await server.turnEnd(turnId)).toMatchObject({
      ...{ id: turnId, status: "completed", error: null },
      items: [{ type: "agentMessage", text: "Done." }],
    });
    const items = server
      .all("item/completed")
      .map(({ params }) => params)
      .filter((params) => params.turnId === turnId)
      .map(({ item }) => item);
    expect(items).toMatchObject([
      { type: "userMessage", clientId: "user:Edit a.txt." },
      { type: "reasoning", summary: ["I think."] },
      { type: "agentMessage", text: "I look." },
      {
        type: "commandExecution",
        command: expect.stringContaining("cat a.txt; exit 3"),
        cwd: home.project,
        status: "failed",
        exitCode: 3,
        aggregatedOutput: "old\n",
      },
      {
        type: "fileChange",
        status: "completed",
        changes: [
          { path: inProject("a.txt"), kind: { type: "update" }, diff: "@@ -1 +1 @@\n-old\n+new\n" },
          { path: inProject("b.txt"), kind: { type: "add" }, diff: "b\n" },
        ],
      },
      { type: "agentMessage", text: "Done." },
    ]);
    expect(await readFile(inProject("a.txt"), "utf8")).toBe("new\n");
    expect(server.all("turn/plan/updated").at(-1)?.params.plan).toEqual([
      { step: "edit", status: "inProgress" },
    ]);
    const deltas = server
      .all("item/agentMessage/delta")
      .filter(({ params }) => params.itemId === items.at(-1)?.id)
      .map(({ params }) => params.delta);
    expect(deltas).toEqual(["Do", "ne", "."]);
    expect(server.all("thread/tokenUsage/updated").at(-1)?.params.tokenUsage).toMatchObject({
      last: { totalTokens: 1290 },
      total: { totalTokens: 4 * 1290 },
      modelContextWindow: expect.any(Number),
    });
    expect(model.requests[1]?.allOutputs().join()).toContain("Process exited with code 3");
  });

  it("can be steered, and the model has both texts", async () => {
    model.answer((request) =>
      request.lastUserText() === "In French."
        ? reply(message("Bonjour."))
        : reply(message("Hello.", { pieces: 1 }), silence()),
    );
    const threadId = await server.startThread();
    const turnId = await server.startTurn(threadId, "Greet.");
    await server.until("item/agentMessage/delta", ({ params }) => params.turnId === turnId);

    const steered = await server.client.request("turn/steer", {
      threadId,
      expectedTurnId: turnId,
      input: [{ type: "text", text: "In French.", text_elements: [] }],
      clientUserMessageId: "user:2",
    });

    expect(steered).toEqual({ ok: true, value: { turnId } });
    expect(await server.turnEnd(turnId)).toMatchObject({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["Greet.", "In French."]);
    expect(server.items("userMessage").at(-1)).toMatchObject({ clientId: "user:2" });
  });

  it("refuses to be steered when it is over, or another one runs", async () => {
    model.answer(() => reply(message("Done.")));
    const threadId = await server.startThread();
    const steer = (expectedTurnId: string) =>
      server.client.request("turn/steer", {
        threadId,
        expectedTurnId,
        input: [{ type: "text", text: "late", text_elements: [] }],
      });
    const { id } = await server.turn(threadId, "Hello.");
    expect(await steer(id)).toMatchObject({ error: { kind: "refused" } });
    model.answer(() => reply(silence()));
    const running = await server.startTurn(threadId, "And now?");
    await server.until("turn/started", ({ params }) => params.turn.id === running);
    expect(await steer(id)).toMatchObject({ error: { kind: "refused" } });
    await server.client.request("turn/interrupt", { threadId, turnId: running });
    expect(await server.turnEnd(running)).toMatchObject({ status: "interrupted" });
  });

  it("can be interrupted, with its command stopped by a second request", async () => {
    model.answer((_request, n) =>
      n === 0
        ? reply(exec("echo begun; sleep 86397", { yieldMs: 30_000 }))
        : reply(message("Back.")),
    );
    const threadId = await server.startThread();
    const turnId = await server.startTurn(threadId, "Sleep.");
    await server.until(
      "item/started",
      ({ params }) => params.turnId === turnId && params.item.type === "commandExecution",
    );
    const terminals = () => server.client.request("thread/backgroundTerminals/list", { threadId });
    await expect.poll(terminals, { timeout: 20_000 }).toMatchObject({
      value: { data: [{ command: expect.stringContaining("sleep 86397") }] },
    });

    const interrupted = await server.client.request("turn/interrupt", { threadId, turnId });

    expect(interrupted).toMatchObject({ ok: true });
    expect(await server.turnEnd(turnId)).toMatchObject({ status: "interrupted" });
    // Codex leaves it running; a client that stops a turn must end its commands.
    expect(await terminals()).toMatchObject({ value: { data: [{ cwd: home.project }] } });
    await server.client.request("thread/backgroundTerminals/clean", { threadId });
    await expect.poll(terminals, { timeout: 20_000 }).toMatchObject({ value: { data: [] } });
    expect(await server.turn(threadId, "Are you there?")).toMatchObject({ status: "completed" });
  });

  it("has a terminal that is ended by its process id", async () => {
    model.answerInTurn(reply(exec("sleep 86396", { yieldMs: 250 })), reply(message("It sleeps.")));
    const threadId = await server.startThread();
    await server.turn(threadId, "Sleep in the background.");
    const listed = await server.client.request("thread/backgroundTerminals/list", { threadId });
    const [terminal] = listed.ok ? listed.value.data : [];
    if (terminal === undefined) throw new Error("no terminal is listed");
    expect(server.all("item/started").map(({ params }) => params.item.id)).toContain(
      terminal.itemId,
    );

    const { processId } = terminal;
    await server.client.request("thread/backgroundTerminals/terminate", { threadId, processId });

    await server.until(
      "item/completed",
      ({ params }) => params.item.type === "commandExecution" && params.item.id === terminal.itemId,
    );
  });
});

describe("a turn that fails", () => {
  it.each([
    // Two more tries of the request, times two more of the stream.
    [400, "other", 1],
    [401, { httpConnectionFailed: { httpStatusCode: 401 } }, 3],
    [403, { httpConnectionFailed: { httpStatusCode: 403 } }, 3],
    [404, { httpConnectionFailed: { httpStatusCode: 404 } }, 3],
    [429, { responseTooManyFailedAttempts: { httpStatusCode: 429 } }, 1],
    [500, "internalServerError", 9],
    [503, { httpConnectionFailed: { httpStatusCode: 503 } }, 9],
  ])(
    "says so for a %i of the model, by what the client tells apart",
    async (status, codexErrorInfo, tries) => {
      model.answer(() => httpError(status, `said ${status}`));
      const threadId = await server.startThread();
      const end = await server.turn(threadId, "Hello.");
      expect(end).toMatchObject({ status: "failed", error: { codexErrorInfo } });
      expect(model.requests).toHaveLength(tries);
      const told = server.all("error").filter(({ params }) => params.turnId === end.id);
      expect(told.at(-1)?.params).toMatchObject({ willRetry: false, error: { codexErrorInfo } });
    },
  );

  it("says so for a connection that breaks, after it has tried again", async () => {
    model.answer(() => reply(message("Hel"), cutConnection()));
    const end = await server.turn(await server.startThread(), "Hello.");
    expect(end).toMatchObject({ status: "failed", error: { message: expect.any(String) } });
    const told = server.all("error").filter(({ params }) => params.turnId === end.id);
    expect(told.map(({ params }) => params.willRetry)).toEqual([true, true, false]);
    expect(model.requests).toHaveLength(3);
  });

  it("has its query in the requests of the next turn", async () => {
    model.answerInTurn(httpError(401, "no key"), reply(message("Yes.")));
    const threadId = await server.startThread();
    await server.turn(threadId, "First.");
    expect(await server.turn(threadId, "Second.")).toMatchObject({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["First.", "Second."]);
  });
});

describe("a tool that the editor does not have", () => {
  it("is reported to the model as a mistake, and the turn goes on", async () => {
    model.answerInTurn(reply(functionCall("open_in_editor", {})), reply(message("Well.")));
    expect(await server.turn(await server.startThread(), "Open.")).toMatchObject({
      status: "completed",
    });
    expect(existsSync(inProject("open_in_editor"))).toBe(false);
    expect(model.requests.at(-1)?.allOutputs().join()).toContain("open_in_editor");
  });
});
