import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import { Gate, SLOW, share, until, WAIT } from "../support.ts";

const ASK = `
  _G.ends = {}
  for n, text in ipairs({ "the first", "the second" }) do
    require("codex-chat").ask(text, {
      mode = "queue",
      on_end = function(result) table.insert(_G.ends, { n, result.status, result.answer }) end,
    })
  end`;

describe("a chat around a real turn", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it("calls the callback of ask() with the answer of the turn that took the query", async () => {
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

  it("continues after :edit!, and the file contains everything", async () => {
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

  it("lets the user run programs that were written in the turn once it is over", async () => {
    const { chat, model, place } = shared();
    const gate = new Gate();
    model.answerInTurn(
      reply(exec("printf '#!/bin/sh\\necho ran\\n' > run.sh && chmod +x run.sh")),
      reply(message("Written."), until(gate), message("Done.")),
    );
    await chat.send("Write a script.");
    await chat.until("Written.");
    const run = () => spawnSync(join(place.project, "run.sh"), { encoding: "utf8" });
    // The control: gVisor has it open for writing.
    expect(run().error).toMatchObject({ code: "ETXTBSY" });
    gate.open();
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(run()).toMatchObject({ status: 0, stdout: "ran\n" });
  });
});
