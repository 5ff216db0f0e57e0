/**
 * Whole conversations for tests: a real Neovim with the real plugin and host, real Codex in a real
 * gVisor container, and a scripted model. The verbs are the user's.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterAll, beforeEach, expect, vi } from "vitest";
import * as z from "zod";
import { type Neovim, type NeovimProgram, startNeovim } from "../support/neovim.ts";
import { ScriptedModel } from "./model.ts";
import { Place, type PlaceOptions } from "./place.ts";

export { Gate, until } from "./model.ts";
export { Place, ScriptedModel };

/** How long anything may take; starting a container takes seconds on a slow machine. */
export const WAIT = { timeout: 60_000, interval: 25 } as const;

/** For whole files. */
export const SLOW = { timeout: 150_000 } as const;

const TurnEnd = z.object({
  status: z.string(),
  failure: z
    .object({ kind: z.string(), message: z.string(), fix: z.string().optional() })
    .optional(),
});
/** How a turn ended. */
export type TurnEnd = z.infer<typeof TurnEnd>;

/** What a conversation is opened with. */
export type ConversationOptions = {
  readonly place: Place;
  readonly model: { readonly url: string };
  readonly program?: NeovimProgram;
  /** Merged over the test's own; `sandbox` is merged, too. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of Neovim, and so of the host. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where Neovim is started; by default in the project. */
  readonly cwd?: string;
};

type EventName = "TurnStarted" | "TurnEnded" | "ApprovalRequested";

/** A Neovim with a chat open, and the person before it. */
export class Conversation implements AsyncDisposable {
  readonly nvim: Neovim;
  readonly #seen: Record<EventName, number> = {
    TurnStarted: 0,
    TurnEnded: 0,
    ApprovalRequested: 0,
  };
  #hostPid = 0;
  #buf = 0;
  #projectDir = "";

  private constructor(nvim: Neovim) {
    this.nvim = nvim;
  }

  /** Starts Neovim, opens the chat and waits until the host has it. */
  static async open(options: ConversationOptions): Promise<Conversation> {
    const { place, model, config = {} } = options;
    const own = place.config(model.url);
    const nvim = await startNeovim({
      cwd: options.cwd ?? place.project,
      home: place.home,
      ...(options.program === undefined ? {} : { program: options.program }),
      ...(options.env === undefined ? {} : { env: options.env }),
      config: {
        ...own,
        ...config,
        sandbox: { ...own.sandbox, ...(config["sandbox"] as object | undefined) },
      },
    });
    const conversation = new Conversation(nvim);
    await nvim.lua(
      `_G.events, _G.notified = { TurnStarted = {}, TurnEnded = {}, ApprovalRequested = {} }, {}
       vim.notify = function(message) table.insert(_G.notified, message) end
       for name, list in pairs(_G.events) do
         vim.api.nvim_create_autocmd("User", { pattern = "CodexChat" .. name, callback = function(event)
           table.insert(list, event.data or vim.empty_dict())
         end })
       end`,
    );
    await conversation.open();
    return conversation;
  }

  /** `:CodexChat`, and waits for the host to answer for the conversation. */
  async open(subcommand = ""): Promise<void> {
    await this.nvim.command(`CodexChat ${subcommand}`);
    this.#buf = await this.nvim.buf();
    await expect.poll(() => this.#chat("chat.host"), WAIT).not.toBe("none");
    await expect.poll(() => this.#chat("chat.host"), WAIT).not.toBe("asked");
    this.#projectDir = String(await this.#chat("chat.project_dir"));
    this.#hostPid =
      (await this.nvim.lua<number | null>(`return require("codex-chat.host").pid()`)) ?? 0;
  }

  /** Runs what shows another conversation, and goes on in that one. */
  async adopt(open: string | (() => Promise<void>)): Promise<void> {
    const before = this.#buf;
    await (typeof open === "string" ? this.command(open) : open());
    await expect.poll(() => this.nvim.buf(), WAIT).not.toBe(before);
    this.#buf = await this.nvim.buf();
    await expect.poll(() => this.#chat("chat.host"), WAIT).toBe("attached");
  }

  /** `:CodexChat new`, in which no turn was yet. */
  async startAnew(): Promise<void> {
    await this.open("new");
    for (const name of Object.keys(this.#seen) as EventName[])
      this.#seen[name] = await this.nvim.lua<number>("return #_G.events[...]", name);
  }

  /** The project's state directory. */
  get projectDir(): string {
    return this.#projectDir;
  }

  get hostPid(): number {
    return this.#hostPid;
  }

  /** Types into the prompt, wherever the cursor was. */
  async type(text: string): Promise<void> {
    await this.nvim.lua(
      `local buf = ...
       vim.cmd.stopinsert()
       vim.api.nvim_set_current_win((vim.fn.win_findbuf(buf)[1]))
       vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(buf), 0 })`,
      this.#buf,
    );
    await this.nvim.request("nvim_paste", text, false, -1);
  }

  /** Types and presses Enter; settles when the prompt was taken, and a command after it was run. */
  async send(text: string, command?: string): Promise<void> {
    await this.type(text);
    await this.nvim.type(`<Esc><CR>${command === undefined ? "" : `:${command}<CR>`}`);
  }

  /** Sends for after the running turn, as `<Plug>(codex-chat-queue)` does. */
  async queue(text: string): Promise<void> {
    await this.type(text);
    await this.nvim.type("<Esc>");
    await this.nvim.lua(`require("codex-chat.commands").plug("queue")`);
  }

  /** Sends and waits for the turn's end. */
  async ask(text: string): Promise<TurnEnd> {
    await this.send(text);
    return this.waitForTurnEnd();
  }

  /** The end of the next turn whose end nobody has waited for. */
  async waitForTurnEnd(): Promise<TurnEnd> {
    return TurnEnd.parse(await this.#next("TurnEnded"));
  }

  /** Settles when the next turn has begun. */
  async waitForTurnStart(): Promise<void> {
    await this.#next("TurnStarted");
  }

  /** Settles when the next question stands in the buffer and can be answered. */
  async waitForQuestion(): Promise<void> {
    await this.#next("ApprovalRequested");
  }

  /** How many turns have ended so far. */
  async turnsEnded(): Promise<number> {
    return this.nvim.lua<number>("return #_G.events.TurnEnded");
  }

  /** Goes to the oldest question and presses a key on it. */
  async answer(key: string): Promise<void> {
    await this.nvim.lua(
      `local buf = ...
       vim.cmd.stopinsert()
       vim.api.nvim_set_current_win((vim.fn.win_findbuf(buf)[1]))`,
      this.#buf,
    );
    await this.nvim.type(`gg]a${key}`);
  }

  /** Runs `:CodexChat` with a subcommand. */
  async command(subcommand: string): Promise<void> {
    await this.nvim.command(`CodexChat ${subcommand}`);
  }

  /** Stops the turn, as the key does. */
  async stop(): Promise<void> {
    await this.command("stop");
  }

  /** The buffer's text. */
  async text(): Promise<string> {
    return (await this.nvim.lines(this.#buf)).join("\n");
  }

  /** The buffer's text below the front matter, with what differs from run to run made the same. */
  async body(): Promise<string> {
    return (await this.text())
      .replace(/^---\n[\s\S]*?\n---\n+/, "")
      .replace(/ · \d+(?:\.\d+)? (?:ms|s)\b/g, " · 0.1 s");
  }

  /** Waits until the buffer has this text. */
  async until(part: string | RegExp, wait: { readonly timeout: number } = WAIT): Promise<void> {
    const matching =
      typeof part === "string" ? expect.stringContaining(part) : expect.stringMatching(part);
    try {
      await expect.poll(() => this.text(), { ...WAIT, ...wait }).toEqual(matching);
    } catch (cause) {
      // The message of the assertion has the first few words of the text only.
      throw new Error(`the text never has ${part}; it is:\n${await this.text()}`, { cause });
    }
  }

  /** The conversation's file. */
  async path(): Promise<string> {
    return this.nvim.lua<string>("return vim.api.nvim_buf_get_name(...)", this.#buf);
  }

  /** What the file holds. */
  async fileText(): Promise<string> {
    return readFile(await this.path(), "utf8");
  }

  /** Waits until the file says what the buffer says. */
  async untilSaved(): Promise<void> {
    const text = await this.text();
    await expect.poll(async () => (await this.fileText()).trimEnd(), WAIT).toBe(text.trimEnd());
  }

  /** All that was said by `vim.notify`. */
  async notifications(): Promise<string[]> {
    return Object.values(await this.nvim.lua<string[]>("return _G.notified"));
  }

  /** A field of the chat's state, such as `phase`. */
  async state(field: string): Promise<unknown> {
    return this.#chat(`chat.state.${field}`);
  }

  /** Ends Neovim as a crash does. */
  async kill(): Promise<void> {
    process.kill(this.nvim.pid, "SIGKILL");
    await this.nvim.exited;
  }

  /** Ends Neovim and the host as the end of their machine does. */
  async killBoth(): Promise<void> {
    process.kill(this.#hostPid, "SIGKILL");
    await this.kill();
    await this.hostGone();
  }

  /** Settles when the host has ended by itself. */
  async hostGone(): Promise<void> {
    await vi.waitFor(() => expect(isRunning(this.#hostPid)).toBe(false), WAIT);
  }

  /** Leaves Neovim as a user does, and waits for the host to have put everything away. */
  async quit(): Promise<void> {
    // Never answered: Neovim is gone by then.
    void this.nvim.request("nvim_command", "qall!").catch(() => {});
    await this.nvim.exited;
    await this.hostGone();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nvim.close();
    try {
      await this.hostGone();
    } finally {
      if (isRunning(this.#hostPid)) process.kill(this.#hostPid, "SIGKILL");
    }
  }

  async #next(name: EventName): Promise<unknown> {
    const n = ++this.#seen[name];
    const event = () =>
      this.nvim.lua<unknown>("local name, n = ...; return _G.events[name][n]", name, n);
    await expect.poll(event, WAIT).not.toBeNull();
    return event();
  }

  #chat(expression: string): Promise<unknown> {
    return this.nvim.lua(
      `local chat = require("codex-chat.registry").get(...); return chat and ${expression}`,
      this.#buf,
    );
  }
}

/** Whether a process is there. */
function isRunning(pid: number): boolean {
  return pid > 0 && existsSync(`/proc/${pid}`);
}

/** What the tests of one file share, so that they need one container only. */
export type Shared = {
  readonly place: Place;
  readonly model: ScriptedModel;
  readonly chat: Conversation;
};

/** Makes it before the first of the tests around and puts it away after the last. */
export function share({
  git,
  ...options
}: Omit<ConversationOptions, "place" | "model" | "cwd"> &
  Pick<PlaceOptions, "git"> = {}): () => Shared {
  let shared: Shared | undefined;
  const owned: AsyncDisposable[] = [];
  beforeEach(async () => {
    if (shared !== undefined) return;
    const place = await Place.make(git === undefined ? {} : { git });
    owned.push(place);
    const model = await ScriptedModel.start();
    owned.push(model);
    const chat = await Conversation.open({ ...options, place, model });
    owned.push(chat);
    shared = { place, model, chat };
  });
  afterAll(async () => {
    for (const each of owned.reverse()) await each[Symbol.asyncDispose]();
  });
  return () => {
    if (shared === undefined) throw new Error("only within a test");
    return shared;
  };
}
