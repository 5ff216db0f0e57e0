/** Sequences that went wrong once, or that are easily broken, by name. */
import { expect, it, vi } from "vitest";
import { StandIns } from "../../../test/support/stand-in-codex.ts";

/** A world in which nothing settles before it is let. */
function setUp() {
  const waiting: { readonly label: string; readonly settle: () => void }[] = [];
  const later = (label: string) =>
    new Promise<void>((settle) => void waiting.push({ label, settle }));
  const world = new StandIns(later);
  /** Until all that follows by itself has happened. */
  const rest = () => new Promise<void>((resolve) => setImmediate(resolve));
  /** Lets what is under way settle, in order, up to the first of this name; without one, all of it. */
  const settle = async (until?: string) => {
    for (await rest(); waiting.length > 0; await rest()) {
      const [next] = waiting.splice(0, 1);
      if (next?.label === until) waiting.unshift(next as (typeof waiting)[number]);
      if (next?.label === until) return;
      next?.settle();
    }
  };
  /** Settles the first of this name before all others. */
  const overtake = async (label: string) => {
    await rest();
    const [found] = waiting.splice(
      waiting.findIndex((each) => each.label === label),
      1,
    );
    expect(found?.label).toBe(label);
    found?.settle();
    await rest();
  };
  const send = (id: string, mode: "steer" | "queue" = "steer") =>
    world.conversation.send({ id, text: id }, mode);
  const ends = () =>
    world.emitted.flatMap(({ event, data }) =>
      event === "TurnEnded" ? [(data as { status: string }).status] : [],
    );
  const notes = () =>
    world.events.flatMap((event) => ("type" in event && event.type === "note" ? [event.text] : []));
  return { world, settle, overtake, send, ends, notes, conversation: world.conversation };
}

it("sends nothing to Codex when it is stopped while it starts, and sends the query with the next turn", async () => {
  const { world, settle, send, ends, notes, conversation } = setUp();
  send("q1");
  await settle("a hook before the turn");
  conversation.interrupt();
  await settle();
  expect(world.codexRuns).toBe(false);
  expect([ends(), notes()]).toEqual([["interrupted"], ["Stopped before it was sent."]]);
  expect(world.winbar.at(-1)).toEqual({ phase: "idle" });
  send("q2");
  await settle();
  world.take();
  world.end("completed");
  await settle();
  expect(world.inThread).toEqual(["q1", "q2"]);
});

it("interrupts a turn that was stopped while its request was on the way", async () => {
  const { world, settle, send, ends, notes, conversation } = setUp();
  send("q1");
  await settle("an answer to turn/start");
  conversation.interrupt();
  await settle();
  expect([world.codexRuns, ends(), conversation.isBusy]).toEqual([false, ["interrupted"], false]);
  expect(notes()).toEqual(["The waiting queries are sent with your next message."]);
});

it("gives no model access to a turn whose chat is closed while its hooks run", async () => {
  const { world, settle, send } = setUp();
  send("q1");
  await settle("a hook before the turn");
  world.close();
  await settle();
  expect([world.openPasses, world.codexRuns, world.afterClose]).toEqual([0, false, []]);
  expect(world.hooked.every(({ before, after }) => before === after)).toBe(true);
});

it("interrupts a turn that begins after its chat was closed, and ends its hooks", async () => {
  const { world, settle, send } = setUp();
  send("q1");
  await settle("an answer to turn/start");
  world.close();
  await settle();
  expect([world.codexRuns, world.openPasses]).toEqual([false, 0]);
  expect(world.hooked).toEqual([
    { before: 1, after: 1 },
    { before: 1, after: 1 },
  ]);
});

it("begins nothing with waiting queries when the chat is closed while the hooks end", async () => {
  const { world, settle, send, conversation } = setUp();
  send("q1");
  await settle();
  send("q2", "queue");
  world.take();
  world.end("completed");
  await settle("a hook after the turn");
  world.close();
  await settle();
  expect([world.afterClose, conversation.isBusy, world.inThread]).toEqual([[], false, ["q1"]]);
});

it("sends a query once if it is requested while Codex begins a turn by itself", async () => {
  const { world, settle, send } = setUp();
  world.mishaps.add("unknown_thread");
  send("q1");
  await settle("an answer");
  world.beginTurn();
  world.end("completed");
  await settle();
  expect(world.codexRuns).toBe(true);
  world.take();
  world.end("completed");
  await settle();
  expect([world.inThread, world.conversation.isBusy]).toEqual([["q1"], false]);
});

it("keeps a query when its request fails after Codex has begun a turn by itself", async () => {
  const { world, settle, send, conversation } = setUp();
  world.mishaps.add("request");
  send("q1");
  await settle("an answer");
  world.beginTurn();
  await settle();
  world.end("completed");
  await settle();
  conversation.retry();
  await settle();
  world.take();
  world.end("completed");
  await settle();
  expect(world.inThread).toEqual(["q1"]);
});

it("fails a compaction that Codex has accepted if Codex dies before it begins", async () => {
  const { world, settle, ends, conversation } = setUp();
  conversation.runRequest(async ({ client, threadId }) => {
    const started = await client.request("thread/compact/start", { threadId });
    return started.ok ? { ok: true, value: undefined } : started;
  });
  await settle("a notification");
  world.crash();
  await settle();
  expect([ends(), conversation.isBusy]).toEqual([["failed"], false]);
});

it("fails a turn whose request was answered by a Codex that has died since", async () => {
  const { world, settle, overtake, send, ends, conversation } = setUp();
  send("q1");
  await settle("an answer to turn/start");
  world.crash();
  await overtake("the end of the backend");
  await settle();
  expect([ends(), conversation.isBusy]).toEqual([["failed"], false]);
});

it("cancels the question of a turn that it has not adopted when the backend ends", async () => {
  const { world, settle, send } = setUp();
  send("q1");
  await settle();
  world.take();
  world.end("completed");
  await settle();
  world.beginTurn();
  world.ask();
  await settle();
  expect(world.winbar.at(-1)).toEqual({ phase: "waiting" });
  world.crash();
  await settle();
  expect(world.asked).toEqual([{ number: 0, answers: 1 }]);
  expect(world.winbar.at(-1)).toEqual({ phase: "idle" });
});

it("puts a steered query that the turn's end has overtaken into the next turn, once", async () => {
  const { world, settle, send } = setUp();
  send("q1");
  await settle();
  world.take();
  world.end("completed");
  send("q2");
  await settle();
  expect(world.codexRuns).toBe(true);
  world.take();
  world.end("completed");
  await settle();
  expect(world.inThread).toEqual(["q1", "q2"]);
});

it("sends waiting queries even if Codex begins a turn by itself before the hooks have ended", async () => {
  const { world, settle, overtake, send, conversation } = setUp();
  send("q1");
  await settle();
  world.pursueGoal();
  send("q2", "queue");
  world.take();
  world.end("completed");
  await settle("a hook after the turn");
  world.beginTurn();
  await overtake("a notification");
  world.end("completed");
  await overtake("a notification");
  await settle();
  world.take();
  world.end("completed");
  await settle();
  expect([world.inThread, conversation.isBusy]).toEqual([["q1", "q2"], false]);
});

it("shows again what a starting turn waits for once a question is answered", async () => {
  const { world, settle, send, conversation } = setUp();
  send("q1");
  await settle("a hook before the turn");
  conversation.showProgress("Waiting for MCP servers: a");
  const question = { kind: "network", id: "h1", target: "a.org:443", entry: "a.org" } as const;
  const answered = conversation.approvals.askNetwork(question);
  expect(world.winbar.at(-1)).toEqual({ phase: "waiting" });
  conversation.answer(world.question ?? "", { decision: "accept" }, undefined);
  expect(await answered).toMatchObject({ decision: "accept", by: "user" });
  expect(world.winbar.at(-1)).toEqual({
    phase: "starting",
    detail: "Waiting for MCP servers: a",
  });
});

it("ends the running turn when Codex does not stop in time", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { world, settle, send, ends, conversation } = setUp();
  world.isDeaf = true;
  send("q1");
  await settle();
  conversation.interrupt();
  await settle();
  expect([ends(), conversation.isBusy]).toEqual([[], true]);
  await vi.advanceTimersByTimeAsync(10_000);
  await settle();
  expect([ends(), conversation.isBusy]).toEqual([["failed"], false]);
  expect(world.winbar.at(-1)?.detail).toBe("Codex did not stop within 10 s, so it was ended.");
  vi.useRealTimers();
});

it("ends as failed when a hook throws", async () => {
  const { world, settle, send, ends, conversation } = setUp();
  world.mishaps.add("hook_throws");
  send("q1");
  await settle();
  expect([ends(), conversation.isBusy, world.codexRuns]).toEqual([["failed"], false, false]);
  expect(world.winbar.at(-1)).toEqual({
    phase: "failed",
    detail: "The turn could not be started: a bug",
  });
});
