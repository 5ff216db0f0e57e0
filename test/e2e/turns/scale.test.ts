import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exec, message, reply } from "../../../src/offline/reply.ts";
import {
  descriptorsOf,
  neovimHoldings,
  processesNaming,
  residentMb,
} from "../../support/holdings.ts";
import { runtimeProcesses } from "../runtime-processes.ts";
import { Conversation, Gate, Place, ScriptedModel, SLOW, until, WAIT } from "../support.ts";

/**
 * How much more memory the second half of a test may leave than the first, in MB. Node collects its
 * garbage when it wants to: a leak of what flows through is far above this.
 */
const MORE_MB = { neovim: 20, host: 50 } as const;

/** What the parts hold. */
type Holdings = {
  readonly mb: { readonly neovim: number; readonly host: number };
  readonly extmarks: number;
  /** All else, which does not depend on what the conversation says. */
  readonly counts: Readonly<Record<string, number>>;
};

/** Waits for the end of what runs, and counts. */
async function settled(chat: Conversation, place: Place): Promise<Holdings> {
  await expect.poll(() => chat.state("phase"), WAIT).toBe("idle");
  await chat.untilSaved();
  return holdings(chat, place);
}

async function holdings(chat: Conversation, place: Place): Promise<Holdings> {
  const { luaKb: _, extmarks, ...nvim } = await neovimHoldings(chat.nvim);
  const { id } = await place.container();
  return {
    mb: { neovim: residentMb(chat.nvim.pid), host: residentMb(chat.hostPid) },
    extmarks,
    counts: {
      ...nvim,
      "Neovim's descriptors": descriptorsOf(chat.nvim.pid).length,
      "the host's descriptors": descriptorsOf(chat.hostPid).length,
      containers: (await place.containers()).length,
      "gVisor's processes": (await runtimeProcesses(id)).length,
      "other processes": processesNaming(`${place.base}/`).length,
    },
  };
}

/** Waits until no count is above the earlier one: what is on its way may take a moment to end. */
async function expectNoGrowth(
  chat: Conversation,
  place: Place,
  before: Holdings,
): Promise<Holdings> {
  const grown = async () =>
    Object.entries((await settled(chat, place)).counts).filter(
      ([name, count]) => count > (before.counts[name] ?? 0),
    );
  await expect.poll(grown, WAIT).toEqual([]);
  const after = await settled(chat, place);
  expect(after.mb.neovim - before.mb.neovim).toBeLessThan(MORE_MB.neovim);
  expect(after.mb.host - before.mb.host).toBeLessThan(MORE_MB.host);
  return after;
}

/** Turns that stand in the file before the first real one, and real ones in each half. */
const EARLIER = 976;
const HALF = 12;
/** How many marks a turn of the test may have: for its blocks, and for what is drawn of it. */
const MARKS_PER_TURN = 40;

const query = (n: number): string => `Query ${n}.`;
const answer = (n: number): string => `Answer ${n} in *words*.\n\n- and \`more\``;

/** Leaves a conversation of so many turns in the project. */
async function leaveTurns(place: Place, projectDir: string, turns: number): Promise<string> {
  const chats = join(projectDir, "chats");
  await mkdir(chats, { recursive: true });
  const told = Array.from({ length: turns }, (_, n) => n + 1)
    .map((n) => `## You\n\n${query(n)}\n\n## Codex\n\n${answer(n)}\n\n`)
    .join("");
  const path = join(chats, "2026-01-01-long.md");
  const head = `---\ncodex-chat: 1\nproject: ${place.project}\n---\n\n`;
  await writeFile(path, `${head}${told}## You\n\n`);
  return path;
}

/** The numbers that stand in a text behind this word, in its order. */
const numbersIn = (text: string, word: string): number[] =>
  [...text.matchAll(new RegExp(`^${word} (\\d+)\\b`, "gm"))].map((match) => Number(match[1]));

const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

describe("at scale", SLOW, () => {
  it("a conversation of a thousand turns shows every turn, and keeps nothing but its text in memory", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    model.answer((request) => {
      const n = /Query (\d+)/.exec(request.lastUserText())?.[1];
      return reply(message(answer(Number(n))));
    });
    await using chat = await Conversation.open({ place, model });
    const path = await leaveTurns(place, chat.projectDir, EARLIER);
    await chat.nvim.command(`edit ${path}`);
    await chat.open();
    const ask = async (first: number) => {
      for (let n = first; n < first + HALF; n += 1)
        expect(await chat.ask(query(n))).toEqual({ status: "completed" });
      return settled(chat, place);
    };

    const middle = await ask(EARLIER + 1);
    await ask(EARLIER + HALF + 1);

    const end = await expectNoGrowth(chat, place, middle);
    expect(end.extmarks - middle.extmarks).toBeLessThanOrEqual(HALF * MARKS_PER_TURN);
    for (const text of [await chat.text(), await chat.fileText()]) {
      expect(numbersIn(text, "Query")).toEqual(upTo(EARLIER + 2 * HALF));
      expect(numbersIn(text, "Answer")).toEqual(upTo(EARLIER + 2 * HALF));
    }
    const heard = model.requests
      .at(-1)
      ?.userTexts()
      .slice(-2 * HALF);
    expect(heard).toEqual(upTo(2 * HALF).map((n) => query(EARLIER + n)));
  });

  it("a command with 100 MB of output is shown with both ends, and nothing of the rest is kept in memory", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    // Lines of 20 bytes, 25 MB for each command.
    const print = "seq -f 'line %014.0f' 1 1250000";
    model.answer((request) =>
      request.outputsSinceUser().length < 2
        ? reply(exec(print, { yieldMs: 60_000 }))
        : reply(message("Printed.")),
    );
    await using chat = await Conversation.open({ place, model });
    expect(await chat.ask("Print.")).toEqual({ status: "completed" });
    const middle = await settled(chat, place);

    expect(await chat.ask("Print again.")).toEqual({ status: "completed" });

    await expectNoGrowth(chat, place, middle);
    const text = await chat.text();
    expect(text.match(/^\*\*Ran\*\* .* · exit 0/gm)).toHaveLength(4);
    expect(text.match(/^line 00000000000001$/gm)).toHaveLength(4);
    expect(text.match(/^line 00000001250000$/gm)).toHaveLength(4);
    expect(text.length).toBeLessThan(200_000);
    expect(text.trimEnd()).toBe((await chat.fileText()).trimEnd());
  });

  it("eight conversations stream at once to their ends, and nothing of them is kept after they are closed", async () => {
    await using place = await Place.make();
    await using model = await ScriptedModel.start();
    const words = (n: string, round: number) =>
      upTo(400)
        .map((word) => `${n}-${round}-${word}`)
        .join(" ");
    let gate = new Gate();
    let begun = 0;
    let round = 0;
    model.answer((request) => {
      const [, n = "none"] = /^Stream (\w+)\.$/.exec(request.lastUserText()) ?? [];
      if (n === "none") return reply(message("Warm."));
      begun += 1;
      if (begun === 8) gate.open();
      return reply(until(gate), message(words(n, round), { pieces: 400, pauseMs: 2 }));
    });
    await using chat = await Conversation.open({ place, model });
    expect(await chat.ask("Warm up.")).toEqual({ status: "completed" });
    const first = await chat.nvim.buf();
    const streams = async () => {
      [gate, begun, round] = [new Gate(), 0, round + 1];
      const ended = (await chat.turnsEnded()) + 8;
      const bufs: number[] = [];
      for (const n of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
        await chat.startAnew();
        bufs.push(await chat.nvim.buf());
        await chat.send(`Stream ${n}.`);
      }
      await expect.poll(() => chat.turnsEnded(), WAIT).toBe(ended);
      for (const [at, n] of ["a", "b", "c", "d", "e", "f", "g", "h"].entries()) {
        const lines = await chat.nvim.lines(bufs[at]);
        expect(lines).toContain(words(n, round));
      }
      await chat.nvim.command(`buffer ${first}`);
      await chat.open();
      for (const buf of bufs) await chat.nvim.command(`bwipeout! ${buf}`);
      return settled(chat, place);
    };

    const middle = await streams();
    await streams();

    const end = await expectNoGrowth(chat, place, middle);
    expect(end.extmarks).toBe(middle.extmarks);
  });
});
