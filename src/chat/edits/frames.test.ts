import { describe, expect, it } from "vitest";
import { err, ok, type Result } from "../../result.ts";
import type { Edit } from "./edits.ts";
import { type FrameError, FrameScheduler } from "./frames.ts";

type Answer = Result<void, { readonly message: string }>;

/** A scheduler whose editor and clock are controlled by the test. */
function newStage(options: { maxBacklogChars?: number } = {}) {
  const frames: string[] = [];
  const sent: (readonly Edit[])[] = [];
  const clock = { ms: 0 };
  const answers: ((answer: Answer | Error) => void)[] = [];
  const errors: FrameError[] = [];
  const timers: { run: () => void; ms: number }[] = [];
  const scheduler = new FrameScheduler({
    ...options,
    now: () => clock.ms,
    send: (edits) => {
      sent.push(edits);
      frames.push(edits.map((edit) => (edit.op === "append" ? edit.text : edit.op)).join("|"));
      return new Promise((resolve, reject) => {
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      });
    },
    onError: (error) => errors.push(error),
    later: (run, ms) => {
      const timer = { run, ms };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  });
  return {
    scheduler,
    frames,
    sent,
    clock,
    errors,
    timers,
    push: (text: string) => scheduler.push([append(text)]),
    answer: async (answer: Answer | Error = ok()) => {
      answers.shift()?.(answer);
      await settled();
    },
    tick: () => timers.shift()?.run(),
  };
}

function append(text: string): Edit {
  return { op: "append", id: "a", text };
}

/** Runs all promises that are ready. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("FrameScheduler", () => {
  it("sends the first edits at once", () => {
    const stage = newStage();
    stage.push("1");
    expect(stage.frames).toEqual(["1"]);
  });

  it("collects edits while a frame is in flight and until the next is due", async () => {
    const stage = newStage();
    stage.push("1");
    stage.push("2");
    await stage.answer();
    stage.push("3");
    expect(stage.frames).toEqual(["1"]);
    expect(stage.timers.map((timer) => timer.ms)).toEqual([33]);
    stage.tick();
    expect(stage.frames).toEqual(["1", "23"]);
  });

  it("settles a flush once the edits before it are applied, even if more arrive meanwhile", async () => {
    const stage = newStage();
    stage.push("1");
    stage.push("2");
    let flushed = 0;
    void stage.scheduler.flush().then(() => {
      flushed = stage.frames.length;
    });
    await stage.answer();
    expect([stage.frames, flushed]).toEqual([["1", "2"], 0]);
    stage.push("3");
    await stage.answer();
    expect([stage.frames, flushed]).toEqual([["1", "2"], 2]);
  });

  it("sends nothing while there are no edits, and sends the next ones at once", async () => {
    const stage = newStage();
    stage.push("1");
    await stage.answer();
    stage.tick();
    expect(stage.frames).toEqual(["1"]);
    stage.push("2");
    expect(stage.frames).toEqual(["1", "2"]);
  });

  it("flushes without waiting, and settles once everything is applied", async () => {
    const stage = newStage();
    stage.push("1");
    stage.push("2");
    let flushed = false;
    const flush = stage.scheduler.flush().then(() => {
      flushed = true;
    });
    await stage.answer();
    expect([stage.frames, flushed]).toEqual([["1", "2"], false]);
    await stage.answer();
    await flush;
    expect(flushed).toBe(true);
  });

  it("flushes edits that wait for the next frame", async () => {
    const stage = newStage();
    stage.push("1");
    await stage.answer();
    stage.push("2");
    const flush = stage.scheduler.flush();
    expect(stage.frames).toEqual(["1", "2"]);
    await stage.answer();
    await flush;
  });

  it("reports a refused and a failed frame, and continues", async () => {
    const stage = newStage();
    stage.push("1");
    await stage.answer(err({ message: "no such buffer" }));
    stage.tick();
    stage.push("2");
    await stage.answer(new Error("channel closed"));
    stage.tick();
    stage.push("3");
    expect(stage.errors.map(({ kind, message }) => [kind, message])).toEqual([
      ["refused", "no such buffer"],
      ["failed", "channel closed"],
    ]);
    expect(stage.frames).toEqual(["1", "2", "3"]);
  });

  it("gives up with one error when the editor is stuck", () => {
    const stage = newStage({ maxBacklogChars: 10 });
    stage.push("1");
    for (let n = 0; n < 9; n += 1) stage.push("23456");
    expect(stage.errors.map((error) => error.kind)).toEqual(["overflow"]);
  });

  it("settles pending flushes when it is closed, and sends no more", async () => {
    const stage = newStage();
    stage.push("1");
    stage.push("2");
    const flush = stage.scheduler.flush();
    stage.scheduler.close();
    await flush;
    await stage.answer();
    stage.push("3");
    expect([stage.frames, stage.timers]).toEqual([["1"], []]);
  });

  it("accepts edits again once a stuck editor responds", async () => {
    const stage = newStage({ maxBacklogChars: 10 });
    for (const text of ["1", "23456", "789012", "lost"]) stage.push(text);
    await stage.answer();
    stage.tick();
    await stage.answer();
    stage.tick();
    stage.push("again");
    expect(stage.frames).toEqual(["1", "23456789012", "again"]);
  });
});

describe("a flood of edits", () => {
  const FLOOD = 20_000;

  /** An edit, and how often its fields were read. */
  function counted(edit: Edit, looks: { count: number }): Edit {
    return Object.defineProperty({ ...edit }, "op", {
      enumerable: true,
      get: () => {
        looks.count += 1;
        return edit.op;
      },
    }) as Edit;
  }

  it.each<[string, (n: number) => Edit]>([
    ["new blocks", (n) => ({ op: "insert", id: `b${n}`, after: "history", lines: ["x"], gap: 1 })],
    ["words for many blocks", (n) => ({ op: "append", id: `b${n}`, text: "x" })],
    ["words for one block", () => ({ op: "append", id: "a", text: "x\n" })],
    ["words for blocks in turn", (n) => ({ op: "append", id: `b${n % 5000}`, text: "x" })],
    ["marks of one block", () => ({ op: "mark", id: "a", mark: "running" })],
    ["folds", (n) => ({ op: "fold", from: `b${n}`, to: `b${n}` })],
  ])("of %s costs a few looks per edit, however many wait", (_, make) => {
    const stage = newStage();
    const looks = { count: 0 };
    for (let n = 0; n < FLOOD; n += 1) stage.scheduler.push([counted(make(n), looks)]);
    expect(looks.count).toBeGreaterThan(0);
    expect(looks.count).toBeLessThanOrEqual(12 * FLOOD);
  });

  it("reaches the editor completely and in order, in frames of a bounded size", async () => {
    const stage = newStage();
    const words = Array.from({ length: 200_000 }, (_, n) => `word ${n}\n`).join("");
    stage.push("first ");
    stage.push(words);
    for (let n = 0; n < 3000; n += 1)
      stage.scheduler.push([{ op: "insert", id: `b${n}`, after: "a", lines: ["x"], gap: 1 }]);
    const flushed = stage.scheduler.flush();
    for (let at = 0; at < stage.sent.length; at += 1) await stage.answer();
    await flushed;
    const edits = stage.sent.flat();
    const text = edits.map((edit) => (edit.op === "append" ? edit.text : "")).join("");
    expect(text).toBe(`first ${words}`);
    expect(edits.filter(({ op }) => op === "insert")).toHaveLength(3000);
    const sizes = stage.frames.map((frame) => frame.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
    expect(Math.max(...stage.sent.map((frame) => frame.length))).toBeLessThanOrEqual(512);
  });

  it("reaches a slow editor in smaller frames, and a fast one in larger ones again", async () => {
    const stage = newStage();
    stage.push("first ");
    stage.push("x".repeat(8 * 1024 * 1024));
    void stage.scheduler.flush();
    const sizes: number[] = [];
    for (const tookMs of [100, 100, 100, 1, 1, 1]) {
      stage.clock.ms += tookMs;
      await stage.answer();
      sizes.push((stage.frames.at(-1) ?? "").length / 1024);
    }
    expect(sizes).toEqual([128, 64, 32, 64, 128, 256]);
  });

  it("does not delay a flush by edits that came after it", async () => {
    const stage = newStage();
    stage.push("1");
    let isFlushed = false;
    void stage.scheduler.flush().then(() => {
      isFlushed = true;
    });
    stage.push("x".repeat(1024 * 1024));
    await stage.answer();
    expect(isFlushed).toBe(true);
  });
});
