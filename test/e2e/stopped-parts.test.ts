import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { message, reply } from "../../src/offline/index.ts";
import { findEngine, sweep } from "../../src/sandbox/index.ts";
import { Gate, SLOW, share, until } from "./support.ts";

/** Longer than the host waits for the model below, and later than a timer ever is. */
const STOPPED_MS = 3_500;

describe("a turn in which a part is stopped, as with the machine", SLOW, () => {
  const shared = share({ config: { limits: { silence_ms: 500, response_idle_ms: 1_500 } } });
  beforeEach(() => shared().chat.startAnew());

  it("goes on after the host was, and nobody has swept its container away", async () => {
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
      expect((await place.containers()).map((it) => it.Id)).toEqual([before?.Id]);
    } finally {
      process.kill(chat.hostPid, "SIGCONT");
    }
    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("The rest.");
    expect(await chat.text()).not.toContain("Error");
    model.answerInTurn(reply(message("Still here.")));
    expect(await chat.ask("And now?")).toEqual({ status: "completed" });
    expect((await place.containers()).map((it) => it.Id)).toEqual([before?.Id]);
  });
});
