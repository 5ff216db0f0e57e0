import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply, silence } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW, share, WAIT } from "../support.ts";

describe("stopping a turn", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("keeps back a query whose sandbox is still starting, and sends it with the next one", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    await chat.send("The first question.");
    await expect.poll(() => chat.state("phase"), WAIT).toBe("starting");

    await chat.stop();

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await chat.text()).toContain("Stopped before it was sent.");
    expect(model.recorded).toEqual([]);
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts().join("\n")).toBe(
      "The first question.\n\nThe second question.",
    );
  });

  it.each([
    ["in a new conversation", 0],
    ["in a continued one", 1],
  ])("at the moment of sending leaves no turn running, %s", async (_where, earlier) => {
    const { chat, model } = shared();
    model.answer(() => reply(message("An answer.")));
    for (let n = 0; n < earlier; n++) await chat.ask("An earlier question.");
    model.answer((request) =>
      request.lastUserText().endsWith("The last question.")
        ? reply(message("The last answer."))
        : reply(silence()),
    );

    await chat.send("The stopped question.", "CodexChat stop");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await chat.text()).not.toContain("Error");
    expect(await chat.ask("The last question.")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("The last answer.");
    const sent = model.requests.at(-1)?.userTexts().join("\n\n");
    expect(sent?.match(/The stopped question\./g)).toHaveLength(1);
    expect(sent?.match(/The last question\./g)).toHaveLength(1);
  });

  it("lets the next query be answered at once, together with a waiting one", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      request.contains("After it.")
        ? reply(message("The next answer."))
        : reply(message("Working."), exec("sleep 60", { yieldMs: 30_000 })),
    );
    await chat.send("Work.");
    await chat.until(/\*\*Running\*\* `sleep 60`/);
    await chat.queue("Before it.");

    await chat.stop();
    await chat.send("After it.");

    await chat.until("The next answer.");
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    const sent = model.requests.at(-1)?.userTexts().join("\n\n");
    for (const query of ["Work.", "Before it.", "After it."])
      expect(sent?.split(query)).toHaveLength(2);
  });

  it("by stopping the sandbox fails the turn, and the next turn starts the sandbox again", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(message("Half of the answer"), silence()));
    await chat.send("The first question.");
    await chat.until("Half of the answer");

    await chat.command("sandbox stop");

    expect(await chat.waitForTurnEnd()).toMatchObject({ status: "failed" });
    expect(await chat.text()).toContain("The sandbox was stopped.");
    await expect.poll(() => place.containers(), WAIT).toEqual([]);
    model.answerInTurn(reply(message("Started again.")));
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "The first question.",
      "The second question.",
    ]);
  });

  it("shows the output of a command that outlives its turn, and ends it", async () => {
    const { chat, model } = shared();
    const { nvim } = chat;
    model.answerInTurn(
      // Killed before its shell, a sleep in the loop's condition would end the loop as if by itself.
      reply(exec("while true; do sleep 1; echo tick; done", { yieldMs: 300 })),
      reply(message("It ticks.")),
    );
    expect(await chat.ask("Tick.")).toEqual({ status: "completed" });
    await chat.until("left running in the background");
    await chat.until("tick\n");
    const choose = (...picks: number[]) =>
      nvim.lua(
        `local picks = ...
         vim.ui.select = function(items, _, done) done(items[table.remove(picks, 1)]) end`,
        picks,
      );

    await choose(1, 1);
    await chat.command("terminals");

    await nvim.until('vim.fn.getline(".")', expect.stringContaining("**Running** `while true"));
    await nvim.until('vim.fn.foldclosed(vim.fn.line(".") + 1)', -1);

    await choose(1, 2);
    await chat.command("terminals");

    await chat.until("**Stopped** `while true;");
  });

  it("does not stop the other conversation of the same Neovim", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      request.lastUserText() === "Be quick."
        ? reply(message("Quick."))
        : reply(message("Slowly…"), silence()),
    );
    await chat.send("Be slow.");
    await chat.until("Slowly…");
    const slow = await chat.path();
    await chat.startAnew();

    expect(await chat.ask("Be quick.")).toEqual({ status: "completed" });

    expect(await chat.text()).not.toContain("Slowly…");
    await chat.nvim.command(`edit ${slow}`);
    await chat.stop();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect((await chat.nvim.lines()).join("\n")).toContain("Slowly…");
  });
});
