import fc from "fast-check";
import type { Item } from "../../src/codex/messages/item.ts";
import type { ServerNotification } from "../../src/codex/messages/notification.ts";
import { type PromptEvent, root, type ScenarioEvent } from "./replay.ts";

const at = { threadId: "t1", turnId: "u1" };

/** Text that tries to break the document that it is written into. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("\n", "\n\n", " ", "word", "    ", "\t") },
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          ..."## You|## Codex|\n## You\n|# Codex|You\n---|```|````|~~~|`|``|> |- |1. |10) |<!--|<details>".split(
            "|",
          ),
          ..."<script>|<b|</p>|---|===|***|**Asks** to run `x`|**Ran** `x`|> **Error:** y|\\|[a]: b".split(
            "|",
          ),
          ..."[x]: /u|[1]:\n/u|[a|]: b|![p](https://e.example/)|![|![x]|[^1]: n|> ```|- ```|1. ~~~|\t```".split(
            "|",
          ),
          "> ".repeat(45),
          "- ".repeat(45),
          `\`${"a".repeat(4100)}\``,
          ..."-->|<!-- -->|</details>|<h2>You</h2>|&lt;|&#89;ou|## Y\u043eu|### You|> ## You|- ## Codex|<?|<![CDATA[".split(
            "|",
          ),
          ..."\r|\r\n|\u001b[31m|\u001b[2K|\u0000|\u202e|\u200b|\u2028|\ud83d|👍|é| | |---|".split(
            "|",
          ),
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
    ),
    { maxLength: 25 },
  )
  .map((parts) => parts.join(""));

/** Cuts `text` into pieces at the given positions. */
export function cut(text: string, places: readonly number[]): string[] {
  const ends = [...new Set(places.map((place) => place % (text.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [0, ...ends].map((start, index) => text.slice(start, ends[index] ?? text.length));
}

const places = fc.array(fc.nat(1000), { maxLength: 12 });

type Streamed = {
  readonly item: (id: string) => Item;
  readonly deltas: (id: string) => ServerNotification[];
  readonly begun: (id: string) => Item;
};

const message: fc.Arbitrary<Streamed> = fc.tuple(hostileText, places).map(([text, cuts]) => ({
  begun: (id) => ({ type: "agentMessage", id, text: "" }),
  deltas: (id) =>
    cut(text, cuts).map((delta) => ({
      method: "item/agentMessage/delta",
      params: { ...at, itemId: id, delta },
    })),
  item: (id) => ({ type: "agentMessage", id, text }),
}));

const reasoning: fc.Arbitrary<Streamed> = fc.tuple(hostileText, places).map(([text, cuts]) => ({
  begun: (id) => ({ type: "reasoning", id, summary: [], content: [] }),
  deltas: (id) =>
    cut(text, cuts).map((delta) => ({
      method: "item/reasoning/summaryTextDelta",
      params: { ...at, itemId: id, delta, summaryIndex: 0 },
    })),
  item: (id) => ({ type: "reasoning", id, summary: [text], content: [] }),
}));

const command: fc.Arbitrary<Streamed> = fc
  .tuple(hostileText, hostileText, places, fc.nat(20), fc.constantFrom(0, 1, -1))
  .map(([script, output, cuts, lost, exitCode]) => {
    const item = (id: string, done: boolean): Item => ({
      type: "commandExecution",
      id,
      command: `/bin/bash -lc '${script}'`,
      cwd: root,
      source: "agent",
      status: done ? "completed" : "inProgress",
      aggregatedOutput: done ? output : null,
      exitCode: done ? exitCode : null,
      durationMs: done ? 12 : null,
    });
    return {
      begun: (id) => item(id, false),
      // The first chunk of an output never comes as a delta.
      deltas: (id) =>
        cut(output.slice(lost), cuts).map((delta) => ({
          method: "item/commandExecution/outputDelta",
          params: { ...at, itemId: id, delta },
        })),
      item: (id) => item(id, true),
    };
  });

const patch: fc.Arbitrary<Streamed> = fc
  .tuple(hostileText, hostileText, fc.constantFrom("add", "delete", "update"))
  .map(([path, diff, type]) => {
    const kind = type === "update" ? ({ type, move_path: null } as const) : { type: type as "add" };
    const item = (id: string, status: string): Item => ({
      type: "fileChange",
      id,
      changes: [{ path, kind, diff }],
      status,
    });
    return {
      begun: (id) => item(id, "inProgress"),
      deltas: () => [],
      item: (id) => item(id, "completed"),
    };
  });

const step: fc.Arbitrary<Streamed> = hostileText.chain((text) =>
  fc
    .constantFrom<(id: string) => Item>(
      (id) => ({ type: "unknown", id, kind: text, text }),
      (id) => ({ type: "exitedReviewMode", id, review: text }),
      (id) => ({ type: "webSearch", id, query: text }),
      (id) => ({ type: "webSearch", id, query: "", action: { type: "openPage", url: text } }),
      (id) => ({ type: "enteredReviewMode", id, review: text }),
      (id) => ({ type: "imageView", id, path: text }),
      (id) => ({
        type: "imageGeneration",
        id,
        status: "completed",
        revisedPrompt: text,
        savedPath: text,
      }),
      (id) => ({ type: "subAgentActivity", id, kind: text, agentPath: text }),
      (id) => ({
        type: "dynamicToolCall",
        id,
        namespace: text,
        tool: text,
        status: "failed",
        arguments: text,
        contentItems: [{ type: "inputText", text }],
      }),
      (id) => ({ type: "hookPrompt", id, fragments: [{ text }, { text }] }),
      (id) => ({ type: "functionCallOutput", id, name: text, output: text }),
      (id) => ({
        type: "mcpToolCall",
        id,
        server: text,
        tool: text,
        status: "completed",
        arguments: { [text]: text },
        result: { content: [{ type: "text", text }], structuredContent: null },
      }),
      (id) => ({
        type: "collabAgentToolCall",
        id,
        tool: text,
        status: "completed",
        receiverThreadIds: [],
        prompt: text,
        agentsStates: { [text]: { status: text, message: text }, t2: { status: text } },
      }),
    )
    .map((item) => ({ begun: item, deltas: () => [], item })),
);

const streamed = fc.oneof(message, reasoning, command, patch, step);

const started = (item: Item): ServerNotification => ({
  method: "item/started",
  params: { ...at, item },
});
const completed = (item: Item): ServerNotification => ({
  method: "item/completed",
  params: { ...at, item },
});

/** The end of a turn. */
export const turnCompleted = (status = "completed"): ServerNotification => ({
  method: "turn/completed",
  params: { threadId: "t1", turn: { id: "u1", status, error: null } },
});

/** The query that starts a scenario. */
export const firstPrompt: PromptEvent = {
  type: "prompt",
  id: "user:1",
  mode: "start",
  text: "Go.",
};

/** A sequence of items: once as they stream, and once each completed item alone. */
export const sequentialItems = fc.array(streamed, { maxLength: 6 }).map((items) => ({
  streams: items.flatMap((item, index) => [
    started(item.begun(`i${index}`)),
    ...item.deltas(`i${index}`),
    completed(item.item(`i${index}`)),
  ]),
  wholes: items.flatMap((item, index) => [
    started(item.begun(`i${index}`)),
    completed(item.item(`i${index}`)),
  ]),
}));

/** One or two items that start, perhaps stream, and perhaps end; `ended` if all of them do. */
export const hostileItems: fc.Arbitrary<{ events: ScenarioEvent[]; ended: boolean }> = fc
  .array(fc.tuple(streamed, fc.boolean()), { minLength: 1, maxLength: 2 })
  .map((items) => ({
    ended: items.every(([, ends]) => ends),
    events: items.flatMap(([item, ends], index): ScenarioEvent[] => [
      started(item.begun(`i${index}`)),
      ...item.deltas(`i${index}`),
      ...(ends ? [completed(item.item(`i${index}`))] : []),
    ]),
  }));

/** Rare or out-of-order events of an item that has other events as well. */
function oddEvents([text, n, index]: [string, number, number]): ScenarioEvent[] {
  const inItem = { ...at, itemId: `i${n}` };
  const run = { id: text, eventName: text, sourcePath: text, status: text, entries: [] };
  const said = { type: "userMessage", id: text, content: [{ type: "text", text }, { type: text }] };
  const kind = { type: "add" } as const;
  return [
    { method: "item/agentMessage/delta", params: { ...inItem, delta: text } },
    {
      method: "item/reasoning/summaryTextDelta",
      params: { ...inItem, delta: text, summaryIndex: index },
    },
    { method: "item/reasoning/textDelta", params: { ...inItem, delta: text, contentIndex: index } },
    { method: "item/commandExecution/outputDelta", params: { ...inItem, delta: text } },
    {
      method: "item/fileChange/patchUpdated",
      params: { ...inItem, changes: [{ path: text, kind, diff: text }] },
    },
    {
      method: "item/commandExecution/terminalInteraction",
      params: { ...inItem, processId: "1", stdin: text },
    },
    { method: "hook/started", params: { threadId: "t1", run } },
    {
      method: "hook/completed",
      params: { threadId: "t1", run: { ...run, entries: [{ kind: text, text }] } },
    },
    started(said as Item),
    started({
      type: "agentMessage",
      id: `i${n}`,
      text,
      questions: [{ title: text, options: [text, "Yes"] }],
    }),
  ].filter((_, which) => (text.length + which) % 3 !== index) as ScenarioEvent[];
}

/** Anything Codex and the user may do, in any order: items that overlap, never start or never end. */
export const anyEvents: fc.Arbitrary<ScenarioEvent[]> = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .tuple(streamed, fc.nat(5), fc.nat(7))
          .map(([item, id, parts]): ScenarioEvent[] => [
            ...(parts & 1 ? [started(item.begun(`i${id}`))] : []),
            ...(parts & 2 ? item.deltas(`i${id}`) : []),
            ...(parts & 4 ? [completed(item.item(`i${id}`))] : []),
          ]),
      },
      {
        weight: 3,
        arbitrary: fc
          .tuple(
            hostileText,
            fc.nat(5),
            fc.constantFrom("accept", "accept_session", "decline", "cancel"),
          )
          .map(([reason, id, decision]): ScenarioEvent[] => [
            {
              type: "approval_requested",
              approval: {
                kind: id % 2 ? "patch" : "command",
                id: `n${id}`,
                itemId: `i${id}`,
                reason,
              },
            },
            { type: "approval_resolved", id: `n${id ^ 1}`, decision, reason },
          ]),
      },
      {
        weight: 2,
        arbitrary: hostileText.map((text): ScenarioEvent[] => [
          { type: "note", text },
          { type: "network_refused", host: text, port: 443, reason: text },
          { type: "silence", of: "model", ms: 60_000 },
          { type: "silence", of: "codex", ms: 60_000 },
          {
            type: "agent_patch",
            id: text,
            changes: [{ path: text, kind: { type: "add" }, diff: text }],
            status: text,
          },
          {
            type: "patch_edited",
            id: `${text}.`,
            changes: [{ path: text, kind: { type: "update", move_path: text }, diff: text }],
          },
          {
            type: "call_failed",
            call: {
              id: text,
              kind: (["patch", "command", "tool"] as const)[text.length % 3] ?? "tool",
              name: text,
              files: [text, "a", text, "b", text],
              patch: text,
              reason: text,
            },
            byAgent: text.length % 2 === 0,
          },
          {
            type: "host_runs",
            between: text.length % 2 === 0,
            groups: [
              { runs: "make runs it", files: [{ path: text, change: "created", parts: [] }] },
              {
                runs: "npm runs it",
                files: Array(5).fill({
                  path: text,
                  change: "changed",
                  parts: Array(5).fill({ kind: "script", name: text }),
                  to: text,
                }),
              },
            ].slice(text.length % 3 === 0 ? 1 : 0),
          },
          { method: "warning", params: { threadId: null, message: text } },
          {
            method: "turn/plan/updated",
            params: { ...at, explanation: text, plan: [{ step: text, status: "inProgress" }] },
          },
          {
            method: "error",
            params: { ...at, error: { message: text, codexErrorInfo: "other" }, willRetry: true },
          },
        ]),
      },
      { weight: 2, arbitrary: fc.tuple(hostileText, fc.nat(5), fc.nat(1)).map(oddEvents) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(hostileText, fc.constantFrom("completed", "interrupted", "failed"))
          .map(([message, status]): ScenarioEvent[] => [
            {
              method: "turn/completed",
              params: {
                threadId: "t1",
                turn: {
                  id: "u1",
                  status,
                  error: status === "failed" ? { message, codexErrorInfo: null } : null,
                },
              },
            },
          ]),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(hostileText, fc.constantFrom("start" as const, "steer" as const, "queue" as const))
          .map(([text, mode]): ScenarioEvent[] => [
            { type: "prompt", id: "?", mode, text: text.replace(/[\r\u2028]/g, "") },
          ]),
      },
    ),
    { maxLength: 12 },
  )
  .map((groups) => {
    let users = 1;
    return groups.flat().flatMap((event): ScenarioEvent[] => {
      if (!("type" in event) || event.type !== "prompt") return [event];
      users += 1;
      const id = `user:${users}`;
      const taken: Item = { type: "userMessage", id: `m${users}`, clientId: id, content: [] };
      return event.mode === "steer" ? [{ ...event, id }, started(taken)] : [{ ...event, id }];
    });
  });
