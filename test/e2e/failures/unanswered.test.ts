import { describe, expect, it } from "vitest";
import {
  exec,
  httpError,
  message,
  type Reply,
  reply,
  silence,
} from "../../../src/offline/reply.ts";
import { neovims } from "../../support/neovim.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** Presses Enter in the empty prompt. */
async function enter(chat: Conversation): Promise<void> {
  await chat.nvim.lua("vim.cmd.stopinsert(); vim.cmd.normal({ 'G', bang = true })");
  await chat.nvim.type("<CR>");
}

describe("a query without an answer, after a restart", SLOW, () => {
  const answering = () => ScriptedModel.start(() => reply(message("Here is your answer.")));

  /** Sends the query again by `how`, in a Neovim of its own, and looks at what comes of it. */
  async function sendAgain(
    { place, model }: { readonly place: Place; readonly model: ScriptedModel },
    how: (chat: Conversation) => Promise<void>,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    await using chat = await Conversation.open({ place, model, config });
    await expect.poll(() => chat.state("phase"), WAIT).toBe("failed");
    await how(chat);
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["Are you there?"]);
    expect(await chat.body()).toMatch(
      /^## You\s+Are you there\?[\s\S]*> \*\*(?:Note|Error):\*\* [\s\S]*Here is your answer\.\s+## You\s*$/,
    );
    await enter(chat);
    await expect
      .poll(() => chat.notifications(), WAIT)
      .toEqual([expect.stringContaining("nothing to send")]);
    await chat.untilSaved();
    // Awaited here: Neovim is gone when this has returned.
    return await chat.fileText();
  }

  it("is sent by <CR> if there was no key", async () => {
    const api_key_cmd = ["false"];
    await using place = await Place.make({ git: false });
    await using model = await answering();
    await using first = await Conversation.open({ place, model, config: { api_key_cmd } });
    expect((await first.ask("Are you there?")).status).toBe("failed");
    await first.command("retry");
    expect((await first.waitForTurnEnd()).status).toBe("failed");
    // The newest stands last, in one section.
    expect(await first.body()).toMatch(
      /^## You\s+Are you there\?\s+## Codex\s+> \*\*Error:\*\*[\s\S]+> \*\*Error:\*\*(?![\s\S]*## Codex)/,
    );
    await first.quit();
    await sendAgain({ place, model }, enter, { api_key_cmd: ["echo", "a-key"] });
  });

  it("is sent by `retry` if Neovim was closed while the sandbox started", async () => {
    await using place = await Place.make({ git: false });
    await using model = await answering();
    await using first = await Conversation.open({
      place,
      model,
      // Nothing is started before the key is known.
      config: { api_key_cmd: ["sleep", "60"] },
    });
    await first.send("Are you there?");
    await expect
      .poll(() => first.fileText().catch(() => ""), WAIT)
      .toContain("Are you there?\n\n## Codex\n");
    await first.quit();
    expect(model.requests).toEqual([]);
    await sendAgain({ place, model }, (chat) => chat.command("retry"));
  });

  it("is not sent to Codex again if its thread already has it", async () => {
    await using place = await Place.make({ git: false });
    await using model = await answering();
    await using first = await Conversation.open({ place, model, config: { model: "gpt-unknown" } });
    model.answerInTurn(httpError(404, "no such model", {}, { code: "model_not_found" }));
    const end = await first.ask("Are you there?");
    expect(end.failure?.fix).toContain("After a change start Neovim again");
    await first.quit();
    model.answerInTurn(reply(message("Here is your answer.")));
    await sendAgain({ place, model }, (chat) => chat.command("retry"), { model: "gpt-5.5" });
    expect(model.requests.at(-1)?.model).toBe("gpt-5.5");
  });

  it("does not exist if the user has stopped the answer", async () => {
    await using place = await Place.make({ git: false });
    await using model = await answering();
    await using first = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Half of it."), silence()));
    await first.send("Are you there?");
    await first.until("Half of it.");
    await first.stop();
    await first.waitForTurnEnd();
    await first.quit();
    await using chat = await Conversation.open({ place, model });
    await chat.command("retry");
    await expect
      .poll(() => chat.notifications(), WAIT)
      .toEqual([expect.stringContaining("nothing to send")]);
  });
});

describe("a query whose answer ended with host and editor", SLOW, () => {
  /** What has come of it by then, and what the text says afterwards. */
  const cases: readonly (readonly [what: string, answer: Reply, until: string, after: RegExp])[] = [
    [
      "nothing",
      reply(silence()),
      "## Codex",
      /Are you there\?\s+## Codex\s+> \*\*Note:\*\* This was never answered\.[^\n]+\s+Here I am\.\s+## You\s*$/,
    ],
    [
      "a command that runs",
      reply(exec("sleep 300")),
      "sleep 300",
      /Are you there\?\s+## Codex\s+[^#]+sleep 300[^#]+> \*\*Note:\*\* The host was ended before this turn was over\.[^\n]+\s+Here I am\.\s+## You\s*$/,
    ],
    [
      "half of it",
      reply(message("I am"), silence()),
      "I am",
      /Are you there\?\s+## Codex\s+I am\s+> \*\*Note:\*\* The host was ended before this turn was over\.[^\n]+\s+Here I am\.\s+## You\s*$/,
    ],
  ];

  it("is recognized and can be sent again, after any partial answer", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    for (const [what, answer, until, after] of cases) {
      model.answer(() => answer);
      await using first = await Conversation.open({ place, model });
      await first.startAnew();
      await first.send("Are you there?");
      await first.waitForTurnStart();
      await expect.poll(() => model.requests.length, WAIT).toBe(1);
      await expect.poll(() => first.fileText(), WAIT).toContain(until);
      await first.killBoth();

      await using chat = await Conversation.open({ place, model });
      await expect.poll(() => chat.state("phase"), WAIT).toBe("failed");
      model.answerInTurn(reply(message("Here I am.")));
      await chat.command("retry");
      expect(await chat.waitForTurnEnd(), what).toEqual({ status: "completed" });
      expect(model.requests.at(-1)?.userTexts(), what).toEqual(["Are you there?"]);
      expect(await chat.body(), what).toMatch(after);
      await chat.quit();
      // All is over now: nothing is said of it once more.
      await using next = await Conversation.open({ place, model });
      await expect.poll(() => next.state("phase"), WAIT).toBe("idle");
      expect(await next.body()).toMatch(after);
    }
  });
});

describe("a query that is sent while Neovim exits", SLOW, () => {
  it.each(neovims)("is in the file, and recognized as unanswered ($name)", async (program) => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    for (const _ of [1, 2, 3]) {
      await using first = await Conversation.open({ place, model, program });
      // A new one gets its file and its name just then.
      await first.open("new");
      await first.type("Are you there?\nHello?");
      void first.nvim.type("<Esc><CR>:qa<CR>").catch(() => {});
      await first.nvim.exited;
      await first.hostGone();

      await using chat = await Conversation.open({ place, model, program });
      await expect.poll(() => chat.state("phase"), WAIT).toBe("failed");
      await chat.until(
        /Are you there\?\nHello\?\n\n## Codex\n\n> \*\*Note:\*\* [^\n]+\n\n## You\n*$/,
      );
      await chat.quit();
    }
  });
});
