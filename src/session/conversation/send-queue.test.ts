import { describe, expect, it } from "vitest";
import { SendQueue } from "./send-queue.ts";

const query = (id: string) => ({ id, text: `text of ${id}` });

describe("a query on its way", () => {
  it("is taken over by the turn's end, and then not taken back by a late refusal", () => {
    const outbox = new SendQueue();
    const steered = [query("a")];
    outbox.give(steered);
    expect(outbox.takeUnheard()).toEqual(steered);
    expect(outbox.takeBack(steered)).toBe(false);
  });

  it("is not taken back from the next turn that it was given to", () => {
    const outbox = new SendQueue();
    const steered = [query("a")];
    outbox.give(steered);
    outbox.give(outbox.takeUnheard());
    expect(outbox.takeBack(steered)).toBe(false);
    expect(outbox.takeUnheard()).toEqual([query("a")]);
  });

  it("is taken back by whoever gave it", () => {
    const outbox = new SendQueue();
    const steered = [query("a")];
    outbox.give(steered);
    expect(outbox.takeBack(steered)).toBe(true);
    expect(outbox.takeUnheard()).toEqual([]);
  });

  it("is Codex's once it was heard, with those that were sent together with it", () => {
    const outbox = new SendQueue();
    outbox.give([query("a"), query("b")]);
    outbox.give([query("c")]);
    expect(outbox.heard("b")).toEqual([query("a"), query("b")]);
    expect(outbox.heard("b")).toBe(undefined);
    expect(outbox.heard(undefined)).toBe(undefined);
    expect(outbox.takeUnheard()).toEqual([query("c")]);
  });

  it("that the user has queued waits on when the turn begins that others were meant for", () => {
    const outbox = new SendQueue();
    outbox.wait({ ...query("a"), isQueued: true });
    outbox.wait(query("b"));
    expect(outbox.takeUnqueued()).toEqual([query("b")]);
    expect(outbox.takeWaiting()).toEqual([{ ...query("a"), isQueued: true }]);
  });

  it("waits or is held in the order of typing", () => {
    const outbox = new SendQueue();
    outbox.wait(query("a"));
    outbox.hold([query("b"), query("c")]);
    outbox.wait(query("d"));
    expect(outbox.takeWaiting().map((it) => it.id)).toEqual(["a", "d"]);
    expect(outbox.takeHeld().map((it) => it.id)).toEqual(["b", "c"]);
    expect(outbox.takeWaiting()).toEqual([]);
  });

  it("is placed once: when Codex speaks of it or has taken it, whichever comes first", () => {
    const outbox = new SendQueue();
    const placed: string[] = [];
    const place = outbox.give([query("a")], () => placed.push("a"));
    outbox.placed("a");
    place();
    expect(placed).toEqual(["a"]);
    const placeB = outbox.give([query("b")], () => placed.push("b"));
    placeB();
    outbox.placed("b");
    expect(placed).toEqual(["a", "b"]);
  });
});
