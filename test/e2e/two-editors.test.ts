import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../src/offline/index.ts";
import { Conversation, Gate, Place, ScriptedModel, SLOW, until, WAIT } from "./support.ts";

describe("two Neovims on one project", SLOW, () => {
  it("have conversations of their own at the same time in one container, which the last one ends", async () => {
    await using place = await Place.make();
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
});
