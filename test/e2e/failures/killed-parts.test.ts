import { beforeEach, describe, expect, it } from "vitest";
import { message, reply, silence } from "../../../src/offline/reply.ts";
import { keepsWhatWasReceived } from "../killed-part.ts";
import { type Place, type Shared, SLOW, share, WAIT } from "../support.ts";

/** Kills the programs inside whose command line has this part; the pattern is not its own. */
async function killInside(place: Place, pattern: string): Promise<void> {
  const { stdout } = await place.inside(
    `for p in $(grep -las '${pattern}' /proc/[0-9]*/cmdline); do p=\${p#/proc/}; kill -9 \${p%/cmdline} && echo killed; done`,
  );
  expect(stdout).toContain("killed");
}

const parts: readonly [string, (shared: Shared) => Promise<unknown>, RegExp][] = [
  ["the app-server", ({ place }) => killInside(place, "app-serve[r]"), /app-server.*ended/],
  [
    "the keeper",
    async ({ place }) => {
      // The container ends with it, and takes the answer along.
      void killInside(place, "keeper.s[h]").catch(() => {});
    },
    /The sandbox ended/,
  ],
  [
    "the container",
    async ({ place }) => (await place.container()).kill(),
    /sandbox|relay|app-server/,
  ],
];

describe("a turn in which a part is killed", SLOW, () => {
  const shared = share({ git: false });
  beforeEach(() => shared().chat.startAnew());

  it.each(parts)(
    "keeps the received text when it is %s, and the next turn remembers it",
    async (_what, kill, said) => keepsWhatWasReceived(shared(), kill, said),
  );

  it("continues when it is the relay, which is started again on the same ports", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(message("Half of the answer"), silence()));
    await chat.send("The first question.");
    await chat.until("Half of the answer");
    model.answerInTurn(reply(message("The whole answer")));

    await killInside(place, "relay.mj[s]");

    expect(await chat.waitForTurnEnd()).toEqual({ status: "completed" });
    expect(await chat.text()).toContain("The whole answer");
    model.answerInTurn(reply(message("And another.")));
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
  });

  it("keeps the received text when it is the host, and the next turn remembers it", async () => {
    const { chat, model } = shared();
    model.answerInTurn(reply(message("Half of the answer"), silence()));
    await chat.send("The first question.");
    await chat.until("Half of the answer");

    process.kill(chat.hostPid, "SIGKILL");

    await expect.poll(() => chat.state("phase"), WAIT).toBe("failed");
    expect((await chat.notifications()).at(-1)).toMatch(/host ended.*Send again/s);
    model.answerInTurn(reply(message("I am back.")));
    expect(await chat.ask("The second question.")).toEqual({ status: "completed" });
    expect(await chat.text()).toMatch(/Half of the answer[\s\S]*I am back\./);
    expect(model.requests.at(-1)?.userTexts()).toEqual([
      "The first question.",
      "The second question.",
    ]);
    await chat.untilSaved();
  });

  it("leaves no container behind when it is the app-server, and Neovim is left at once", async () => {
    const { chat, model, place } = shared();
    model.answerInTurn(reply(message("Half of the answer"), silence()));
    await chat.send("The first question.");
    await chat.until("Half of the answer");

    await killInside(place, "app-serve[r]");

    expect((await chat.waitForTurnEnd()).status).toBe("failed");
    await chat.quit();
    expect(await place.containers()).toEqual([]);
  });
});
