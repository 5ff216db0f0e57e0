import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW } from "../support.ts";

describe("a weaker runtime that the configuration names", SLOW, () => {
  it("is named in every turn", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { sandbox: { runtime: "runc" } },
    });
    model.answerInTurn(reply(exec("uname -a")), reply(message("Done.")));

    expect(await chat.ask("The first.")).toEqual({ status: "completed" });
    expect(await chat.ask("The second.")).toEqual({ status: "completed" });

    const said = (await chat.text()).match(/> \*\*Note:\*\* This turn runs in runc, not gVisor\./g);
    expect(said).toHaveLength(2);
    expect(await chat.state("sandbox")).toBe("runc, not gVisor");
  });
});
