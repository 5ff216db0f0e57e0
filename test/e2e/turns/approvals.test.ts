import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply, silence } from "../../../src/offline/reply.ts";
import { SLOW, share } from "../support.ts";

describe("with approvals = untrusted", SLOW, () => {
  const shared = share({ git: false, config: { approvals: "untrusted" } });
  beforeEach(() => shared().chat.startAnew());

  it("runs a command once its question is accepted", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(exec("touch accepted")), reply(message("Done.")));
    await chat.send("Touch a file.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("**Asks** to run `touch accepted`");
    expect(await chat.state("phase")).toBe("waiting");
    expect(existsSync(join(place.project, "accepted"))).toBe(false);

    await chat.answer("a");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(existsSync(join(place.project, "accepted"))).toBe(true);
    expect(await chat.text()).not.toContain("**Asks**");
  });

  it("tells the model why a command was declined, within the same turn", async () => {
    const { chat, model, place } = shared();
    model.answer((request) => {
      if (request.userTexts().includes("that is too risky"))
        return reply(message("Then I leave it."));
      return reply(request.allOutputs().length > 0 ? silence() : exec("touch declined"));
    });
    await chat.send("Do something risky.");
    await chat.waitForQuestion();

    await chat.answer("dthat is too risky<CR>");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("Then I leave it.");
    expect(await chat.text()).toContain("**Declined** `touch declined` · that is too risky");
    expect(model.requests.at(-1)?.allOutputs().join()).toContain("rejected by user");
    expect(existsSync(join(place.project, "declined"))).toBe(false);
  });

  it("does not ask again for a command that was accepted for the session", async () => {
    const { chat, model } = shared();
    const again = reply(exec("echo once is enough"));
    model.answerInTurn(again, again, again, reply(message("Done.")));
    await chat.send("Three times, please.");
    await chat.waitForQuestion();

    await chat.answer("s");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs()).toHaveLength(3);
    expect(await chat.text()).not.toContain("**Asks**");
  });

  it("ends the turn when the question is cancelled", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(exec("touch cancelled")));
    await chat.send("Touch a file.");
    await chat.waitForQuestion();

    await chat.answer("c");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(existsSync(join(place.project, "cancelled"))).toBe(false);
  });

  it("asks no more once the user says never, and asks again on command", async () => {
    const { chat, model } = shared();
    model.answerInTurn(reply(exec("touch unasked")), reply(message("Done.")));
    await chat.command("approvals never");
    expect(await chat.ask("Touch.")).toEqual({ status: "completed" });
    await chat.command("status");
    await expect.poll(async () => (await chat.nvim.lines()).join("\n")).toContain("never");
    await chat.command("open");

    model.answerInTurn(reply(exec("touch asked")), reply(message("Done.")));
    await chat.command("approvals untrusted");
    await chat.send("Touch again.");
    await chat.waitForQuestion();
    await chat.answer("a");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
  });

  it("keeps the question while the chat is hidden", async () => {
    const { chat, model } = shared();
    model.answerInTurn(reply(exec("echo shown again")), reply(message("Done.")));
    await chat.send("Echo.");
    await chat.waitForQuestion();

    await chat.command("toggle");
    await chat.command("toggle");
    await chat.answer("a");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.allOutputs().join()).toContain("shown again");
  });

  it("asks before a patch and edits nothing when that is declined", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(
      reply(applyPatch("*** Begin Patch\n*** Add File: patched\n+text\n*** End Patch")),
      reply(message("Fine.")),
    );
    await chat.send("Patch.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("+text");

    await chat.answer("d<CR>");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(existsSync(join(place.project, "patched"))).toBe(false);
  });

  it("withdraws the question when the turn is stopped, and runs the next turn", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(exec("touch stopped")), reply(message("Next.")));
    await chat.send("Touch a file.");
    await chat.waitForQuestion();

    await chat.stop();

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(await chat.nvim.lua("return vim.fn.maparg('a', 'n')")).toBe("");
    expect(existsSync(join(place.project, "stopped"))).toBe(false);
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("Next.");
  });
});
