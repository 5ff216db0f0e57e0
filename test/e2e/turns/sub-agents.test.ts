import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { ModelScript } from "../../../src/offline/model-server.ts";
import { exec, functionCall, message, reply } from "../../../src/offline/reply.ts";
import { SLOW, share } from "../support.ts";

/** A model that has a sub-agent run `command`, and waits for it. */
function withAgent(command: string): ModelScript {
  let agent = "";
  let said = 0;
  return (request) => {
    const outputs = request.outputsSinceUser();
    if (request.lastUserText().includes("Work for me"))
      return reply(outputs.length === 0 ? exec(command) : message(`It said: ${outputs.join()}`));
    agent = /"agent_id":\s*"([^"]+)"/.exec(outputs.join("\n"))?.[1] ?? agent;
    const calls = [
      functionCall("spawn_agent", { message: "Work for me." }, "multi_agent_v1"),
      functionCall("wait_agent", { targets: [agent], timeout_ms: 60_000 }, "multi_agent_v1"),
    ];
    return reply(calls[said++] ?? message("All is done."));
  };
}

describe("a sub-agent that has to ask", SLOW, () => {
  // The fallback for a model that Codex does not know offers sub-agents.
  const shared = share({ git: false, config: { approvals: "untrusted", model: "scripted" } });
  beforeEach(() => shared().chat.startAnew());

  it("asks in the conversation that it works for, which shows the command", async () => {
    const { chat, model, place } = shared();
    model.answer(withAgent("echo from below; touch made-below"));
    await chat.send("Let somebody else do it.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain(
      "**Asks** to run `echo from below; touch made-below`\n> A sub-agent asks.",
    );
    expect(existsSync(join(place.project, "made-below"))).toBe(false);

    await chat.answer("a");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(existsSync(join(place.project, "made-below"))).toBe(true);
    const text = await chat.text();
    expect(text).toMatch(/\*\*Ran\*\* `echo from below; touch made-below` · approved · exit 0/);
    expect(text).toContain("All is done.");
  });

  it("shows the patch that it asks about, and how that ended", async () => {
    const { chat, model, place } = shared();
    const patch = "*** Begin Patch\n*** Add File: patched-below\n+text\n*** End Patch";
    model.answer(withAgent(`apply_patch <<'EOF'\n${patch}\nEOF`));
    await chat.send("Let somebody else do it.");
    await chat.waitForQuestion();
    expect(await chat.text()).toContain("+text");
    expect(existsSync(join(place.project, "patched-below"))).toBe(false);

    await chat.answer("a");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(existsSync(join(place.project, "patched-below"))).toBe(true);
    expect(await chat.text()).toContain("**Added** `patched-below` · +1 · approved");
  });

  it("is stopped with the turn that it works for", async () => {
    const { chat, model, place } = shared();
    model.answer(withAgent("touch not-below"));
    await chat.send("Let somebody else do it.");
    await chat.waitForQuestion();

    await chat.answer("c");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "interrupted" });
    expect(existsSync(join(place.project, "not-below"))).toBe(false);
    expect(await chat.text()).toContain("**Declined** `touch not-below`");
  });
});
