/** The real app-server over its stdio, run on this machine, with our client, our arguments and a scripted model. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { appServerArgs } from "../../src/codex/arguments.ts";
import { type CodexClient, openCodexClient } from "../../src/codex/client.ts";
import type { ParamsOf } from "../../src/codex/client-methods.ts";
import type { Item } from "../../src/codex/messages/item.ts";
import type { ServerNotification } from "../../src/codex/messages/notification.ts";
import type { Approval, Decision } from "../../src/codex/server-requests/server-request.ts";
import { silentLog } from "../../src/log.ts";
import { findCodexPackage } from "../../src/sandbox/image/codex-package.ts";

/** How long an event may take; a turn takes some 200 ms. */
const WAIT = { timeout: 30_000, interval: 10 } as const;

/** The program that goes into the image, without the npm package's start script. */
export const program = await findProgram();

async function findProgram(): Promise<string> {
  const found = await findCodexPackage(import.meta.url);
  if (!found.ok) throw new Error(found.error.message);
  return found.value.program;
}

type Method = ServerNotification["method"];
type NotificationOf<M extends Method> = Extract<ServerNotification, { method: M }>;

/** A home for Codex and a project, both removed with everything in them. */
export class CodexHome implements AsyncDisposable {
  readonly path: string;
  readonly project: string;

  private constructor(base: string) {
    this.path = join(base, "codex-home");
    this.project = join(base, "project");
  }

  /** Creates both, empty. */
  static async make(): Promise<CodexHome> {
    const home = new CodexHome(await realpath(await mkdtemp(join(tmpdir(), "codex-chat-codex-"))));
    await mkdir(home.path);
    await mkdir(home.project);
    return home;
  }

  /** Writes `config.toml`, as a program inside could. */
  async writeConfig(lines: readonly string[]): Promise<void> {
    await writeFile(join(this.path, "config.toml"), lines.map((line) => `${line}\n`).join(""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(join(this.path, ".."), { recursive: true, force: true, maxRetries: 10 });
  }
}

/** What an app-server is started with. */
export type AppServerOptions = {
  readonly home: CodexHome;
  readonly model: { readonly url: string };
  readonly terminals?: boolean;
  /** Answers approvals; by default "accept". */
  readonly decide?: (approval: Approval) => Decision | Promise<Decision>;
  readonly env?: Readonly<Record<string, string>>;
  /** Added after our own arguments. */
  readonly args?: readonly string[];
};

/** A running app-server and our client of it. */
export class AppServer implements AsyncDisposable {
  readonly client: CodexClient;
  /** All notifications, in order. */
  readonly told: ServerNotification[] = [];
  /** All questions, in order. */
  readonly asked: { readonly threadId: string; readonly approval: Approval }[] = [];
  /** The notes for the user about requests that were answered without asking. */
  readonly notes: string[] = [];
  readonly process: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  readonly #home: CodexHome;
  #stderr = "";

  private constructor(process: ChildProcessWithoutNullStreams, options: AppServerOptions) {
    this.process = process;
    this.#home = options.home;
    this.#exited = once(process, "exit");
    process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    this.client = openCodexClient({
      readable: process.stdout,
      writable: process.stdin,
      onNotification: (notification) => this.told.push(notification),
      onNote: (_, note) => this.notes.push(note),
      onApproval: async (threadId, approval) => {
        this.asked.push({ threadId, approval });
        return { decision: (await options.decide?.(approval)) ?? "accept" };
      },
      log: silentLog,
      requestTimeoutMs: WAIT.timeout,
    });
  }

  /** Starts one and completes the handshake. */
  static async start(options: AppServerOptions): Promise<AppServer> {
    const server = AppServer.spawn(options);
    const hello = await server.client.initialize({
      name: "codex-chat.nvim",
      title: "",
      version: "0",
    });
    if (!hello.ok) throw new Error(`${hello.error.message} ${server.stderr}`);
    return server;
  }

  /** Starts one without a handshake. */
  static spawn(options: AppServerOptions): AppServer {
    const { home, model, args = [], env } = options;
    const ours = appServerArgs({
      modelBaseUrl: model.url,
      model: "gpt-5.5",
      streamIdleMs: 60_000,
      terminals: options.terminals,
    });
    const child = spawn(program, [...ours, ...args], {
      cwd: home.project,
      // Nothing from this machine's user: no key, no configuration.
      env: { PATH: process.env["PATH"], HOME: home.path, CODEX_HOME: home.path, ...env },
    });
    return new AppServer(child, options);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The exit code; null if a signal ended it. */
  async exitCode(): Promise<number | null> {
    await this.#exited;
    return this.process.exitCode;
  }

  /** Ends it as a crash does. */
  kill(): void {
    this.process.kill("SIGKILL");
  }

  /** Starts a thread as the plugin does, and returns its id. */
  async startThread(
    approvalPolicy: ParamsOf<"thread/start">["approvalPolicy"] = "never",
  ): Promise<string> {
    const started = await this.client.request("thread/start", {
      cwd: this.#home.project,
      sandbox: "danger-full-access",
      approvalPolicy,
    });
    if (!started.ok) throw new Error(started.error.message);
    return started.value.thread.id;
  }

  /** Starts a turn and returns its id. */
  async startTurn(threadId: string, text: string): Promise<string> {
    const started = await this.client.request("turn/start", {
      threadId,
      input: [{ type: "text", text, text_elements: [] }],
      clientUserMessageId: `user:${text}`,
    });
    if (!started.ok) throw new Error(started.error.message);
    return started.value.turn.id;
  }

  /** Runs a whole turn and returns its end. */
  async turn(threadId: string, text: string) {
    const turnId = await this.startTurn(threadId, text);
    return this.turnEnd(turnId);
  }

  /** Waits for the end of a turn. */
  async turnEnd(turnId: string): Promise<NotificationOf<"turn/completed">["params"]["turn"]> {
    const ended = await this.until("turn/completed", ({ params }) => params.turn.id === turnId);
    return ended.params.turn;
  }

  /** Waits for a notification, or returns one that has come already. */
  async until<M extends Method>(
    method: M,
    matches: (notification: NotificationOf<M>) => boolean = () => true,
  ): Promise<NotificationOf<M>> {
    const find = () => this.all(method).find(matches);
    await expect.poll(find, { ...WAIT, message: `no ${method}` }).toBeDefined();
    return find() as NotificationOf<M>;
  }

  /** All notifications of a method so far. */
  all<M extends Method>(method: M): NotificationOf<M>[] {
    return this.told.filter(
      (notification): notification is NotificationOf<M> => notification.method === method,
    );
  }

  /** Completed items of a kind, in order. */
  items<T extends Item["type"]>(type: T): Extract<Item, { type: T }>[] {
    return this.all("item/completed")
      .map(({ params }) => params.item)
      .filter((item): item is Extract<Item, { type: T }> => item.type === type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    const kill = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(kill);
  }
}
