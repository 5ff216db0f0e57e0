import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply } from "../../../src/offline/reply.ts";
import { findEngine } from "../../../src/sandbox/engine/engine.ts";
import { sweep } from "../../../src/sandbox/ownership/sweep.ts";
import { Gate, SLOW, share, until } from "../support.ts";

/** Longer than the host waits for the model below, and later than a timer ever is. */
const STOPPED_MS = 3_500;

describe("a turn in which a part is paused, as by suspending the machine", SLOW, () => {
  const shared = share({
    git: false,
    config: { limits: { silence_ms: 500, response_idle_ms: 1_500 } },
  });
  beforeEach(() => shared().chat.startAnew());

  it("continues if it was the host, and its container is not removed meanwhile", async () => {
    const { chat, model, place } = shared();
    const gate = new Gate();
    model.answer(() => reply(message("Half of it."), until(gate), message("The rest.")));
    await chat.send("The question.");
    await chat.until("Half of it.");
    const [before] = await place.containers();
    process.kill(chat.hostPid, "SIGSTOP");
    try {
      await sleep(STOPPED_MS / 2);
      // It comes while nobody can read it.
      gate.open();
      const engine = await findEngine({ env: {}, host: place.engine.host });
      if (engine.ok) expect(await sweep(engine.value)).toEqual([]);
      await sleep(STOPPED_MS / 2);
      expect((await place.containers()).map((container) => container.Id)).toEqual([before?.Id]);
    } finally {
      process.kill(chat.hostPid, "SIGCONT");
    }
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("The rest.");
    expect(await chat.text()).not.toContain("Error");
    model.answerInTurn(reply(message("Still here.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect((await place.containers()).map((container) => container.Id)).toEqual([before?.Id]);
  });

  it("fails if it was the relay, and continues in a new sandbox", async () => {
    const { chat, model, place } = shared();
    const { nvim } = chat;
    model.answer(() => reply(message("An answer.")));
    await chat.ask("The first question.");
    const { stdout } = await place.inside("kill -STOP $(pgrep -f [r]elay.mjs) && echo stopped");
    expect(stdout).toContain("stopped");

    await chat.send("The second question.");

    await nvim.until(
      `(function()
        local said = {}
        for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, -1, 0, -1, { details = true })) do
          for _, chunk in ipairs(mark[4].virt_text or {}) do said[#said + 1] = chunk[1] end
        end
        return table.concat(said)
      end)()`,
      expect.stringContaining("nothing from Codex for 0.5 s: `:CodexChat sandbox restart`"),
    );
    await nvim.command("CodexChat! sandbox restart");
    expect(await chat.waitForTurnEnd()).toMatchObject({ status: "failed" });
    expect(await chat.ask("The third question.")).toEqual({ status: "completed" });
    expect(model.requests.at(-1)?.userTexts().join()).toContain("The second question.");
  });
});
