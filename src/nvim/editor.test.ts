import { PassThrough } from "node:stream";
import { setImmediate as nextTick } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import type { Log } from "../log.ts";
import { connectEditor } from "./editor.ts";

/** An editor at the other end of two streams: what it is sent, and what it answers. */
function editorEnd() {
  const readable = new PassThrough();
  const writable = new PassThrough();
  const logged: { level: string; data: object; message: string }[] = [];
  const keep =
    (level: string) =>
    (data: object, message: string): void => {
      logged.push({ level, data, message });
    };
  const log: Log = {
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  };
  let answer: unknown = null;
  let failure: unknown = null;
  writable.on("data", (chunk: Uint8Array) => {
    const [type, id, method] = decode(chunk) as [number, number, string];
    if (type !== 0) return;
    const result = method === "nvim_get_api_info" ? [1, {}] : answer;
    readable.write(encode([1, id, method === "nvim_get_api_info" ? null : failure, result]));
  });
  const editor = connectEditor({ readable, writable, log });
  return {
    editor,
    readable,
    logged,
    answerWith: (value: unknown) => {
      answer = value;
    },
    failWith: (value: unknown) => {
      failure = value;
    },
    tell: (name: string, ...args: unknown[]) => {
      readable.write(encode([2, name, args]));
    },
  };
}

describe("the editor's end", () => {
  it("passes on valid notifications, and logs the others without throwing", async () => {
    const { editor, logged, tell } = editorEnd();
    const heard: unknown[] = [];
    editor.onNotify("turn/send", (params) => heard.push(params));
    tell("turn/send", { buf: 1, id: "user:1", text: "hi" });
    tell("turn/send", { buf: "one" });
    tell("turn/send");
    tell("no/such", { buf: 1 });
    tell("__proto__", {});
    tell("turn/send", { buf: 2, id: "user:2", text: "", mode: "queue", newer: true });
    await expect
      .poll(() => heard)
      .toEqual([
        { buf: 1, id: "user:1", text: "hi", mode: "steer", context: [], unsaved: [] },
        { buf: 2, id: "user:2", text: "", mode: "queue", context: [], unsaved: [] },
      ]);
    expect(logged.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "warn: a notification of Lua's has another shape",
      "warn: a notification of Lua's has another shape",
      "warn: this host does not know a notification of Lua's",
      "warn: this host does not know a notification of Lua's",
    ]);
    editor.close();
  });

  it("keeps no answer once it was given", async () => {
    const { editor, failWith } = editorEnd();
    failWith([0, "no such buffer"]);
    const answers = [];
    for (let n = 0; n < 10; n += 1)
      answers.push(new WeakRef(await editor.call.buf_set_edits(1, [])));
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    // What a weak reference leads to stays until the end of the task that has looked.
    await nextTick();
    collect();
    // The last one may still be in a register.
    expect(answers.filter((answer) => answer.deref() !== undefined).length).toBeLessThanOrEqual(1);
    editor.close();
  });

  it("returns an error for an answer of another shape", async () => {
    const { editor, answerWith } = editorEnd();
    answerWith({ ok: "maybe" });
    expect(await editor.call.buf_set_edits(1, [])).toMatchObject({
      ok: false,
      error: { kind: "garbled" },
    });
    answerWith({ ok: false, reason: "gone" });
    expect(await editor.call.buf_set_edits(1, [])).toEqual({
      ok: true,
      value: { ok: false, reason: "gone" },
    });
    editor.close();
  });

  it("settles every waiting call when the connection ends, and refuses later ones", async () => {
    const readable = new PassThrough();
    const writable = new PassThrough();
    const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
    const editor = connectEditor({ readable, writable, log });
    const waiting = editor.call.ui_notify("info", "hello");
    readable.destroy();
    expect(await waiting).toMatchObject({ ok: false, error: { kind: "closed" } });
    await editor.closed;
    expect(await editor.call.ui_notify("info", "hello")).toMatchObject({
      ok: false,
      error: { kind: "closed" },
    });
    editor.close();
  });
});
