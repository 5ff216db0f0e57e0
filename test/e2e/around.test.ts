import { beforeEach, describe, expect, it } from "vitest";
import { message, reply } from "../../src/offline/index.ts";
import { Gate, SLOW, share, until, WAIT } from "./support.ts";

const ASK = `
  _G.ends = {}
  for n, text in ipairs({ "the first", "the second" }) do
    require("codex-chat").ask(text, {
      mode = "queue",
      on_end = function(result) table.insert(_G.ends, { n, result.status, result.answer }) end,
    })
  end`;

describe("around a real turn", SLOW, () => {
  const shared = share();
  beforeEach(() => shared().chat.startAnew());

  it("calls ask() back with the answer of the turn that its query went into", async () => {
    const { chat, model } = shared();
    model.answer((request) =>
      reply(message(request.lastUserText() === "the second" ? "Two." : "**One.**\n\nReally.")),
    );
    await chat.nvim.lua(ASK);
    await expect
      .poll(() => chat.nvim.lua("return _G.ends"), WAIT)
      .toEqual([
        [1, "completed", "**One.**\n\nReally."],
        [2, "completed", "Two."],
      ]);
  });

  it("goes on over :edit!, and the file has all of it", async () => {
    const { chat, model } = shared();
    const gate = new Gate();
    model.answer(() => reply(message("Before."), until(gate), message("After.")));
    await chat.send("Say it.");
    await chat.until("Before.");
    await chat.type("half typed");
    await chat.nvim.command("edit!");
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    await chat.until("After.");
    expect(await chat.body()).toMatchInlineSnapshot(`
      "## You

      Say it.

      ## Codex

      Before.

      After.

      ## You
      half typed"
    `);
    await expect.poll(() => chat.fileText(), WAIT).toContain("After.\n\n## You\nhalf typed\n");
  });
});
