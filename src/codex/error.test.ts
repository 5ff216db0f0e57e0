import { describe, expect, it } from "vitest";
import { refusal } from "./error.ts";

describe("a refusal", () => {
  it.each([
    ["no rollout found for thread id 01a1", "thread_unknown"],
    ["thread not found: 01a1", "thread_unknown"],
    ["thread not loaded: 01a1", "thread_unknown"],
    ["invalid session id: invalid length", "thread_unknown"],
    ["invalid thread id: invalid length", "thread_unknown"],
    ["thread 01a1 already has an active writer", "thread_busy"],
    ["failed to load configuration: /h/config.toml:1:5: key with no value", "invalid_config"],
    ["no active turn to steer", "refused"],
    ["", "refused"],
    // What the model or a file said may be quoted in a reason.
    ["bad input: thread not found: x", "refused"],
  ])("%j is %s", (message, kind) => {
    expect(refusal("thread/resume", -32600, message)).toMatchObject({ kind });
  });

  it("names the request, and has a bounded length", () => {
    const { message } = refusal("turn/start", -32602, "x".repeat(10_000));
    expect(message).toMatch(/^Codex refused turn\/start: x+…$/);
    expect(message.length).toBeLessThan(2100);
  });
});
