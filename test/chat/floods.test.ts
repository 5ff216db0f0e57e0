import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coalesce } from "../../src/chat/edits/coalesce.ts";
import type { Edit } from "../../src/chat/edits/edits.ts";
import type { ChatEvent } from "../../src/chat/event.ts";
import { whyNotAsked } from "../../src/chat/items/asked.ts";
import {
  maxPatchFiles,
  maxProseLine,
  maxTurnBlocks,
  maxTurnChars,
  shareOf,
} from "../../src/chat/limits.ts";
import { reduce } from "../../src/chat/reducer/reduce.ts";
import { type ChatState, initialState } from "../../src/chat/state.ts";
import { parseNotification } from "../../src/codex/messages/notification.ts";
import type { Approval } from "../../src/codex/server-requests/server-request.ts";
import { applyEdits, documentOf, documentText } from "../support/document-model.ts";

const root = "/home/ada/engine";
const say = (method: string, params: object): ChatEvent =>
  parseNotification(method, { threadId: "t1", turnId: "u1", ...params });
const begin: ChatEvent = { type: "sent", id: "user:1", mode: "start" };
const end = say("turn/completed", { turn: { id: "u1", status: "completed" } });
const command = (n: number) => ({
  ...{ type: "commandExecution", id: `c${n}`, command: `ls ${n}`, cwd: root },
  ...{ status: "completed", aggregatedOutput: "one\ntwo\n", exitCode: 0, durationMs: 5 },
});
const message = (n: number, text: string) => ({ type: "agentMessage", id: `m${n}`, text });

/** The effect of events: how much was added to the text, and the last note about what was left out. */
function outcome(events: Iterable<ChatEvent>, state: ChatState = initialState({ root })) {
  let [blocks, chars, marks] = [0, 0, 0];
  let told = "";
  let longest = 0;
  let now = state;
  for (const event of events) {
    const step = reduce(now, event);
    now = step.state;
    for (const edit of step.edits) {
      const lines = linesOf(edit);
      if (edit.op === "insert") blocks += 1;
      if (edit.op === "mark") marks += 1;
      for (const line of lines) {
        chars += line.length + 1;
        if (line.length > longest) longest = line.length;
        if (line.includes(" left out")) told = line;
      }
    }
  }
  return { state: now, blocks, chars, marks, told, longest };
}

function linesOf(edit: Edit): readonly string[] {
  if (edit.op === "append") return edit.text.split("\n");
  return edit.op === "insert" || edit.op === "replace" ? edit.lines : [];
}

function* times(count: number, make: (n: number) => ChatEvent): Generator<ChatEvent> {
  for (let n = 0; n < count; n += 1) yield make(n);
}

/** Floods, each of any number of events. */
const FLOODS: Readonly<Record<string, (n: number) => ChatEvent>> = {
  warnings: (n) => say("warning", { message: `warning ${n}` }),
  commands: (n) => say("item/completed", { item: command(n) }),
  messages: (n) => say("item/completed", { item: message(n, `message ${n}`) }),
  "messages that begin": (n) => say("item/started", { item: message(n, `message ${n}`) }),
  "words of ever other messages": (n) =>
    say("item/agentMessage/delta", { itemId: `m${n % 10_000}`, delta: "word " }),
  "output of ever other commands": (n) =>
    say("item/commandExecution/outputDelta", { itemId: `c${n}`, delta: "one\n" }),
  "lines of one message": (n) =>
    say("item/agentMessage/delta", { itemId: "m", delta: `${"x".repeat(1000)} ${n}\n` }),
  thoughts: (n) =>
    say("item/reasoning/summaryTextDelta", {
      itemId: "r",
      summaryIndex: n,
      delta: "thought ".repeat(20),
    }),
  plans: (n) =>
    say("turn/plan/updated", {
      plan: Array(40).fill({ step: `${n} ${"s".repeat(290)}`, status: "" }),
    }),
  "keys typed into a command": (n) =>
    say("item/commandExecution/terminalInteraction", { itemId: `c${n}`, stdin: "x" }),
  files: (n) =>
    say("item/completed", {
      item: {
        ...{ type: "fileChange", id: `p${n}`, status: "completed" },
        changes: [{ path: `/f${n}`, kind: { type: "add" }, diff: "x\n" }],
      },
    }),
  tools: (n) =>
    say("item/completed", {
      item: { type: "dynamicToolCall", id: `d${n}`, tool: "t", status: "completed" },
    }),
  hooks: (n) =>
    say("hook/completed", { run: { id: `${n}`, eventName: "stop", status: "completed" } }),
  reviews: (n) =>
    say("item/autoApprovalReview/completed", { reviewId: `${n}`, review: { status: "approved" } }),
  goals: (n) => say("thread/goal/updated", { goal: { objective: `${n}`, status: "active" } }),
  "failures of ever other turns": (n) =>
    say("turn/completed", { turn: { id: `u${n}`, status: "failed", error: { message: `${n}` } } }),
  "turns that are interrupted": (n) =>
    say("turn/completed", { turn: { id: `u${n}`, status: "interrupted" } }),
  "queries from elsewhere": (n) =>
    say("item/completed", {
      item: { type: "userMessage", id: `q${n}`, clientId: `x${n}`, content: [] },
    }),
  questions: (n) => ({
    type: "approval_requested",
    approval: { kind: "command", id: `n${n}`, itemId: `i${n}`, command: "ls" },
  }),
  "notes that Codex is the cause of": (n) => ({ type: "note", text: `note ${n}`, byCodex: true }),
};

/** More than there is room for. */
function countOf(name: string): number {
  if (name === "plans") return 4000;
  return name.includes("turns") ? 36_000 : 26_000;
}

describe("a flood", () => {
  it.each(Object.entries(FLOODS))("of %s leaves a bounded text that says so", (name, make) => {
    const { blocks, chars, told, state } = outcome([begin, ...times(countOf(name), make), end]);
    expect(blocks).toBeLessThanOrEqual(maxTurnBlocks * shareOf.end + 100);
    expect(chars).toBeLessThanOrEqual(maxTurnChars * shareOf.end * 1.2);
    expect(told).toMatch(/\d (?:more|declined) .*left out/);
    expect(state.items.size).toBeLessThanOrEqual(100);
  });

  it("of any kinds in any order is bounded, and cannot begin its count anew", () => {
    const kinds = fc.array(
      fc.constantFrom(...Object.keys(FLOODS).filter((name) => name !== "plans")),
      { minLength: 2, maxLength: 3 },
    );
    fc.assert(
      fc.property(kinds, (names) => {
        const events = names.flatMap((name, at) => {
          const make = FLOODS[name] ?? (() => end);
          const turn = { turn: { id: `v${at}`, status: "inProgress" } };
          const of = (n: number) => make(n + at * 100_000);
          return [...times(9000, of), end, say("turn/started", turn)];
        });
        const { blocks, chars } = outcome([begin, ...events, end]);
        expect(blocks).toBeLessThanOrEqual(maxTurnBlocks * shareOf.end + 100);
        expect(chars).toBeLessThanOrEqual(maxTurnChars * shareOf.end * 1.2);
      }),
      { numRuns: 2 },
    );
  });

  it("leaves room for the answer, the end and what the user asks next", () => {
    const flooded = outcome([
      begin,
      ...times(30_000, (n) => say("item/completed", { item: command(n) })),
    ]);
    const answer = message(1, "The answer.\n\n```\ncode");
    const { state, edits } = reduce(flooded.state, say("item/completed", { item: answer }));
    expect(edits.flatMap(linesOf)).toContain("The answer.");
    const ended = outcome([end], state);
    expect(ended.told).toMatch(/^> \*\*Note:\*\* 25,000 more steps left out: /);
    const next = outcome(
      [
        { ...begin, id: "user:2" },
        ...times(10, (n) => say("item/completed", { item: command(n) })),
      ],
      ended.state,
    );
    expect([next.blocks, next.state.spent.omitted.steps]).toEqual([1 + 10 * 4, 0]);
  });

  it("closes what it cuts off", () => {
    const line = (n: number) =>
      say("item/agentMessage/delta", { itemId: "m", delta: `line ${n}\n` });
    const events: ChatEvent[] = [
      say("item/agentMessage/delta", { itemId: "m", delta: "```js\n" }),
      ...times(120_000, line),
      end,
      { type: "note", text: "After." },
    ];
    let state = initialState({ root });
    const edits: Edit[] = [];
    for (const event of events) {
      const step = reduce(state, event);
      state = step.state;
      edits.push(...step.edits);
    }
    expect(state.items.size).toBe(0);
    const lines = documentText(applyEdits(documentOf("## You\n"), coalesce(edits))).split("\n");
    expect(lines.filter((row) => row.startsWith("```"))).toEqual(["```js", "```"]);
    const left = lines.findIndex((row) => / more characters of this left out …$/.test(row));
    expect(left).toBeGreaterThan(lines.lastIndexOf("```"));
  });

  it("of megabytes in one line is broken into lines, and says so", () => {
    const delta = "word ".repeat(200_000);
    const events = times(3, () => say("item/agentMessage/delta", { itemId: "m", delta }));
    const { longest, state } = outcome([begin, ...events, end]);
    expect(longest).toBeLessThanOrEqual(3 * 1_000_000);
    expect(state.shownNotices).toContain(
      "lines of more than 20,000 characters, or of 5,000 columns with tabs or wide letters, are broken into several here.",
    );
    const shown = outcome([begin, say("item/completed", { item: message(1, delta) }), end]);
    expect(shown.longest).toBeLessThanOrEqual(maxProseLine);
  });
});

describe("large but ordinary content", () => {
  it("is shown in full, as an answer of two megabytes", () => {
    const text = Array.from({ length: 40_000 }, (_, n) => `${n}: ${"words ".repeat(7)}`)
      .join("\n\n")
      .slice(0, 2_000_000)
      .trimEnd();
    const pieces = text.match(/[\s\S]{1,1000}/g) ?? [];
    const { edits } = [
      begin,
      ...pieces.map((delta) => say("item/agentMessage/delta", { itemId: "m1", delta })),
      say("item/completed", { item: message(1, text) }),
      end,
    ].reduce<{ state: ChatState; edits: Edit[] }>(
      (so, event) => {
        const step = reduce(so.state, event);
        so.edits.push(...step.edits);
        return { state: step.state, edits: so.edits };
      },
      { state: initialState({ root }), edits: [] },
    );
    const shown = edits
      .map((edit) =>
        edit.op === "append"
          ? edit.text
          : edit.op === "insert" && edit.lines[0] !== "## Codex"
            ? edit.lines.join("\n")
            : "",
      )
      .join("");
    expect(shown).toBe(text);
  });

  it.each([
    [
      "four thousand commands",
      () => times(4000, (n) => say("item/completed", { item: command(n) })),
    ],
    ["fifty warnings", () => times(50, (n) => say("warning", { message: `w${n}` }))],
    [
      "a patch of 200 files",
      () =>
        times(1, () =>
          say("item/completed", {
            item: {
              type: "fileChange",
              id: "p",
              status: "completed",
              changes: Array.from({ length: 200 }, (_, n) => ({
                path: `/f${n}`,
                kind: { type: "add" },
                diff: "x\n",
              })),
            },
          }),
        ),
    ],
    ["50 questions at a time", () => times(50, FLOODS["questions"] ?? (() => end))],
    [
      "a plan that is updated a thousand times",
      () => times(1000, (n) => say("turn/plan/updated", { plan: [{ step: `${n}`, status: "" }] })),
    ],
  ])("is shown in full, as %s", (_, events) => {
    expect(outcome([begin, ...events(), end]).told).toBe("");
  });
});

describe("a question", () => {
  const ask = (command: string): Approval => ({ kind: "command", id: "n1", itemId: "c", command });
  const state = initialState({ root });

  it("of ordinary length is asked, and shown in full", () => {
    const approval = ask(`cat > a.txt <<'EOF'\n${"a line of the file\n".repeat(5000)}EOF`);
    expect(whyNotAsked(state, approval)).toBeUndefined();
    const { edits } = reduce(state, { type: "approval_requested", approval });
    expect(edits.flatMap(linesOf).filter((line) => line === "a line of the file")).toHaveLength(
      5000,
    );
  });

  it("that cannot be shown whole is not asked", () => {
    expect(whyNotAsked(state, ask("x".repeat(2_000_000)))).toEqual({
      kind: "long",
      why: "it has 2,000,054 characters, more than a question may show.",
    });
  });

  it("about a patch of more files than are shown is not asked", () => {
    const changes = Array.from({ length: maxPatchFiles + 1 }, (_, n) => ({
      ...{ path: `/f${n}`, kind: { type: "add" }, diff: "x\n" },
    }));
    const item = { type: "fileChange", id: "p", status: "inProgress", changes };
    const begun = outcome([begin, say("item/started", { item })]).state;
    const patch: Approval = { kind: "patch", id: "n1", itemId: "p" };
    expect(whyNotAsked(begun, patch)).toMatchObject({ kind: "long" });
    const shorter = { ...item, id: "q", changes: changes.slice(1) };
    const other = outcome([begin, say("item/started", { item: shorter })]).state;
    expect(whyNotAsked(other, { ...patch, itemId: "q" })).toBeUndefined();
  });

  it("is not asked after a thousand others for one query, and is asked again for the next", () => {
    const many = outcome([begin, ...times(1000, FLOODS["questions"] ?? (() => end))]).state;
    expect(whyNotAsked(many, ask("ls"))).toEqual({ kind: "many" });
    const next = outcome([{ ...begin, id: "user:2" }], many).state;
    expect(whyNotAsked(next, ask("ls"))).toBeUndefined();
  });

  it("shows a line of any length, in parts that the editor can hold", () => {
    const approval = ask("x".repeat(50_000));
    const { edits } = reduce(state, { type: "approval_requested", approval });
    const body = edits
      .flatMap(linesOf)
      .filter((line) => line.includes("xxxxx") && !line.includes("`"));
    expect(body.map((line) => line.replace(/[^x]/g, "").length)).toEqual([19_998, 20_000, 10_002]);
  });
});
