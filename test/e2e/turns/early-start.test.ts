import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { Conversation, Place, ScriptedModel, SLOW, WAIT } from "../support.ts";

/** What the winbar says of the conversation's state. */
async function winbar(chat: Conversation): Promise<string> {
  return chat.nvim.lua<string>(
    "return vim.api.nvim_eval_statusline(vim.wo.winbar, { winid = 0 }).str",
  );
}

describe("the sandbox of a chat", SLOW, () => {
  it("starts when typing begins, and the query finds it running", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    // Reading, moving about and insert mode alone start nothing.
    await chat.nvim.keys("<Esc>ggGA<Esc>A");
    await expect.poll(() => chat.nvim.mode()).toBe("i");
    expect([await chat.state("phase"), await place.containers()]).toEqual(["idle", []]);
    await chat.nvim.keys("H");
    await expect.poll(() => chat.state("phase"), WAIT).toBe("starting");
    expect(await winbar(chat)).toContain("starting");
    await chat.nvim.keys("ello.");
    await expect.poll(() => place.containers(), WAIT).toHaveLength(1);
    await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
    const [first] = await place.containers();
    expect(model.requests).toEqual([]);
    // The thread waits in Codex, and is the conversation's from its first query on.
    expect(await chat.text()).not.toMatch(/^thread:/m);

    model.answerInTurn(reply(message("Hello.")));
    await chat.nvim.keys("<C-s>");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["Hello."]);
    expect((await place.containers()).map(({ Id }) => Id)).toEqual([first?.Id]);
    const thread = /^thread: (\S+)$/m.exec(await chat.text())?.[1] ?? "";
    const sessions = join(chat.projectDir, "codex-home", "sessions");
    const rollouts = (await readdir(sessions, { recursive: true })).filter((path) =>
      path.endsWith(".jsonl"),
    );
    expect(rollouts).toEqual([expect.stringContaining(thread)]);
  });

  it("is joined by a query that is sent while it starts", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({ place, model });
    model.answerInTurn(reply(message("Hello.")));
    await chat.nvim.keys("<Esc>GAQuick.<C-s>");
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts()).toEqual(["Quick."]);
    expect(await place.containers()).toHaveLength(1);
  });

  it("does not report what keeps it from starting until something is sent", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { sandbox: { engine: "unix:///nowhere/docker.sock" } },
    });
    await chat.nvim.keys("<Esc>GAHello.");
    const log = join(place.state, "host.log");
    await expect
      .poll(() => readFile(log, "utf8"), WAIT)
      .toContain("nothing was started ahead of a turn");
    expect(await chat.state("phase")).toBe("idle");
    expect(await chat.notifications()).toEqual([]);
    expect(await chat.text()).not.toContain("Error");
    await chat.nvim.keys("<C-s>");
    const end = await chat.waitForTurnEnd();
    expect(end.failure?.kind).toBe("engine_unreachable");
    expect(await chat.text()).toContain("> **Error:**");
  });

  it("ends by idling if nothing is sent", async () => {
    await using place = await Place.make({ git: false });
    await using model = await ScriptedModel.start();
    await using chat = await Conversation.open({
      place,
      model,
      config: { sandbox: { idle_minutes: 0.05 } },
    });
    await chat.nvim.keys("<Esc>GAHello.");
    await expect.poll(() => place.containers(), WAIT).toHaveLength(1);
    await expect.poll(() => place.containers(), WAIT).toEqual([]);
  });
});
