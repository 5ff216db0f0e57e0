import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coalesce } from "../../src/chat/edits/coalesce.ts";
import type { Edit } from "../../src/chat/edits/edits.ts";
import type { ChatEvent } from "../../src/chat/event.ts";
import { readTranscript, writeTranscript } from "../../src/chat/format/transcript.ts";
import { reduce } from "../../src/chat/reducer/reduce.ts";
import { type ChatState, initialState } from "../../src/chat/state.ts";
import { ITEM_TYPES, type Item } from "../../src/codex/messages/item.ts";
import {
  parseNotification,
  type ServerNotification,
} from "../../src/codex/messages/notification.ts";
import {
  applyEdits,
  type ChatDocument,
  documentOf,
  documentText,
} from "../support/document-model.ts";
import { hostileItems, turnCompleted } from "./arbitrary.ts";
import { newChat, root, type ScenarioEvent, typeAndSend } from "./replay.ts";
import { headings, view } from "./viewer.ts";

const TURNS = 500;
/** After this many turns the editor is left and the conversation is opened again. */
const SITTING = 25;

const at = { threadId: "t1", turnId: "u1" };

/** One item of each kind that the pinned app-server knows, with text of its own in each turn. */
function everyKind(n: number): object[] {
  const words = `turn ${n}`;
  const call = { status: "completed", arguments: { n }, durationMs: 1200 };
  return [
    { type: "hookPrompt", fragments: [{ text: words }] },
    { type: "reasoning", summary: [`**Of ${words}**\n\nThoughts.\n\n- one\n- two`] },
    { type: "agentMessage", text: `I begin ${words}.`, phase: "commentary" },
    {
      type: "commandExecution",
      command: `echo '${words}'`,
      cwd: root,
      status: "completed",
      aggregatedOutput: `${words}\n\`\`\`\n`,
      exitCode: n % 3,
      durationMs: 30,
    },
    {
      type: "fileChange",
      status: "completed",
      changes: [{ path: `${root}/${n}.ts`, kind: { type: "add" }, diff: `${words}\n` }],
    },
    {
      type: "mcpToolCall",
      server: "s",
      tool: words,
      ...call,
      result: { content: [{ type: "text", text: words }] },
    },
    { type: "dynamicToolCall", tool: words, ...call, success: true, contentItems: [] },
    { type: "functionCallOutput", name: words, output: words },
    {
      type: "collabAgentToolCall",
      tool: "wait",
      status: "completed",
      agentsStates: { t2: { status: "completed", message: words } },
    },
    { type: "subAgentActivity", kind: "started", agentPath: words },
    { type: "webSearch", query: words },
    { type: "imageView", path: `${root}/${n}.png` },
    { type: "imageGeneration", status: "completed", savedPath: `images/a-${n}.png` },
    { type: "sleep", durationMs: n * 1000 },
    { type: "contextCompaction" },
    { type: "enteredReviewMode", review: words },
    { type: "exitedReviewMode", review: `Nothing in ${words}.` },
    { type: "plan", text: `1. ${words}\n2. more` },
    { type: "userMessage", content: [] },
    { type: "hologram", text: words },
    { type: "agentMessage", text: `So much for ${words}.\n\n~~~\nand code`, phase: "final_answer" },
  ];
}

/** A turn: each kind of item streamed after a few hostile ones. */
function turnEvents(n: number, hostile: readonly ScenarioEvent[]): ScenarioEvent[] {
  const told = (method: string, params: object): ServerNotification =>
    parseNotification(method, { threadId: "t1", turnId: `u${n}`, ...params });
  const items = everyKind(n).map((item, index) => ({ ...item, id: `k${index}` }));
  return [
    ...hostile,
    turnPlan(n, "inProgress"),
    ...items.flatMap((item) => [
      told("item/started", { item, startedAtMs: 1000 }),
      told("item/completed", { item, completedAtMs: 3000 }),
    ]),
    turnPlan(n, "completed"),
    turnCompleted(),
  ];
}

function turnPlan(n: number, status: string): ServerNotification {
  return {
    method: "turn/plan/updated",
    params: { ...at, explanation: null, plan: [{ step: `Step ${n}`, status }] },
  };
}

type Chat = { state: ChatState; document: ChatDocument };

/** Runs a turn in the document. */
function have(chat: Chat, id: string, events: readonly ScenarioEvent[]): void {
  const prompt = { type: "prompt", id, mode: "start", text: `Query ${id}` } as const;
  const { document } = typeAndSend(chat.document, prompt);
  const edits: Edit[] = [];
  const sent = { type: "sent", id, mode: "start", text: prompt.text } as const;
  for (const event of [sent, ...events]) {
    if ("type" in event && event.type === "prompt") continue;
    const step = reduce(chat.state, event);
    chat.state = step.state;
    edits.push(...step.edits);
  }
  chat.document = applyEdits(document, coalesce(edits));
}

/** The size of a value: the cost for a reducer that copies it. */
function sizeOf(state: ChatState): number {
  return JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Map || value instanceof Set ? [...value] : value,
  ).length;
}

/** Hostile items for each turn. Commands that never end keep running, so each has its own id. */
const hostile = fc.sample(hostileItems, { numRuns: TURNS, seed: 7 }).map(({ events }, n) =>
  events.map((event) => {
    const text = JSON.stringify(event).replace(/"i([01])"/g, `"i$1-${n}"`);
    return JSON.parse(text) as ScenarioEvent;
  }),
);

describe("a conversation of 500 turns", () => {
  it("has every kind of item in it", () => {
    const kinds = everyKind(1).map((item) => (item as Item).type as string);
    expect(ITEM_TYPES.filter((kind) => !kinds.includes(kind))).toEqual([]);
  });

  it("is exact: each turn is as it would be alone, and is read and written unchanged", () => {
    const chat: Chat = newChat();
    for (let n = 1; n <= TURNS; n += 1) {
      if (n % SITTING === 0) {
        chat.document = documentOf(documentText(chat.document));
        chat.state = initialState({ root, thread: "t1", prefix: `s${n}` });
      }
      have(chat, `user:${n}`, turnEvents(n, hostile[n - 1] ?? []));
    }
    const text = documentText(chat.document);
    const read = readTranscript(text);
    expect(writeTranscript(read)).toBe(text);
    expect(read.sections).toHaveLength(2 * TURNS);
    for (let n = 1; n <= TURNS; n += 1) {
      const alone: Chat = newChat();
      have(alone, `user:${n}`, turnEvents(n, hostile[n - 1] ?? []));
      const { sections } = readTranscript(documentText(alone.document));
      expect(read.sections.slice(2 * n - 2, 2 * n)).toEqual(sections);
    }
    const viewed = view(text);
    const ours = headings(viewed).filter(
      (heading) => heading.tag === "h2" && heading.within.length === 0,
    );
    expect(
      ours.map((heading) => heading.text).filter((title) => title === "You" || title === "Codex"),
    ).toHaveLength(2 * TURNS + 1);
    expect([viewed.html, viewed.definitions]).toEqual([[], []]);
  });

  it("costs the same for each event from the first turn to the last", () => {
    let state = newChat().state;
    const sizes = new Set<number>();
    const edits = new Set<string>();
    const sent = { type: "sent", id: "user:1", mode: "start", text: "Go." } as const;
    for (let n = 1; n <= TURNS; n += 1) {
      const made: Edit[] = [];
      for (const event of [sent, ...turnEvents(1, [])]) {
        const step = reduce(state, event as ChatEvent);
        state = step.state;
        made.push(...step.edits);
      }
      // Names of blocks grow by their number's digits, and nothing else does.
      edits.add(JSON.stringify(made).replace(/"c:\d+"/g, '"c"'));
      sizes.add(sizeOf({ ...state, nextBlock: 0, tail: "", section: undefined }));
    }
    // The first turn has no section above it whose mark is removed.
    expect(edits.size).toBe(2);
    expect(sizes.size).toBe(1);
  });
});
