import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod";
import { silentLog } from "../../src/log.ts";
import { quietClient } from "../../src/nvim/quiet-client.ts";
import { err, ok, type Result } from "../../src/result.ts";

/** How long Neovim and the host may take to end, and a stopped turn to end. */
const END_MS = 20_000;

/** The options of a run without a terminal. */
export type HeadlessOptions = {
  readonly nvim: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly questions: readonly string[];
  readonly timeoutMs: number;
  readonly progress: (line: string) => void;
};

const TurnEnd = z.object({
  status: z.string(),
  failure: z.object({ message: z.string(), fix: z.string().optional() }).optional(),
});
const Asked = z.object({ title: z.string() });

/** The result: the conversation's file, and why it stopped early, if it did. */
export type HeadlessEnd = { readonly markdown: string; readonly failure: string | undefined };

/**
 * Asks the questions as a user would, in a real Neovim: opens the chat, types, presses Enter, and
 * waits for the turn to end. The conversation is read from its file after everything has ended.
 */
export async function runHeadless(options: HeadlessOptions): Promise<HeadlessEnd> {
  const child = spawn(options.nvim, ["--embed", "--headless", ...options.args], {
    cwd: options.cwd,
    env: options.env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const nvim = quietClient(silentLog);
  nvim.attach({ reader: child.stdout, writer: child.stdin });
  const events = new EventQueue();
  nvim.on("notification", (name: string, args: unknown[]) => events.push(name, args[0]));
  const driver = new Driver(nvim, events, options);
  try {
    await driver.open();
    for (const question of options.questions) {
      const end = await driver.ask(question);
      if (!end.ok) return { failure: end.error, markdown: await driver.finish(exited) };
    }
    return { failure: undefined, markdown: await driver.finish(exited) };
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  }
}

type Client = ReturnType<typeof quietClient>;

class Driver {
  readonly #nvim: Client;
  readonly #events: EventQueue;
  readonly #options: HeadlessOptions;

  constructor(nvim: Client, events: EventQueue, options: HeadlessOptions) {
    this.#nvim = nvim;
    this.#events = events;
    this.#options = options;
  }

  async open(): Promise<void> {
    const [channel] = (await this.#nvim.request("nvim_get_api_info", [])) as [number];
    await this.#lua(
      `local channel = ...
       vim.notify = function(message) vim.rpcnotify(channel, "notify", message) end
       for _, name in ipairs({ "TurnEnded", "ApprovalRequested" }) do
         vim.api.nvim_create_autocmd("User", { pattern = "CodexChat" .. name, callback = function(event)
           vim.rpcnotify(channel, name, event.data or vim.empty_dict())
         end })
       end
       vim.cmd("CodexChat")`,
      [channel],
    );
  }

  /** Types the question into the prompt and sends it. The error is one sentence. */
  async ask(question: string): Promise<Result<void, string>> {
    this.#options.progress(`asking: ${question.split("\n")[0]}`);
    await this.#nvim.request("nvim_paste", [question, false, -1]);
    await this.#nvim.request("nvim_input", ["<Esc><CR>"]);
    const end = await this.#turnEnd(this.#options.timeoutMs);
    if (end === undefined) {
      await this.#nvim.request("nvim_command", ["CodexChat stop"]);
      await this.#turnEnd(END_MS);
      return err(
        `The turn did not end within ${this.#options.timeoutMs / 1000} s, and was stopped.`,
      );
    }
    if (end.status === "completed") return ok();
    const { message, fix } = end.failure ?? { message: `The turn ended as ${end.status}.` };
    return err([message, fix].filter(Boolean).join(" "));
  }

  /** Leaves Neovim, waits for the host, and reads the conversation's file. */
  async finish(exited: Promise<unknown>): Promise<string> {
    const [path, host] = (await this.#lua(
      `return { vim.api.nvim_buf_get_name(0), require("codex-chat.host").pid() or 0 }`,
      [],
    )) as [string, number];
    void this.#nvim.request("nvim_command", ["qall!"]).catch(() => {});
    await Promise.race([exited, pause(END_MS, undefined, { ref: false })]);
    const deadline = Date.now() + END_MS;
    while (host > 0 && existsSync(`/proc/${host}`) && Date.now() < deadline) await pause(50);
    return readFile(path, "utf8");
  }

  async #turnEnd(timeoutMs: number): Promise<z.infer<typeof TurnEnd> | undefined> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const event = await this.#events.next(deadline - Date.now());
      if (event === undefined) return undefined;
      if (event.name === "TurnEnded") return TurnEnd.parse(event.data);
      if (event.name === "notify") this.#options.progress(String(event.data));
      if (event.name === "ApprovalRequested") await this.#decline(Asked.parse(event.data));
    }
  }

  /** Nobody is there to answer, and an answer that nobody gave must not be yes, so it declines. */
  async #decline({ title }: z.infer<typeof Asked>): Promise<void> {
    this.#options.progress(`declined, because nobody is here to answer: ${title}`);
    await this.#lua(`require("codex-chat.approval").answer("decline", "")`, []);
  }

  #lua(code: string, args: unknown[]): Promise<unknown> {
    return this.#nvim.request("nvim_exec_lua", [code, args]);
  }
}

type Event = { readonly name: string; readonly data: unknown };

/** A queue of events, for a reader that waits for the next one. */
class EventQueue {
  readonly #events: Event[] = [];
  #wake: (() => void) | undefined;

  push(name: string, data: unknown): void {
    this.#events.push({ name, data });
    this.#wake?.();
  }

  async next(timeoutMs: number): Promise<Event | undefined> {
    if (this.#events.length === 0 && timeoutMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, Math.min(timeoutMs, 2 ** 31 - 1));
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    return this.#events.shift();
  }
}
