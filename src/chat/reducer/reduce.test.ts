import { describe, expect, it } from "vitest";
import type { Item } from "../../codex/messages/item.ts";
import type { ServerNotification } from "../../codex/messages/notification.ts";
import type { ChatEvent } from "../event.ts";
import { approvalBlock, type ChatState, initialState } from "../state.ts";
import { reduce, reduceAll } from "./reduce.ts";

const at = { threadId: "t1", turnId: "u1" };
const sent: ChatEvent = { type: "sent", id: "user:1", mode: "start", text: "Go." };

function delta(itemId: string, text: string): ServerNotification {
  return { method: "item/agentMessage/delta", params: { ...at, itemId, delta: text } };
}

function began(item: Item): ServerNotification {
  return { method: "item/started", params: { ...at, item } };
}

function running(...events: ChatEvent[]): ChatState {
  return reduceAll(initialState({ root: "/p" }), [sent, ...events]).state;
}

const command: Item = {
  type: "commandExecution",
  id: "c1",
  command: "/bin/bash -lc 'make'",
  cwd: "/p",
  source: "agent",
  status: "inProgress",
};

describe("reduce", () => {
  it("adds a marked heading below a query", () => {
    expect(reduce(initialState({ root: "/p" }), sent).edits).toEqual([
      { op: "mark", id: "user:1", mark: "none" },
      { op: "insert", id: "c:1", after: "user:1", lines: ["## Codex"], gap: 1 },
      { op: "mark", id: "c:1", mark: "running" },
    ]);
  });

  it("writes a delta as one append", () => {
    const state = running(began({ type: "agentMessage", id: "m", text: "" }), delta("m", "Hello"));
    expect(reduce(state, delta("m", " there")).edits).toEqual([
      { op: "append", id: "c:2", text: " there" },
    ]);
  });

  it.each([
    [
      "says that the user stopped a command whose exit code is SIGKILL's",
      ["c1"],
      "**Stopped** `make`",
    ],
    [
      "says that a command failed if something else has killed it",
      [],
      "**Failed** `make` · exit 137",
    ],
  ])("%s", (_what, ids, summary) => {
    const turn = { id: "u1", status: "completed" };
    const state = running(began(command), {
      method: "turn/completed",
      params: { threadId: "t1", turn },
    });
    const ended: Item = { ...command, status: "failed", exitCode: 137 };
    const { edits } = reduceAll(state, [
      { type: "commands_stopped", ids },
      { method: "item/completed", params: { ...at, item: ended } },
    ]);
    expect(edits).toContainEqual({ op: "replace", id: "c:2", lines: [summary] });
  });

  it("forgets finished items", () => {
    const state = running(
      began({ type: "agentMessage", id: "m", text: "" }),
      delta("m", "Hello"),
      {
        method: "item/completed",
        params: { ...at, item: { type: "agentMessage", id: "m", text: "Hello" } },
      },
      {
        method: "turn/completed",
        params: { threadId: "t1", turn: { id: "u1", status: "completed" } },
      },
    );
    expect([state.items.size, state.approvals.size, state.turn.running]).toEqual([0, 0, false]);
  });

  it("names the block of an approval while it waits", () => {
    const asked = running(began(command), {
      type: "approval_requested",
      approval: { kind: "command", id: "n0", itemId: "c1" },
    });
    expect(approvalBlock(asked, "n0")).toBe("c:2");
    const answered = reduce(asked, { type: "approval_resolved", id: "n0", decision: "accept" });
    expect(approvalBlock(answered.state, "n0")).toBeUndefined();
    expect(answered.edits).toContainEqual({
      op: "replace",
      id: "c:2",
      lines: ["**Running** `make` · approved"],
    });
  });

  it("shows the command of an approval whose item never began", () => {
    const { edits } = reduce(running(), {
      type: "approval_requested",
      approval: { kind: "command", id: "n0", itemId: "c9", command: "rm -rf x", reason: "why" },
    });
    expect(edits.flatMap((edit) => (edit.op === "insert" ? edit.lines : []))).toEqual([
      "**Running** `rm -rf x`",
      "> why",
      "```console output",
      "$ rm -rf x",
      "```",
    ]);
    expect(edits).toContainEqual({
      op: "replace",
      id: "c:2",
      lines: ["**Asks** to run `rm -rf x`"],
    });
  });

  it.each<[string, object, string[]]>([
    ["another command", { command: "rm -rf x" }, ["$ rm -rf x", "rm -rf x"]],
    ["another place", { command: "/bin/bash -lc 'make'", cwd: "/etc" }, ["`/etc`"]],
  ])("shows the command of the approval if its item shows %s", (_name, asks, words) => {
    const { edits, state } = reduce(running(began(command)), {
      type: "approval_requested",
      approval: { kind: "command", id: "n0", itemId: "c1", ...asks },
    });
    const shown = edits.flatMap((edit) => (edit.op === "insert" ? edit.lines : []));
    expect(shown[0]).toContain("**Asks** to run a command");
    expect(words.some((word) => shown.join("\n").includes(word))).toBe(true);
    // The keys are on that block, and not on the item's.
    expect(approvalBlock(state, "n0")).not.toBe("c:2");
  });

  it("reports a question that does not say what it is about", () => {
    const { edits } = reduce(running(), {
      type: "approval_requested",
      approval: { kind: "patch", id: "n0", itemId: "c9" },
    });
    const shown = edits.flatMap((edit) => (edit.op === "insert" ? edit.lines : []));
    expect(shown).toContain("> Codex did not say exactly what.");
  });

  it("shows a retry beside the heading until the next word", () => {
    const error = { message: "Reconnecting... 2/5", codexErrorInfo: "other" };
    const retried = reduce(running(), {
      method: "error",
      params: { ...at, error, willRetry: true },
    });
    expect(retried.edits).toEqual([
      { op: "mark", id: "c:1", mark: "running", text: "Reconnecting... 2/5" },
    ]);
    const again = reduce(retried.state, began({ type: "agentMessage", id: "m", text: "" }));
    expect(again.edits).toEqual([{ op: "mark", id: "c:1", mark: "running" }]);
  });

  it("replaces text that was cut off when the response is requested again", () => {
    const retry: ChatEvent = {
      method: "error",
      params: {
        ...at,
        error: { message: "Reconnecting... 1/2", codexErrorInfo: "other" },
        willRetry: true,
      },
    };
    const broken = running(
      began({ type: "agentMessage", id: "m", text: "" }),
      delta("m", "I begin"),
      retry,
    );
    const again = reduceAll(broken, [
      began({ type: "agentMessage", id: "n", text: "" }),
      delta("n", "I begin anew"),
    ]);
    expect(again.edits).toContainEqual({ op: "remove", id: "c:2" });
    expect(again.edits.at(-1)).toEqual({
      op: "insert",
      id: "c:3",
      after: "c:1",
      lines: ["I begin anew"],
      gap: 1,
    });
    const failed = reduce(broken, {
      method: "turn/completed",
      params: { threadId: "t1", turn: { id: "u1", status: "failed" } },
    });
    expect(failed.edits.some((edit) => edit.op === "remove")).toBe(false);
  });

  it("moves the empty heading when a second query joins the first", () => {
    const { edits } = reduce(running(), { type: "sent", id: "user:2", mode: "start" });
    expect(edits).toContainEqual({ op: "remove", id: "c:1" });
    expect(edits).toContainEqual({
      op: "insert",
      id: "c:2",
      after: "user:2",
      lines: ["## Codex"],
      gap: 1,
    });
  });

  it("writes above a steered query until Codex has taken it, then below it", () => {
    const state = running(began({ type: "agentMessage", id: "m", text: "" }), delta("m", "One"));
    const steered = reduce(state, { type: "sent", id: "user:2", mode: "steer" });
    expect(steered.edits).toEqual([{ op: "mark", id: "user:2", mark: "queued", text: "steering" }]);
    const more = reduce(steered.state, delta("m", " two"));
    expect(more.edits).toEqual([{ op: "append", id: "c:2", text: " two" }]);
    const taken = reduce(
      more.state,
      began({ type: "userMessage", id: "x", clientId: "user:2", content: [] }),
    );
    expect(taken.edits.map((edit) => edit.op)).toEqual(["mark", "mark", "insert", "mark"]);
    expect(taken.edits).toContainEqual({
      op: "insert",
      id: "c:3",
      after: "user:2",
      lines: ["## Codex"],
      gap: 1,
    });
  });

  it("ignores notifications of other threads", () => {
    const state = running({ type: "thread", id: "t1" });
    const foreign: ChatEvent = {
      method: "item/agentMessage/delta",
      params: { threadId: "t2", turnId: "u1", itemId: "m", delta: "x" },
    };
    expect(reduce(state, foreign)).toEqual({ state, edits: [] });
  });

  it("keeps the token count without writing it", () => {
    const { state, edits } = reduce(running(), {
      method: "thread/tokenUsage/updated",
      params: {
        ...at,
        tokenUsage: {
          total: { totalTokens: 9 },
          last: { totalTokens: 4 },
          modelContextWindow: 100,
        },
      },
    });
    expect([state.usage, edits]).toEqual([{ last: 4, total: 9, window: 100 }, []]);
  });

  it("widens the fence if the output contains one", () => {
    const output = (text: string): ServerNotification => ({
      method: "item/commandExecution/outputDelta",
      params: { ...at, itemId: "c1", delta: text },
    });
    const state = running(began(command), output("a\n"));
    const { edits } = reduce(state, output("```\n"));
    expect(edits.slice(0, 3)).toEqual([
      { op: "replace", id: "c:3", lines: ["````console output"] },
      { op: "replace", id: "c:5", lines: ["````"] },
      { op: "append", id: "c:4", text: "\n```" },
    ]);
  });
});
