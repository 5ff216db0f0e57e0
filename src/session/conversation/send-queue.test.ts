import { describe, expect, it } from "vitest";
import {
  addWaiting,
  EMPTY_QUEUE,
  hold,
  markSent,
  onAccepted,
  onEcho,
  revokeSent,
  takeHeld,
  takeUnconfirmed,
  takeUnqueued,
  takeWaiting,
} from "./send-queue.ts";

const query = (id: string) => ({ id, text: `text of ${id}` });

describe("a query on its way", () => {
  it("is taken over at the turn's end, and not taken back by a late refusal", () => {
    const steered = [query("a")];
    const taken = takeUnconfirmed(markSent(EMPTY_QUEUE, 1, steered, false));
    expect(taken.queries).toEqual(steered);
    expect(revokeSent(taken.queue, 1).queries).toEqual([]);
  });

  it("is not taken back from the next turn that it was sent with", () => {
    const taken = takeUnconfirmed(markSent(EMPTY_QUEUE, 1, [query("a")], false));
    const again = markSent(taken.queue, 2, taken.queries, true);
    const revoked = revokeSent(again, 1);
    expect(revoked.queries).toEqual([]);
    expect(takeUnconfirmed(revoked.queue).queries).toEqual([query("a")]);
  });

  it("is taken back by the request that sent it", () => {
    const steered = [query("a")];
    const revoked = revokeSent(markSent(EMPTY_QUEUE, 1, steered, false), 1);
    expect(revoked.queries).toEqual(steered);
    expect(takeUnconfirmed(revoked.queue).queries).toEqual([]);
  });

  it("belongs to Codex once it is confirmed, with those sent together with it", () => {
    const both = markSent(EMPTY_QUEUE, 1, [query("a"), query("b")], true);
    const heard = onAccepted(markSent(both, 2, [query("c")], false), "b");
    expect(heard.queries).toEqual([query("a"), query("b")]);
    expect(onAccepted(heard.queue, "b").queries).toEqual([]);
    expect(onAccepted(heard.queue, "a").queries).toEqual([]);
    expect(takeUnconfirmed(heard.queue).queries).toEqual([query("c")]);
  });

  it("that the user has queued keeps waiting when a turn begins for other queries", () => {
    const queued = { ...query("a"), isQueued: true } as const;
    const taken = takeUnqueued(addWaiting(addWaiting(EMPTY_QUEUE, queued), query("b")));
    expect(taken.queries).toEqual([query("b")]);
    expect(takeWaiting(taken.queue).queries).toEqual([{ ...query("a"), isQueued: true }]);
  });

  it("waits or is held in the order of typing", () => {
    const some = hold(addWaiting(EMPTY_QUEUE, query("a")), [query("b"), query("c")]);
    const waiting = takeWaiting(addWaiting(some, query("d")));
    expect(waiting.queries.map(({ id }) => id)).toEqual(["a", "d"]);
    const held = takeHeld(waiting.queue);
    expect(held.queries.map(({ id }) => id)).toEqual(["b", "c"]);
    expect(takeWaiting(held.queue).queries).toEqual([]);
  });

  it("is placed once, when Codex echoes it or has taken it", () => {
    for (const [first, second] of [
      ["a", 1],
      [1, "a"],
    ] as const) {
      const echoed = onEcho(markSent(EMPTY_QUEUE, 1, [query("a")], false), first);
      expect(echoed.queries).toEqual([query("a")]);
      expect(onEcho(echoed.queue, second).queries).toEqual([]);
    }
  });
});
