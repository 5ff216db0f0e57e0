import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { applyPatch, exec, message, reply } from "../../../src/offline/reply.ts";
import { SLOW, share } from "../support.ts";

/** A shell script of one command, written and made executable. */
const write = (name: string, says: string) =>
  `printf '#!/bin/sh\\necho ${says}\\n' > ${name} && chmod +x ${name}`;

describe("a program that was written in the sandbox", SLOW, () => {
  const shared = share({ git: false });

  /** What the program prints when the user runs it, or why it does not run. */
  function run(name: string): string {
    const { stdout, error } = spawnSync(join(shared().place.project, name), { encoding: "utf8" });
    return stdout?.trim() || String((error as NodeJS.ErrnoException | undefined)?.code);
  }

  it("runs on this machine as soon as its turn is over, and not before", async () => {
    const { chat, model, place } = shared();
    const patch = `*** Begin Patch
*** Update File: ${join(place.project, "tool")}
@@
-echo made
+echo patched
*** End Patch`;
    let during = "";
    model.answer((_request, n) => {
      if (n === 0) return reply(exec(write("tool", "made")));
      if (n > 1) return reply(message("Done."));
      // The control: it would stay so if gVisor were not asked.
      during = run("tool");
      return reply(applyPatch(patch));
    });
    expect(await chat.ask("Write a program.")).toEqual({ status: "completed" });
    expect(during).toBe("ETXTBSY");
    expect(run("tool")).toBe("patched");
  });

  it("also runs after a later turn in which an earlier turn's command wrote it", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(
      reply(
        exec(
          `until [ -e go ]; do sleep 0.1; done; ${write("late", "late")}; touch done; sleep 1000`,
          { yieldMs: 300 },
        ),
      ),
      reply(message("It runs on.")),
    );
    expect(await chat.ask("Start it.")).toEqual({ status: "completed" });
    await place.inside(`cd ${place.project} && touch go && until [ -e done ]; do sleep 0.1; done`);
    expect(run("late")).toBe("ETXTBSY");
    model.answerInTurn(reply(message("Only words.")));
    expect(await chat.ask("Are you there?")).toEqual({ status: "completed" });
    expect(run("late")).toBe("late");
  });
});
