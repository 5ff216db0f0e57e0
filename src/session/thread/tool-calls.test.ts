import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ToolCall } from "../../codex/server-requests/tool-call.ts";
import { ok, type Result } from "../../result.ts";
import { ToolCalls } from "./tool-calls.ts";

type Asked = { readonly id: string; readonly tool: string; readonly arguments: object };

const call = (tool: string, given: Partial<ToolCall> = {}): ToolCall => ({
  threadId: "t",
  namespace: "editor",
  tool,
  arguments: {},
  ...given,
});

/** Tool calls to an editor that only remembers what it was asked. */
function calls(told: Result<unknown, { readonly message: string }> = ok(null), isWanted = true) {
  const asked: Asked[] = [];
  const tools = new ToolCalls(
    async (call) => {
      asked.push(call);
      return told;
    },
    () => isWanted,
  );
  return { tools, asked };
}

describe("a call of an editor's tool", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is answered by the editor, each by its own id", async () => {
    const { tools, asked } = calls();
    const first = tools.call(call("cursor"));
    const second = tools.call(call("lsp", { arguments: { action: "hover" } }));
    expect(asked).toMatchObject([
      { tool: "cursor", arguments: {} },
      { tool: "lsp", arguments: { action: "hover" } },
    ]);
    tools.answered(asked[1]?.id ?? "", { ok: false, text: "no server" });
    tools.answered(asked[0]?.id ?? "", { ok: true, text: "a.ts:1:1" });
    tools.answered("t9", { ok: true, text: "nobody asked" });
    expect(await first).toEqual({ ok: true, text: "a.ts:1:1" });
    expect(await second).toEqual({ ok: false, text: "no server" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is answered once, even if the editor is late or answers twice", async () => {
    const { tools, asked } = calls();
    const late = tools.call(call("lsp"));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await late).toEqual({ ok: false, text: "The editor did not answer in time." });
    tools.answered(asked[0]?.id ?? "", { ok: true, text: "too late" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is answered when the editor cannot be asked", async () => {
    const { tools } = calls({ ok: false, error: { message: "gone" } });
    expect(await tools.call(call("cursor"))).toMatchObject({ ok: false });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is refused while no turn runs", async () => {
    const { tools, asked } = calls(ok(null), false);
    expect(await tools.call(call("cursor"))).toEqual({ ok: false, text: "No turn is running." });
    expect(asked).toEqual([]);
  });

  it("is refused if the tool does not belong to the editor, or there are too many calls", async () => {
    const { tools, asked } = calls();
    for (const namespace of [null, "other", ""])
      expect(await tools.call(call("cursor", { namespace }))).toMatchObject({ ok: false });
    expect(asked).toEqual([]);
    for (let n = 0; n < 16; n++) void tools.call(call("lsp"));
    expect(await tools.call(call("lsp"))).toEqual({
      ok: false,
      text: "The editor is busy; ask again.",
    });
    tools.answered(asked[0]?.id ?? "", { ok: true, text: "" });
    void tools.call(call("lsp"));
    expect(asked).toHaveLength(17);
  });
});
