import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Approval, Decision } from "../../src/codex/server-requests/server-request.ts";
import { applyPatch, exec, functionCall, message, reply } from "../../src/offline/reply.ts";
import { Gate, ScriptedModel } from "../e2e/model.ts";
import { AppServer, CodexHome } from "./support.ts";

let home: CodexHome;
let model: ScriptedModel;
let server: AppServer;
let decide: (approval: Approval) => Decision | Promise<Decision>;
beforeAll(async () => {
  home = await CodexHome.make();
  model = await ScriptedModel.start();
  server = await AppServer.start({ home, model, decide: (approval) => decide(approval) });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  expect(server.all("invalid")).toEqual([]);
});

const inProject = (name: string) => join(home.project, name);
const add = (name: string) =>
  applyPatch(`*** Begin Patch\n*** Add File: ${name}\n+x\n*** End Patch`);
const asked = () => server.asked.map(({ approval }) => approval);
/** Starts a thread that asks about everything, and forgets earlier questions. */
async function askingThread(): Promise<string> {
  server.asked.length = 0;
  return server.startThread("untrusted");
}

describe("a command", () => {
  it("runs when it is accepted, which is asked with its words and its place", async () => {
    decide = () => "accept";
    model.answerInTurn(reply(exec("touch accepted")), reply(message("Done.")));
    const threadId = await askingThread();
    expect(await server.turn(threadId, "Touch.")).toMatchObject({ status: "completed" });
    expect(server.asked).toEqual([
      {
        threadId,
        approval: {
          kind: "command",
          id: expect.stringMatching(/^n\d+$/),
          itemId: server.items("commandExecution").at(-1)?.id,
          command: expect.stringContaining("touch accepted"),
          cwd: home.project,
        },
      },
    ]);
    expect(existsSync(inProject("accepted"))).toBe(true);
    await server.until("serverRequest/resolved", ({ params }) => params.threadId === threadId);
  });

  it("does not run when it is declined, and the model is told", async () => {
    decide = () => "decline";
    model.answerInTurn(reply(exec("touch declined")), reply(message("Fine.")));
    const end = await server.turn(await askingThread(), "Touch.");
    expect(end).toMatchObject({ status: "completed" });
    expect(existsSync(inProject("declined"))).toBe(false);
    expect(server.items("commandExecution").at(-1)).toMatchObject({ status: "declined" });
    expect(model.requests.at(-1)?.allOutputs().join()).toContain("rejected by user");
  });

  it("ends the turn when it is cancelled", async () => {
    decide = () => "cancel";
    model.answerInTurn(reply(exec("touch cancelled")));
    const end = await server.turn(await askingThread(), "Touch.");
    expect(end).toMatchObject({ status: "interrupted" });
    expect(existsSync(inProject("cancelled"))).toBe(false);
    expect(model.requests).toHaveLength(1);
  });

  it("is not asked for again when it is accepted for the session, another is", async () => {
    decide = () => "accept_session";
    model.answerInTurn(
      reply(exec("echo same")),
      reply(exec("echo same")),
      reply(exec("echo other")),
      reply(message("Done.")),
    );
    await server.turn(await askingThread(), "Echo.");
    expect(asked()).toMatchObject([
      { command: expect.stringContaining("echo same") },
      { command: expect.stringContaining("echo other") },
    ]);
  });

  it("is asked for again in another conversation, and in another directory", async () => {
    decide = () => "accept_session";
    const run = reply(exec("echo here"));
    const elsewhere = reply(functionCall("exec_command", { cmd: "echo here", workdir: "/" }));
    model.answerInTurn(run, elsewhere, reply(message("Done.")));
    await server.turn(await askingThread(), "Echo.");
    expect(asked()).toHaveLength(2);
    model.answerInTurn(run, reply(message("Done.")));
    await server.turn(await askingThread(), "Echo.");
    expect(asked()).toHaveLength(1);
  });

  it("is not asked for where a file in Codex's home allows it, which any program inside can write", async () => {
    await using other = await CodexHome.make();
    await mkdir(join(other.path, "rules"));
    const rule = 'prefix_rule(pattern=["touch"], decision="allow")\n';
    await writeFile(join(other.path, "rules", "written-inside.rules"), rule);
    await using next = await AppServer.start({ home: other, model });
    model.answerInTurn(reply(exec("touch allowed")), reply(exec("ls")), reply(message("Done.")));
    await next.turn(await next.startThread("untrusted"), "Touch.");
    expect(next.asked).toMatchObject([{ approval: { command: expect.stringContaining("ls") } }]);
    expect(existsSync(join(other.project, "allowed"))).toBe(true);
  });

  it("fails when it cannot be asked for, and the turn goes on", async () => {
    decide = () => {
      throw new Error("a bug");
    };
    model.answerInTurn(reply(exec("touch failed")), reply(message("Well.")));
    const end = await server.turn(await askingThread(), "Touch.");
    expect(end).toMatchObject({ status: "completed" });
    expect(existsSync(inProject("failed"))).toBe(false);
  });

  it("is no longer asked for when the turn is interrupted", async () => {
    const gate = new Gate();
    decide = () => gate.passed.then(() => "accept" as const);
    model.answerInTurn(reply(exec("touch late")), reply(message("Next.")));
    const threadId = await askingThread();
    const turnId = await server.startTurn(threadId, "Touch.");
    await expect.poll(() => server.asked.length, { timeout: 20_000 }).toBe(1);

    await server.client.request("turn/interrupt", { threadId, turnId });

    expect(await server.turnEnd(turnId)).toMatchObject({ status: "interrupted" });
    const resolved = await server.until(
      "serverRequest/resolved",
      ({ params }) => params.threadId === threadId,
    );
    expect(`n${resolved.params.requestId}`).toBe(asked()[0]?.id);
    gate.open();
    // The late answer is ignored.
    decide = () => "decline";
    expect(await server.turn(threadId, "And now?")).toMatchObject({ status: "completed" });
    expect(existsSync(inProject("late"))).toBe(false);
  });
});

describe("a patch", () => {
  it("is applied when it is accepted", async () => {
    decide = () => "accept";
    model.answerInTurn(reply(add("patched")), reply(message("Done.")));
    const threadId = await askingThread();
    await server.turn(threadId, "Patch.");
    const itemId = server.items("fileChange").at(-1)?.id;
    expect(asked()).toEqual([{ kind: "patch", id: expect.any(String), itemId }]);
    // The changes were sent before the question.
    const started = server.all("item/started").find(({ params }) => params.item.id === itemId);
    expect(started?.params.item).toMatchObject({
      changes: [{ path: inProject("patched"), kind: { type: "add" }, diff: "x\n" }],
    });
    expect(await readFile(inProject("patched"), "utf8")).toBe("x\n");
  });

  it("is not asked for again of the same file when it is accepted for the session", async () => {
    decide = () => "accept_session";
    const again = applyPatch("*** Begin Patch\n*** Update File: mine\n@@\n-x\n+y\n*** End Patch");
    model.answerInTurn(
      reply(add("mine")),
      reply(again),
      reply(add("other")),
      reply(message("Done.")),
    );
    await server.turn(await askingThread(), "Patch.");
    expect(await readFile(inProject("mine"), "utf8")).toBe("y\n");
    expect(asked()).toHaveLength(2);
  });

  it("is not applied when it is declined, and the turn goes on", async () => {
    decide = () => "decline";
    model.answerInTurn(reply(add("unpatched")), reply(message("Fine.")));
    const end = await server.turn(await askingThread(), "Patch.");
    expect(end).toMatchObject({ status: "completed" });
    expect(server.items("fileChange").at(-1)).toMatchObject({ status: "declined" });
    expect(existsSync(inProject("unpatched"))).toBe(false);
  });

  it("ends the turn when it is cancelled, without an end of its own", async () => {
    decide = () => "cancel";
    model.answerInTurn(reply(add("cancelled-patch")));
    const before = server.items("fileChange").length;
    const end = await server.turn(await askingThread(), "Patch.");
    expect(end).toMatchObject({ status: "interrupted" });
    expect(server.items("fileChange")).toHaveLength(before);
    expect(existsSync(inProject("cancelled-patch"))).toBe(false);
  });
});

describe("input to a terminal", () => {
  const script = () =>
    model.answer((request, n) => {
      const session = Number(/session ID (\d+)/.exec(request.allOutputs().join())?.[1] ?? 0);
      const type = (chars: string) =>
        reply(functionCall("write_stdin", { session_id: session, chars, yield_time_ms: 250 }));
      if (n === 0)
        return reply(functionCall("exec_command", { cmd: "bash", tty: true, yield_time_ms: 250 }));
      if (n === 1) return type("touch typed\n");
      return n === 2 ? type("exit\n") : reply(message("Done."));
    });

  it("is not asked about by Codex", async () => {
    decide = () => "accept";
    script();
    await server.turn(await askingThread(), "Type.");
    expect(asked()).toHaveLength(1);
    expect(existsSync(inProject("typed"))).toBe(true);
  });

  it("is impossible where terminals are forbidden", async () => {
    await using other = await CodexHome.make();
    await using careful = await AppServer.start({ home: other, model, terminals: false });
    script();
    const end = await careful.turn(await careful.startThread("untrusted"), "Type.");
    expect(end).toMatchObject({ status: "completed" });
    expect(careful.asked).toEqual([]);
    expect(existsSync(join(other.project, "typed"))).toBe(false);
    expect(model.requests[1]?.allOutputs().join()).toContain("TTY execution is disabled");
    model.answerInTurn(reply(exec('read line; touch "$line"')), reply(message("Done.")));
    await careful.turn(await careful.startThread("untrusted"), "Read.");
    expect(careful.asked).toHaveLength(1);
  });
});
