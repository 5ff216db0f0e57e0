import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { message, reply, silence } from "../../src/offline/index.ts";
import { ownEngine } from "../support/engine.ts";
import { Conversation, Place, ScriptedModel, WAIT } from "./support.ts";

// The first run on a machine builds the image on this engine.
describe("an engine that is killed in the middle of a turn", { timeout: 600_000 }, () => {
  it("fails the turn with what was received, and the next turn remembers on a new one", async () => {
    await using engine = await ownEngine({ name: "e2e" });
    await using place = await Place.make({ engine });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    // The image may have to be built first.
    model.answerInTurn(reply(message("Ready.")));
    await chat.send("The first question.");
    await chat.until("Ready.", { timeout: 500_000 });
    await chat.waitForTurnEnd();
    model.answerInTurn(reply(message("Half of the answer"), silence()));
    await chat.send("The second question.");
    await chat.until("Half of the answer");

    process.kill(engine.pid, "SIGKILL");

    const end = await chat.waitForTurnEnd();
    expect(end.status).toBe("failed");
    expect(await chat.text()).toMatch(/Half of the answer\n\n> \*\*Error:\*\* /);
    await engine.close();
    await expect.poll(() => existsSync(dirname(engine.host.slice(7))), WAIT).toBe(false);
    expect((await chat.ask("The third question.")).failure?.kind).toBe("engine_unreachable");

    await using _again = await ownEngine({ name: "e2e" });
    model.answerInTurn(reply(message("I am back.")));
    await chat.command("retry");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("I am back.");
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "The first question.",
      "The second question.",
      "The third question.",
    ]);
    await chat.quit();
    expect(await place.containers()).toEqual([]);
  });
});
