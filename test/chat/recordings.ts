/** The scenarios to record: what the user does, and what the scripted model answers. */

import { fileURLToPath } from "node:url";
import type { McpServerConfig } from "../../src/codex/arguments.ts";
import type { ModelScript } from "../../src/offline/model-server.ts";
import {
  applyPatch,
  exec,
  functionCall,
  message,
  type Part,
  type Reply,
  rawEvent,
  reasoning,
  reply,
  silence,
  updatePlan,
} from "../../src/offline/reply.ts";
import type { Recorded } from "./recorded.ts";

/** A scenario. */
export type Recording = {
  readonly model: ModelScript;
  readonly play: (server: Recorded) => Promise<void>;
  readonly files?: Readonly<Record<string, string>>;
  /** Files of `CODEX_HOME`. */
  readonly homeFiles?: Readonly<Record<string, string>>;
  readonly mcpServers?: (project: string) => Readonly<Record<string, McpServerConfig>>;
  /** More parameters for the start of the thread. */
  readonly thread?: object;
  /** The result of the editor's tool. */
  readonly tool?: (name: string) => string;
};

/** The same responses in the same order, whatever the request. */
function inOrder(...answers: readonly (readonly Part[])[]): ModelScript {
  let n = 0;
  return (): Reply => reply(...(answers[n++] ?? [message("(no more)")]));
}

/** An item that the endpoint itself created, such as a web search. */
function made(item: object): Part {
  return async function* (context) {
    yield* rawEvent({ type: "response.output_item.added", item })(context);
    yield* rawEvent({ type: "response.output_item.done", item })(context);
  };
}

const commentary = { phase: "commentary", pieces: 3 };
const answer = { phase: "final_answer", pieces: 4 };
const steps = ["Read the parser", "Mend the parser", "Run the tests"];
const plan = (done: number): Part =>
  updatePlan(
    steps.map((step, n) => ({
      step,
      status: n < done ? "completed" : n === done ? "in_progress" : "pending",
    })),
  );

/** A red picture of two by two pixels. */
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==";

/** By the name of the golden, which is a sentence. */
export const recordings: Readonly<Record<string, Recording>> = {
  "real-a-plan-that-is-checked-off-between-commentary-and-the-answer": {
    files: { "parser.txt": "one\ntwo\n" },
    model: inOrder(
      [
        reasoning("**Planning the work**\n\nFirst read, then fix.\n\nThen run the tests."),
        message("I read the parser first.", commentary),
        plan(0),
        exec("cat parser.txt"),
      ],
      [
        plan(1),
        applyPatch(
          "*** Begin Patch\n*** Update File: parser.txt\n@@\n one\n-two\n+three\n*** Add File: docs/notes.md\n+# Notes\n+\n+```\n+## You\n*** End Patch",
        ),
      ],
      [plan(2), exec("cd docs && cat notes.md; exit 3")],
      [plan(3)],
      [message("All three steps are done.\n\n```\nthree", answer)],
    ),
    play: (server) => server.turn("Mend the parser."),
  },
  "real-searches-of-the-web": {
    model: inOrder([
      made({
        type: "web_search_call",
        id: "ws_1",
        status: "completed",
        action: { type: "search", query: "commonmark fences" },
      }),
      made({
        type: "web_search_call",
        id: "ws_2",
        status: "completed",
        action: { type: "search", query: "a", queries: ["fences", "tilde `fences`"] },
      }),
      made({
        type: "web_search_call",
        id: "ws_3",
        status: "completed",
        action: { type: "open_page", url: "https://spec.commonmark.org/0.31.2/" },
      }),
      made({
        type: "web_search_call",
        id: "ws_4",
        status: "completed",
        action: {
          type: "find_in_page",
          url: "https://spec.commonmark.org/0.31.2/",
          pattern: "closing code fence",
        },
      }),
      message("A closing fence is as long as the opening one.", answer),
    ]),
    play: (server) => server.turn("How does a fence end?"),
  },
  "real-an-image-looked-at": {
    model: inOrder(
      [exec(`echo ${PICTURE} | base64 -d > shot.png`)],
      [functionCall("view_image", { path: "shot.png" })],
      [functionCall("view_image", { path: "missing.png" })],
      [message("It is a dot.", answer)],
    ),
    play: (server) => server.turn("What is in shot.png?"),
  },
  "real-tools-of-an-mcp-server-and-one-that-does-not-start": {
    mcpServers: () => ({
      tickets: {
        command: process.execPath,
        args: [fileURLToPath(new URL("./fixtures/mcp-server.mjs", import.meta.url))],
      },
      broken: { command: "/nowhere/at-all" },
    }),
    model: inOrder(
      [functionCall("find", { query: "parser", open: true }, "mcp__tickets")],
      [functionCall("close", { id: 12 }, "mcp__tickets")],
      [functionCall("nothing", {}, "mcp__tickets")],
      [message("One ticket is open.", answer)],
    ),
    play: (server) => server.turn("Which tickets are open?"),
  },
  "real-a-tool-of-the-editor": {
    thread: {
      dynamicTools: [
        {
          type: "function",
          name: "diagnostics",
          description: "What the editor complains about",
          inputSchema: { type: "object", properties: {} },
        },
      ],
    },
    tool: () => "src/parser.ts:3:1 unused variable\n```",
    model: inOrder(
      [functionCall("diagnostics", { path: "src/parser.ts" })],
      [message("One variable is unused.", answer)],
    ),
    play: (server) => server.turn("What does the editor say?"),
  },
  "real-a-conversation-that-is-compacted": {
    model: inOrder(
      [message("The parser is slow.", answer)],
      [message("Summary: the parser is slow.")],
      [message("Because it copies.", answer)],
    ),
    play: async (server) => {
      await server.turn("What is slow?");
      await server.request("thread/compact/start", { threadId: server.thread });
      await server.until("turn/completed");
      await server.turn("Why?");
    },
  },
  "real-a-review-with-a-finding": {
    files: { "parser.ts": "let a = 1;\nlet b = a;\n" },
    model: inOrder(
      [exec("cat parser.ts")],
      [
        message(
          JSON.stringify({
            findings: [
              {
                title: "[P2] b is never used",
                body: "Remove it.\n\n```\n## You",
                confidence_score: 0.9,
                priority: 2,
                code_location: {
                  absolute_file_path: "parser.ts",
                  line_range: { start: 2, end: 2 },
                },
              },
            ],
            overall_correctness: "patch is incorrect",
            overall_explanation: "It works, but for one thing.",
            overall_confidence_score: 0.8,
          }),
        ),
      ],
    ),
    play: async (server) => {
      await server.request("review/start", {
        threadId: server.thread,
        target: { type: "custom", instructions: "Look at parser.ts" },
        delivery: "inline",
      });
      await server.until("turn/completed");
    },
  },
  "real-hooks-that-speak-and-one-that-forbids": {
    homeFiles: {
      "hooks.json": JSON.stringify({
        hooks: {
          PreToolUse: [
            {
              hooks: [{ type: "command", command: "echo 'not today ```' >&2; exit 2" }],
            },
          ],
          Stop: [{ hooks: [{ type: "command", command: 'echo \'{"systemMessage":"bye"}\'' }] }],
        },
      }),
    },
    model: inOrder([exec("echo never")], [message("The hook forbids it.", answer)]),
    play: (server) => server.turn("Say never."),
  },
  "real-a-goal-that-is-reached": {
    model: inOrder(
      [functionCall("create_goal", { objective: "Make the tests pass.", token_budget: 50_000 })],
      [functionCall("update_goal", { status: "complete" })],
      [message("They pass.", answer)],
    ),
    play: (server) => server.turn("Make it your goal that the tests pass."),
  },
  "real-sub-agents-that-are-started-awaited-and-closed": {
    thread: { model: "scripted" },
    model: (() => {
      let agent = "";
      let n = 0;
      return (request) => {
        const said = request.lastUserText();
        if (said.includes("Count the files")) return reply(message("There are two files.", answer));
        agent = /"agent_id":\s*"([^"]+)"/.exec(request.outputsSinceUser().join("\n"))?.[1] ?? agent;
        const calls: readonly Part[] = [
          functionCall("spawn_agent", { message: "Count the files.\n\n## You" }, "multi_agent_v1"),
          functionCall("wait_agent", { targets: [agent], timeout_ms: 20_000 }, "multi_agent_v1"),
          functionCall("close_agent", { target: agent }, "multi_agent_v1"),
          message("The sub-agent found two files.", answer),
        ];
        return reply(calls[n++] ?? message("(no more)"));
      };
    })(),
    play: (server) => server.turn("Let another one do it."),
  },
  "real-a-plan-that-is-proposed-in-plan-mode": {
    model: inOrder([
      reasoning("Thinking about a plan without a title."),
      message(
        "Here is what I would do.\n\n<proposed_plan>\n# Mend the parser\n\n1. Read it.\n2. Mend it.\n\n```\n## You\n```\n</proposed_plan>\n",
        { pieces: 9 },
      ),
    ]),
    play: (server) =>
      server.turn("How would you fix the parser?", {
        collaborationMode: {
          mode: "plan",
          settings: { model: "gpt-5.5", reasoning_effort: null, developer_instructions: null },
        },
      }),
  },
  "real-a-terminal-that-is-typed-into-and-left-running": {
    model: (request, n) => {
      const session = /session ID (\d+)/i.exec(request.allOutputs().join("\n"))?.[1] ?? "0";
      const typed = functionCall("write_stdin", {
        session_id: Number(session),
        chars: "Ada\n",
        yield_time_ms: 1000,
      });
      const answers = [
        [
          functionCall("exec_command", {
            cmd: "read name; echo Hello $name; sleep 30",
            tty: true,
            yield_time_ms: 250,
          }),
        ],
        [typed],
        [message("It waits.", answer)],
      ];
      return reply(...(answers[n] ?? []));
    },
    play: async (server) => {
      await server.turn("Greet me.");
      await server.request("thread/backgroundTerminals/clean", { threadId: server.thread });
      await server.until("item/completed");
    },
  },
  "real-a-turn-steered-in-its-commentary-and-then-interrupted": {
    model: (_request, n) =>
      n === 0
        ? reply(message("I begin with the first file, and then ", commentary), silence())
        : reply(
            reasoning("**Changing course**\n\nThe other file then."),
            message("I look at the other file: ```", commentary),
            silence(),
          ),
    play: async (server) => {
      await server.say("Read the first file.");
      await server.until("item/completed", (text) => text.includes('"agentMessage"'));
      await server.say("No, the other one.", "steer");
      const turn = turnOf(server);
      await server.until("item/agentMessage/delta", (text) => text.includes("```"));
      await server.request("turn/interrupt", { threadId: server.thread, turnId: turn });
      await server.until("turn/completed");
    },
  },
};

function turnOf(server: Recorded): string {
  for (const event of server.events)
    if (event.type === undefined && event.method === "turn/started")
      return (event.params as { readonly turn: { readonly id: string } }).turn.id;
  throw new Error("no turn has started");
}
