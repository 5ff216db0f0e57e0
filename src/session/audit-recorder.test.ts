import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../audit/entry.ts";
import type { ServerNotification } from "../codex/messages/notification.ts";
import { answeredByNobody } from "./answer.ts";
import { AuditRecorder } from "./audit-recorder.ts";

function recording() {
  const entries: AuditEntry[] = [];
  const news = new AuditRecorder({ record: (entry) => entries.push(entry), close: async () => {} });
  return { news, entries };
}

type ItemEvent = Extract<ServerNotification, { method: "item/completed" }>["params"];

const command = (id: string, more: object = {}) =>
  ({
    type: "commandExecution",
    id,
    command: `run ${id}`,
    cwd: "/p",
    source: "agent",
    status: "inProgress",
    ...more,
  }) as ItemEvent["item"];

const item = (
  method: "item/started" | "item/completed",
  content: ItemEvent["item"],
  threadId = "t1",
) => ({ method, params: { threadId, turnId: "u1", item: content } }) as ServerNotification;

const turnEnd = (threadId: string) =>
  ({
    method: "turn/completed",
    params: { threadId, turn: { id: "u1", status: "completed", error: null } },
  }) as ServerNotification;

describe("the audit log of a project", () => {
  it("records a command at its end, with the size of its output but not the output", () => {
    const { news, entries } = recording();
    news.onNotification(item("item/started", command("c1")), "/s/chats/one.md");
    const ended = { status: "failed", exitCode: 2, durationMs: 12, aggregatedOutput: "secret ä" };
    news.onNotification(item("item/completed", command("c1", ended)), "/s/chats/one.md");
    news.onNotification(turnEnd("t1"), "/s/chats/one.md");
    expect(entries).toEqual([
      {
        event: "command",
        thread: "t1",
        chat: "one.md",
        command: "run c1",
        cwd: "/p",
        source: "agent",
        status: "failed",
        exitCode: 2,
        ms: 12,
        outputBytes: 9,
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain("secret");
  });

  it("records a command whose end was not reported when its turn is over", () => {
    const { news, entries } = recording();
    news.onNotification(item("item/started", command("c1")), undefined);
    news.onNotification(item("item/started", command("c2"), "t2"), undefined);
    news.onNotification(turnEnd("t1"), undefined);
    expect(entries).toMatchObject([{ command: "run c1", status: "unfinished" }]);
    news.unfinished();
    expect(entries).toMatchObject([{ command: "run c1" }, { command: "run c2", thread: "t2" }]);
  });

  it("records the files of a patch without their text", () => {
    const { news, entries } = recording();
    const changes = [{ path: "a.js", kind: { type: "add" }, diff: "the text" }];
    const patch = { type: "fileChange", id: "p1", changes, status: "completed" };
    news.onNotification(item("item/completed", patch as ItemEvent["item"]), undefined);
    expect(entries).toEqual([
      {
        event: "patch",
        thread: "t1",
        files: [{ path: "a.js", change: "add" }],
        status: "completed",
      },
    ]);
  });

  it("records a model call in one line at its end", () => {
    const { news, entries } = recording();
    news.onEgress({ type: "model_request", id: 1, bytes: 100 });
    news.onEgress({ type: "model_request", id: 2, bytes: 200 });
    news.onEgress({ type: "model_response", id: 1, status: 200 });
    const usage = { input: 40, output: 2, total: 42 };
    news.onEgress({ type: "model_done", id: 1, bytesIn: 300, ms: 5.4, usage });
    const failed = { type: "model_failed", id: 2, message: "It said: no", status: 429 } as const;
    news.onEgress({ ...failed, kind: "status" });
    expect(entries).toEqual([
      {
        event: "model_request",
        outcome: "done",
        bytesOut: 100,
        bytesIn: 300,
        status: 200,
        tokens: 42,
        ms: 5,
      },
      { event: "model_request", outcome: "failed", bytesOut: 200, status: 429, reason: "status" },
    ]);
  });

  it("records a refused host, with the number of refusals that were left out", () => {
    const { news, entries } = recording();
    const refused = {
      host: "evil.test",
      port: 443,
      method: "CONNECT",
      reason: "no turn is running",
      by: "policy" as const,
      omitted: 7,
    };
    news.onEgress({ type: "network_refused", ...refused });
    expect(entries).toEqual([{ event: "network", decision: "refused", ...refused }]);
  });

  it("records a connection when it opens, and its traffic when it closes", () => {
    const { news, entries } = recording();
    const at = { id: 1, host: "a.org", port: 443, by: "project" } as const;
    news.onEgress({ type: "network_allowed", ...at, method: "CONNECT" });
    news.onEgress({ type: "network_done", ...at, bytesIn: 3, bytesOut: 2, ms: 1, cut: "idle" });
    const { id: _, ...where } = at;
    expect(entries).toMatchObject([
      { event: "network", decision: "allowed", ...where, method: "CONNECT" },
      { event: "network", decision: "ended", ...where, bytesIn: 3, bytesOut: 2, reason: "idle" },
    ]);
  });

  it("records a question with its answer, even if nobody could be asked", async () => {
    const { news, entries } = recording();
    const approval = { kind: "command", id: "n1", itemId: "c1", command: "make" } as const;
    const answer = Promise.resolve({ decision: "accept", by: "user" } as const);
    expect(await news.asked(approval, "t1", "/s/one.md", answer)).toEqual(await answer);
    const late = Promise.resolve(answeredByNobody("cancel", "the turn ended"));
    const host = { kind: "network", id: "network:1", target: "a.org", entry: "a.org" } as const;
    await news.askedHost(host, "t1", "/s/one.md", late);
    news.fixed("t1", "permissions", "more", "/s/one.md");
    const at = { event: "approval", thread: "t1", chat: "one.md" };
    expect(entries).toMatchObject([
      { ...at, asked: "command", about: "make", decision: "accept", by: "user" },
      {
        ...at,
        asked: "network",
        about: "a.org",
        decision: "cancel",
        by: "nobody",
        reason: "the turn ended",
      },
      { ...at, asked: "permissions", about: "more", decision: "decline", by: "rule" },
    ]);
  });

  it("remembers at most a thousand unfinished commands", () => {
    const { news, entries } = recording();
    for (let n = 0; n < 100_000; n++)
      news.onNotification(item("item/started", command(`c${n}`)), undefined);
    news.unfinished();
    expect(entries).toHaveLength(1000);
  });
});
