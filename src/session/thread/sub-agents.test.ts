import { describe, expect, it } from "vitest";
import { whyNotAsked } from "../../chat/items/asked.ts";
import { reduce } from "../../chat/reducer/reduce.ts";
import { initialState } from "../../chat/state.ts";
import { parseNotification, type ServerNotification } from "../../codex/messages/notification.ts";
import type { Approval } from "../../codex/server-requests/server-request.ts";
import { asSubAgentApproval, SubAgents } from "./sub-agents.ts";

const item = (method: string, threadId: string, content: object): ServerNotification =>
  parseNotification(method, { threadId, turnId: `${threadId}-turn`, item: content });
const spawn = (parent: string, ...agents: string[]) =>
  item("item/completed", parent, {
    ...{ type: "collabAgentToolCall", id: "s", tool: "spawnAgent", status: "completed" },
    receiverThreadIds: agents,
  });
const command = { type: "commandExecution", id: "c1", command: "ls", status: "inProgress" };
const asks: Approval = { kind: "command", id: "n0", itemId: "c1", command: "ls" };

/** What is shown of a patch of so many lines that a sub-agent asks about, and why nobody is asked. */
function shown(lines: number) {
  const agents = new SubAgents();
  const diff = `${"x\n".repeat(lines)}the end\n`;
  const changes = [{ path: "/p/a", kind: { type: "add" }, diff }];
  const patch = { type: "fileChange", id: "p1", changes, status: "inProgress" };
  agents.eventOf(item("item/started", "a", patch), "main");
  const question: Approval = { kind: "patch", id: "n0", itemId: "p1" };
  const about = agents.itemAskedAbout("a", question, "main");
  if (about === undefined) throw new Error("it is forgotten");
  const begun = { method: "turn/started", params: { threadId: "main", turn: { id: "u" } } };
  const running = reduce(initialState({ root: "/p" }), begun as ServerNotification).state;
  const { state } = reduce(running, about);
  const asked = reduce(state, { type: "approval_requested", approval: question });
  return { why: whyNotAsked(state, question), text: JSON.stringify(asked.edits) };
}
const isMain = (thread: string) => thread === "main";

describe("a thread without a conversation", () => {
  it("works for the thread that started it, directly or through another", () => {
    const agents = new SubAgents();
    agents.note(spawn("main", "a"));
    agents.note(spawn("a", "b"));
    expect(agents.rootOf("b", isMain)).toBe("main");
    expect(agents.rootOf("main", isMain)).toBe("main");
    expect(agents.rootOf("c", isMain)).toBeUndefined();
  });

  it("works for no thread if two claim to have started each other", () => {
    const agents = new SubAgents();
    agents.note(spawn("a", "b"));
    agents.note(spawn("b", "a"));
    expect(agents.rootOf("a", isMain)).toBeUndefined();
  });

  it("shows the items that it asks about, and no others", () => {
    const agents = new SubAgents();
    const other = { ...command, id: "c2" };
    const output = parseNotification("item/commandExecution/outputDelta", {
      ...{ threadId: "a", turnId: "u", itemId: "c1", delta: "x" },
    });
    for (const started of [command, other])
      expect(agents.eventOf(item("item/started", "a", started), "main")).toBeUndefined();
    expect(agents.eventOf(output, "main")).toBeUndefined();
    expect(agents.itemAskedAbout("a", asks, "main")).toMatchObject({
      method: "item/started",
      params: { threadId: "main", item: { id: "c1" } },
    });
    expect(agents.eventOf(output, "main")).toMatchObject({
      params: { threadId: "main", delta: "x" },
    });
    const ended = (id: string) =>
      agents.eventOf(item("item/completed", "a", { ...command, id }), "main");
    expect(ended("c1")).toMatchObject({ method: "item/completed", params: { threadId: "main" } });
    expect([ended("c1"), ended("c2")]).toEqual([undefined, undefined]);
  });

  it("shows the files that it changed without asking", () => {
    const agents = new SubAgents();
    const changes = [{ path: "/p/a", kind: { type: "add" }, diff: "x" }];
    const patch = { type: "fileChange", id: "p1", status: "completed", changes };
    expect(agents.eventOf(item("item/started", "a", patch), "main")).toBeUndefined();
    expect(agents.eventOf(item("item/completed", "a", patch), "main")).toEqual({
      type: "agent_patch",
      id: "a p1",
      changes,
      status: "completed",
    });
  });

  it("asks about nothing whose end is not shown", () => {
    const whole = shown(20_000);
    expect(whole.why).toBeUndefined();
    expect(whole.text).toContain("the end");
    const cut = shown(200_000);
    expect(cut.why).toMatchObject({ kind: "long" });
    expect(cut.text).not.toContain("the end");
  });

  it("asks questions that are distinguishable from the agent's", () => {
    expect(asSubAgentApproval({ ...asks, reason: "To look." })).toEqual({
      ...asks,
      byAgent: true,
      reason: "A sub-agent asks: To look.",
    });
    const page: Approval = {
      kind: "page",
      id: "n1",
      server: "s",
      message: "",
      url: "https://e.org/",
    };
    expect(asSubAgentApproval(page)).toBe(page);
  });
});
