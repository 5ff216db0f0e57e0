/** A plain client of the app-server that keeps every notification as it came. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LocalEvent } from "../../src/chat/event.ts";
import { appServerArgs, type McpServerConfig } from "../../src/codex/arguments.ts";
import { parseRequest } from "../../src/codex/server-requests/approval.ts";
import { toolResult } from "../../src/codex/server-requests/tool-call.ts";
import { findCodexPackage } from "../../src/sandbox/image/codex-package.ts";
import type { PromptEvent } from "./replay.ts";

type Message = {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
};

/** A notification as it came, or a local event. */
export type RawEvent =
  | { readonly type?: undefined; readonly method: string; readonly params: unknown }
  | LocalEvent
  | PromptEvent;

/** How an app-server is started for a recording. */
export type StartOptions = {
  readonly project: string;
  readonly home: string;
  readonly modelUrl: string;
  readonly recording: {
    readonly mcpServers?: (project: string) => Readonly<Record<string, McpServerConfig>>;
    readonly thread?: object;
    readonly tool?: (name: string) => string;
  };
};

/** Starts an app-server and a thread in it. */
export async function startRecorded(options: StartOptions): Promise<Recorded> {
  const found = await findCodexPackage(import.meta.url);
  if (!found.ok) throw new Error(found.error.message);
  const { project, home, modelUrl, recording } = options;
  const args = appServerArgs({
    modelBaseUrl: modelUrl,
    model: "gpt-5.5",
    streamIdleMs: 60_000,
    mcpServers: recording.mcpServers?.(project) ?? {},
  });
  const child = spawn(found.value.program, args, {
    cwd: project,
    env: { PATH: process.env["PATH"], HOME: home, CODEX_HOME: home },
  });
  const server = new Recorded(child, recording.tool);
  await server.request("initialize", {
    clientInfo: { name: "codex-chat.nvim", title: "", version: "0" },
    capabilities: { experimentalApi: true },
  });
  server.send({ method: "initialized" });
  await trustHooks(server, project, home);
  const { thread } = (await server.request("thread/start", {
    cwd: project,
    sandbox: "danger-full-access",
    approvalPolicy: "never",
    ...recording.thread,
  })) as { readonly thread: { readonly id: string } };
  server.thread = thread.id;
  server.events.push({ type: "thread", id: thread.id });
  return server;
}

/** Trusts the user's own hooks, as Codex asks its users to do in its terminal UI. */
async function trustHooks(server: Recorded, project: string, home: string): Promise<void> {
  type Listed = { readonly data: readonly { readonly hooks: readonly Hook[] }[] };
  type Hook = { readonly key: string; readonly currentHash: string };
  const { data } = (await server.request("hooks/list", { cwds: [project] })) as Listed;
  const trusted = data
    .flatMap(({ hooks }) => hooks)
    .map(({ key, currentHash }) => `[hooks.state."${key}"]\ntrusted_hash = "${currentHash}"\n`);
  if (trusted.length > 0) await writeFile(join(home, "config.toml"), trusted.join("\n"));
}

/** The app-server of one recording, and all of its notifications. */
export class Recorded {
  readonly events: RawEvent[] = [];
  thread = "";
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #tool: ((name: string) => string) | undefined;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #watchers = new Set<() => void>();
  #requests = 0;
  #prompts = 0;
  /** How many of `events` `until` has passed. */
  #seen = 0;

  constructor(child: ChildProcessWithoutNullStreams, tool?: (name: string) => string) {
    this.#child = child;
    this.#tool = tool;
    createInterface({ input: child.stdout }).on("line", (line) =>
      this.#receive(JSON.parse(line) as Message),
    );
    child.stderr.resume();
  }

  send(message: object): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async request(method: string, params: object): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#requests;
    const answer = new Promise<Message>((resolve) => this.#answers.set(id, resolve));
    this.send({ id, method, params });
    const { result, error } = await answer;
    if (result === undefined) throw new Error(`${method}: ${error?.message}`);
    return result;
  }

  /** Types a query and sends it: to a new turn, or to the running one. */
  async say(text: string, mode: "start" | "steer" = "start", params: object = {}): Promise<string> {
    const id = `user:${++this.#prompts}`;
    this.events.push({ type: "prompt", id, mode, text });
    const input = [{ type: "text", text, text_elements: [] }];
    const base = { threadId: this.thread, input, clientUserMessageId: id, ...params };
    const { turn } = (await this.request("turn/start", base)) as {
      readonly turn: { readonly id: string };
    };
    return turn.id;
  }

  /** Sends a query and waits for the turn's end. */
  async turn(text: string, params: object = {}): Promise<void> {
    await this.say(text, "start", params);
    await this.until("turn/completed");
  }

  /** Waits for the next notification whose method matches, and passes those before it. */
  async until(method: string, matches: (params: string) => boolean = () => true): Promise<void> {
    const isIt = (event: RawEvent): boolean =>
      event.type === undefined &&
      event.method === method &&
      about(event.params, this.thread) &&
      matches(JSON.stringify(event.params));
    for (;;) {
      while (this.#seen < this.events.length) {
        const event = this.events[this.#seen++];
        if (event !== undefined && isIt(event)) return;
      }
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no ${method} came`)), 60_000);
        const look = (): void => {
          clearTimeout(late);
          this.#watchers.delete(look);
          resolve();
        };
        this.#watchers.add(look);
      });
    }
  }

  async close(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.stdin.end();
    await exited;
  }

  #receive(message: Message): void {
    const { id, method, params } = message;
    if (method === undefined) this.#answers.get(Number(id))?.(message);
    else if (id === undefined) this.events.push({ method, params });
    else this.#answer(id, method, params);
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Answers as a user who accepts everything. */
  #answer(id: string | number, method: string, params: unknown): void {
    const request = parseRequest(id, method, params);
    switch (request.type) {
      case "approval": {
        const decision = "accept";
        const { approval } = request;
        this.events.push({ type: "approval_requested", approval });
        this.events.push({ type: "approval_resolved", id: approval.id, decision });
        this.send({ id, result: request.respond({ decision }) });
        break;
      }
      case "tool":
        this.send({
          id,
          result: toolResult({ ok: true, text: this.#tool?.(request.call.tool) ?? "" }),
        });
        break;
      case "answered":
        this.send({ id, result: request.result });
        break;
      default:
        this.send({ id, error: { code: request.code, message: request.message } });
    }
  }
}

function about(params: unknown, thread: string): boolean {
  return (
    typeof params !== "object" ||
    params === null ||
    !("threadId" in params) ||
    params.threadId === thread
  );
}
