import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { containerLock } from "../../../src/sandbox/container/container.ts";
import { findEngine } from "../../../src/sandbox/engine/engine.ts";
import { takeLock } from "../../../src/sandbox/locks/machine-lock.ts";
import { sandboxName } from "../../../src/sandbox/ownership/container-lookup.ts";
import { Conversation, Gate, Place, ScriptedModel, SLOW, until, WAIT } from "../support.ts";

describe("two Neovims on one project", SLOW, () => {
  it("have separate conversations at the same time in one container, which the last one ends", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using first = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Hello, first.")));
    expect(await first.ask("I am the first.")).toEqual({ status: "completed" });

    await using second = await Conversation.open({ place, model });
    expect(await second.path()).not.toBe(await first.path());
    expect((await second.notifications()).join("\n")).toMatch(/open in another Neovim/);
    expect(await second.text()).not.toContain("I am the first.");

    const gate = new Gate();
    model.answer((request) => {
      const who = request.lastUserText();
      return request.outputsSinceUser().length === 0
        ? reply(message(`Working for ${who}.`), until(gate), exec(`echo done for ${who}`))
        : reply(message(`Finished for ${who}.`));
    });
    await first.send("number one");
    await second.send("number two");
    await first.until("Working for number one.");
    await second.until("Working for number two.");
    expect(await place.containers()).toHaveLength(1);
    gate.open();
    expect(await first.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await second.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await first.text()).not.toContain("number two");
    expect(await second.text()).not.toContain("number one");

    await first.quit();
    expect(await place.containers()).toHaveLength(1);
    model.answerInTurn(reply(message("Still here.")));
    expect(await second.ask("And you?")).toEqual({ status: "completed" });
    await second.quit();
    await expect.poll(() => place.containers(), WAIT).toEqual([]);
  });

  it("go on in a conversation that the other one has closed, with all that was said", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using first = await Conversation.open({ place, model });
    expect(await first.ask("My name is Ada.")).toEqual({ status: "completed" });
    await first.untilSaved();
    const path = await first.path();
    await first.nvim.command("bwipeout!");
    // The host has let go of it, too.
    await expect.poll(() => existsSync(`${path}.lock`), WAIT).toBe(false);
    await using second = await Conversation.open({ place, model });
    await expect.poll(() => second.text(), WAIT).toContain("My name is Ada.");

    expect(await second.ask("What is my name?")).toEqual({ status: "completed" });

    expect(model.requests.at(-1)?.userTexts()).toEqual(["My name is Ada.", "What is my name?"]);
    expect(await second.text()).not.toMatch(/\*\*(?:Error|Note):/);
    expect(await second.ask("And now?")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toHaveLength(3);
  });

  it("report who keeps them waiting for the sandbox, and stop waiting when the user does", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    const engine = await findEngine({ env: {}, host: place.engine.host });
    if (!engine.ok) throw new Error(engine.error.message);
    const name = await sandboxName({ root: place.project, stateDir: chat.projectDir });
    const held = await takeLock(containerLock(engine.value, name, chat.projectDir));

    model.answerInTurn(reply(message("Never said.")));
    await chat.send("Go on.");
    const waiting = new RegExp(`Waiting to start the sandbox: process ${process.pid} .* since`);
    await expect.poll(() => chat.state("detail"), WAIT).toMatch(waiting);
    await chat.command("stop");
    expect(await chat.waitForTurnEnd()).toMatchObject({ status: "interrupted" });
    expect(await place.containers()).toEqual([]);

    model.answerInTurn(reply(message("Here I am.")));
    await chat.send("And now?");
    await expect.poll(() => chat.state("detail"), WAIT).toMatch(waiting);
    held.release();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
  });
});
