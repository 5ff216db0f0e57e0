import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../../chat/event.ts";
import { reduce } from "../../chat/reducer/reduce.ts";
import { initialState } from "../../chat/state.ts";
import { TurnGate } from "../../egress/model/turn-gate.ts";
import { ok } from "../../result.ts";
import type { LiveDocument } from "../document/live-document.ts";
import { ThreadHandle } from "../thread/thread-handle.ts";
import { Conversation } from "./conversation.ts";
import type { ProjectServices } from "./ports.ts";

const CALLS = 3;
const MAX_TURNS = 30;

/**
 * A conversation with an app-server that takes every query, makes calls of the model, and says that
 * the turn is over; `hears` is whether it puts the query into the thread.
 */
function conversation(hears: boolean) {
  const gate = new TurnGate({
    maxRequestsPerTurn: CALLS,
    maxConcurrent: 8,
    maxBytesPerTurn: 1e9,
    maxTokensPerTurn: 1e9,
  });
  const told = { turns: 0, calls: 0, events: [] as ChatEvent[] };
  let state = initialState({ root: "/r", prefix: "h.", thread: "T" });
  const document = {
    path: "/s/projects/p/chats/a.md",
    stateDir: "/s",
    meta: { thread: "T" },
    standing: {},
    text: () => "",
    apply: (event: ChatEvent) => {
      told.events.push(event);
      state = reduce(state, event).state;
    },
    setState: () => {},
    setMeta: () => {},
    notify: () => {},
    asEdited: (queries: unknown) => queries,
    note: () => {},
    ended: async () => {},
  };
  const turn = (id: string, clientId: string | undefined) => {
    for (let n = 0; n < CALLS; n++) {
      const call = gate.enter(() => {});
      if (call.ok) told.calls++;
      if (call.ok) call.value.release();
    }
    const item = { type: "userMessage" as const, id: `i${id}`, clientId, content: [] };
    if (hears)
      chat.onNotification({
        method: "item/completed",
        params: { threadId: "T", turnId: id, item, completedAtMs: null },
      });
    if (told.turns < MAX_TURNS)
      chat.onNotification({
        method: "turn/completed",
        params: { threadId: "T", turn: { id, status: "completed", error: null } },
      });
  };
  const client = {
    request: async (method: string, params: { clientUserMessageId?: string }) => {
      if (method !== "turn/start")
        return ok({ thread: { id: "T" }, model: "m", instructionSources: [] });
      const id = `t${++told.turns}`;
      setTimeout(() => turn(id, params.clientUserMessageId), 1);
      return ok({ turn: { id } });
    },
  };
  const egress = { beginTurn: gate.begin.bind(gate), allowance: gate.allowance.bind(gate) };
  const host = {
    root: "/r",
    sandbox: { projectDir: "/s/projects/p" },
    settings: {
      limits: { silence_ms: 1e6, response_idle_ms: 1e6 },
      approvals: "on-request",
      network: { allow: [] },
    },
    log: { info() {}, warn() {}, error() {} },
    backend: async () => ok({ client, egress, notes: [], sandboxLabel: "gVisor" }),
    renewBackend: async () => ok(),
    flushEarlyNotifications() {},
    turnHooks: [],
    network: { expectTurn: () => {} },
    changes: { news: () => undefined, newsTaken: () => {} },
    emit() {},
    filesChanged() {},
  };
  const live = document as unknown as LiveDocument;
  const services = host as unknown as ProjectServices;
  const thread = new ThreadHandle(live, services);
  const chat = new Conversation({ document: live, thread, host: services });
  return { chat, told };
}

/** Until nothing has happened for a while. */
async function still(told: { readonly turns: number }): Promise<void> {
  for (let seen = -1; seen !== told.turns; ) {
    seen = told.turns;
    await pause(100);
  }
}

describe("a turn that Codex reports as over", () => {
  it("without having taken the query makes the host send it once more, within one turn's allowance", async () => {
    const { chat, told } = conversation(false);
    chat.send({ id: "q1", text: "hello" }, "steer");
    await still(told);
    expect(told).toMatchObject({ turns: 2, calls: CALLS });
    expect(chat.isBusy).toBe(false);
    expect(told.events).toContainEqual(
      expect.objectContaining({ type: "turn_failed", message: "Codex did not take the message." }),
    );
    expect(told.events.filter((event) => "type" in event && event.type === "round")).toHaveLength(
      1,
    );
    chat.retry();
    await still(told);
    expect(told).toMatchObject({ turns: 4, calls: 2 * CALLS });
  });

  it("leaves each of the user's queries its own turn if Codex takes it", async () => {
    const { chat, told } = conversation(true);
    chat.send({ id: "q1", text: "hello" }, "steer");
    chat.send({ id: "q2", text: "and then" }, "queue");
    await still(told);
    expect(told).toMatchObject({ turns: 2, calls: 2 * CALLS });
    expect(told.events.filter((event) => "type" in event && event.type === "turn_failed")).toEqual(
      [],
    );
  });
});
