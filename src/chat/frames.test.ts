import { describe, expect, it } from "vitest";
import { err, ok, type Result } from "../result.ts";
import type { Edit } from "./edits.ts";
import { type FrameError, FrameScheduler } from "./frames.ts";

type Answer = Result<void, { readonly message: string }>;

/** A scheduler whose editor answers and whose time passes only when the test says so. */
function newStage(options: { maxBacklogChars?: number } = {}) {
  const frames: string[] = [];
  const answers: ((answer: Answer | Error) => void)[] = [];
  const errors: FrameError[] = [];
  const timers: { run: () => void; ms: number }[] = [];
  const scheduler = new FrameScheduler({
    ...options,
    send: (edits) => {
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

/** Lets the promises that are ready run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("FrameScheduler", () => {
  it("sends the first edits at once", () => {
    const stage = newStage();
    stage.push("1");
    expect(stage.frames).toEqual(["1"]);
  });

  it("gathers what comes while a frame is in flight and while it cools", async () => {
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

  it("settles a flush once what came before it is applied, whatever comes meanwhile", async () => {
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

  it("sends nothing when nothing came, and the next edits at once", async () => {
    const stage = newStage();
    stage.push("1");
    await stage.answer();
    stage.tick();
    expect(stage.frames).toEqual(["1"]);
    stage.push("2");
    expect(stage.frames).toEqual(["1", "2"]);
  });

  it("flushes without waiting, and settles when all is applied", async () => {
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

  it("flushes what waits for the next frame", async () => {
    const stage = newStage();
    stage.push("1");
    await stage.answer();
    stage.push("2");
    const flush = stage.scheduler.flush();
    expect(stage.frames).toEqual(["1", "2"]);
    await stage.answer();
    await flush;
  });

  it("tells of a refused and of a failed frame and goes on", async () => {
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

  it("settles those who wait when it is closed, and sends no more", async () => {
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
});
