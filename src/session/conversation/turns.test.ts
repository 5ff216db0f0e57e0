/**
 * Random sequences of what users, Codex and mishaps do to a conversation, in any order in which what
 * is under way may settle, against what the user must see in the end.
 */
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Mishap, StandIns } from "../../../test/support/stand-in-codex.ts";
import { INTERRUPT_MS } from "../failure.ts";

/** What the user has done, and so what must have come of it. */
type Model = { readonly sent: string[]; isClosed: boolean };

class Step implements fc.AsyncCommand<Model, StandIns> {
  readonly #name: string;
  readonly #run: (world: StandIns, model: Model) => void;
  readonly #isUser: boolean;

  constructor(name: string, run: (world: StandIns, model: Model) => void, isUser = false) {
    this.#name = name;
    this.#run = run;
    this.#isUser = isUser;
  }

  check(model: Readonly<Model>): boolean {
    return !(this.#isUser && model.isClosed);
  }

  async run(model: Model, world: StandIns): Promise<void> {
    this.#run(world, model);
  }

  toString(): string {
    return this.#name;
  }
}

const byUser = (name: string, run: (world: StandIns, model: Model) => void) =>
  fc.constant(new Step(name, run, true));
const byCodex = (name: string, run: (world: StandIns) => void) => fc.constant(new Step(name, run));
const mishap = (name: Mishap) => byCodex(name, ({ mishaps }) => void mishaps.add(name));

function send(mode: "steer" | "queue"): fc.Arbitrary<Step> {
  return byUser(mode, ({ conversation }, { sent }) => {
    const id = `q${sent.length}`;
    sent.push(id);
    conversation.send({ id, text: `The text of ${id}.` }, mode);
  });
}

function answer(decision: "accept" | "decline" | "cancel"): fc.Arbitrary<Step> {
  return byUser(decision, ({ conversation, question }) => {
    if (question !== undefined) conversation.answer(question, { decision }, undefined);
  });
}

const USUAL = [
  send("steer"),
  send("steer"),
  send("queue"),
  byUser("type", ({ conversation }) => conversation.prepare()),
  byUser("stop", ({ conversation }) => conversation.interrupt()),
  byUser("retry", ({ conversation }) => conversation.retry()),
  answer("accept"),
  answer("decline"),
  answer("cancel"),
  byCodex("Codex takes", (world) => world.take()),
  byCodex("Codex takes", (world) => world.take()),
  byCodex("Codex asks", (world) => world.ask()),
  byCodex("Codex completes", (world) => world.end("completed")),
  byCodex("Codex completes", (world) => world.end("completed")),
  byCodex("Codex fails", (world) => world.end("failed")),
  byCodex("Codex dies", (world) => world.crash()),
];
const UNUSUAL = [
  mishap("backend"),
  mishap("request"),
  mishap("unknown_thread"),
  mishap("steer"),
  mishap("hook_fails"),
  mishap("hook_throws"),
  byCodex("Codex is deaf", (world) => {
    world.isDeaf = true;
  }),
  byUser("delete", ({ deleted }, { sent }) => {
    const last = sent.at(-1);
    if (last !== undefined) deleted.add(last);
  }),
  byUser("compact", ({ conversation }) => {
    conversation.runRequest(async ({ client, threadId }) => {
      const started = await client.request("thread/compact/start", { threadId });
      return started.ok ? { ok: true, value: undefined } : started;
    });
  }),
  byUser("goal", (world) => world.pursueGoal()),
  byCodex("Codex begins", (world) => world.beginTurn()),
];
const closing = byUser("close", (world, model) => {
  model.isClosed = true;
  world.close();
});

/** Lets all that is under way settle; Codex completes what it runs, and ends what it was asked to. */
async function settle(world: StandIns, s: fc.Scheduler): Promise<void> {
  for (let round = 0; round < 50; round++) {
    await s.waitIdle();
    if (world.codexRuns && !world.isClosed && !world.isDeaf) {
      world.take();
      world.end("completed");
    } else if (world.isDeaf && vi.getTimerCount() > 0) {
      world.isDeaf = false;
      await vi.advanceTimersByTimeAsync(INTERRUPT_MS);
    } else if (world.isDeaf) world.isDeaf = false;
    else if (s.count() === 0) return;
  }
  throw new Error("it does not come to rest");
}

/** What must be true of a conversation in which nothing is under way. */
function check(world: StandIns, model: Model): void {
  const { conversation, emitted, inThread, asked, hooked } = world;
  expect(conversation.isBusy).toBe(false);
  // Nothing is sent twice.
  expect(inThread).toEqual([...new Set(inThread)]);
  // Every request is answered, once.
  expect(asked.filter(({ answers }) => answers !== 1)).toEqual([]);
  expect(world.question).toBeUndefined();
  // Every hook ends that has begun.
  for (const { before, after } of hooked) expect(after).toBe(before);
  expect(world.openPasses).toBe(0);
  // Every turn has one end.
  const turns = emitted.map(({ event }) => event).filter((event) => event.startsWith("Turn"));
  if (!model.isClosed) expect(turns.join(" ")).toMatch(/^((TurnStarted )?TurnEnded( |$))*$/);
  expect(world.afterClose).toEqual([]);
  if (!model.isClosed) {
    // The winbar says how the last one ended.
    const ends = emitted.filter(({ event }) => event === "TurnEnded");
    const { status } = (ends.at(-1)?.data ?? { status: "completed" }) as { status: string };
    expect(world.winbar.at(-1)?.phase).toBe(status === "failed" ? "failed" : "idle");
  }
}

/** Of a query that is not in the thread, the document says after it why it did not go. */
function checkHeld({ events, inThread, deleted }: StandIns, { sent }: Model): void {
  for (const id of sent.filter((each) => !inThread.includes(each) && !deleted.has(each))) {
    const last = events.findLastIndex(
      (event) => "type" in event && event.type === "sent" && event.id === id,
    );
    const why = events
      .slice(Math.max(last, 0))
      .filter((event) => "type" in event && ["note", "turn_failed"].includes(event.type));
    expect([id, why]).toEqual([id, expect.arrayContaining([expect.anything()])]);
  }
}

/** The queries stand in the text in the order of the thread, unless two turns were mixed up. */
function checkOrder({ events, inThread, hasBegun }: StandIns): void {
  if (hasBegun) return;
  const placed = events.flatMap((event) =>
    "type" in event && event.type === "sent" && event.mode !== "queue" ? [event.id] : [],
  );
  const last = [...new Set(placed.toReversed())].reverse();
  expect(last.filter((id) => inThread.includes(id))).toEqual(inThread);
}

async function play(
  s: fc.Scheduler,
  steps: Iterable<fc.AsyncCommand<Model, StandIns>>,
): Promise<void> {
  const world = new StandIns((label) => s.schedule(Promise.resolve(), label));
  const model: Model = { sent: [], isClosed: false };
  await fc.scheduledModelRun(s, () => ({ model, real: world }), steps);
  await settle(world, s);
  check(world, model);
  if (model.isClosed) return;
  checkHeld(world, model);
  world.mishaps.clear();
  // Nothing is lost: what is not in the thread goes there when the user asks for it.
  world.conversation.retry();
  await settle(world, s);
  check(world, model);
  expect(model.sent.filter((id) => !world.inThread.includes(id) && !world.deleted.has(id))).toEqual(
    [],
  );
  checkOrder(world);
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const numRuns = 600;

it("any usual commands send nothing twice, lose nothing, and end every turn once", async () => {
  await fc.assert(fc.asyncProperty(fc.scheduler(), fc.commands(USUAL, { maxCommands: 30 }), play), {
    numRuns,
  });
});

it("any unusual commands send nothing twice, lose nothing, and end every turn once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.commands([...USUAL, ...UNUSUAL], { maxCommands: 30 }),
      play,
    ),
    { numRuns },
  );
});

it("a closed conversation begins nothing and leaves nothing behind", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.commands([...USUAL, ...UNUSUAL, closing], { maxCommands: 30 }),
      play,
    ),
    { numRuns },
  );
});
