import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { checkout } from "../../scripts/setup/index.ts";
import type { Place } from "../../test/e2e/place.ts";
import { Editor } from "../parts/editor.ts";
import { gone } from "../parts/processes.ts";
import type { KeyTimes } from "./keys.ts";

/** How long anything that a person waits for may take. */
const PATIENCE_MS = 60_000;

/** A window that is narrower is made this wide: what is typed must fit into a line. */
const LEAST_COLUMNS = 60;
const COLUMNS = 90;

/** How long is looked for what a command shows. */
const GLANCE_MS = 10_000;

/** Notes what the plugin says and takes, and answers its menus with the entry `pick`. */
const RECORD = `
  _G.soak = { sent = {}, said = {}, ended = 0, pick = 1, picked = 0 }
  vim.notify = function(message, level)
    table.insert(_G.soak.said, { level = level or 2, text = message })
  end
  vim.api.nvim_create_autocmd("User", { pattern = "CodexChatQuerySent", callback = function(event)
    table.insert(_G.soak.sent, { buf = event.data.buf, text = event.data.text })
  end })
  vim.api.nvim_create_autocmd("User", { pattern = "CodexChatTurnEnded", callback = function()
    _G.soak.ended = _G.soak.ended + 1
  end })
  vim.ui.select = function(items, _, done)
    vim.schedule(function()
      local n = math.min(_G.soak.pick, #items)
      done(items[n], n)
      _G.soak.picked = _G.soak.picked + 1
    end)
  end
  vim.ui.input = function(_, done) done(nil) end`;

const TAKE = `
  local taken = { sent = _G.soak.sent, said = _G.soak.said, ended = _G.soak.ended }
  _G.soak.sent, _G.soak.said, _G.soak.ended = {}, {}, 0
  taken.sent[1] = taken.sent[1] or nil
  return taken`;

const CHATS = `
  local list = {}
  for _, it in ipairs(require("codex-chat").chats()) do
    local chat = require("codex-chat.registry").get(it.buf)
    local win = vim.fn.win_findbuf(it.buf)[1]
    table.insert(list, { buf = it.buf, path = it.path, phase = it.phase, detail = it.detail or "",
      isSending = chat.sending == true, queued = it.queued or 0, waiting = it.waiting or 0, host = chat.host, isShown = win ~= nil })
  end
  return list`;

/** Lua has one kind of empty table. */
const list = <T extends z.ZodType>(item: T) =>
  z.union([z.array(item), z.object({}).transform((): z.infer<T>[] => [])]);

const Taken = z.object({
  sent: list(z.object({ buf: z.number(), text: z.string() })),
  said: list(z.object({ level: z.number(), text: z.string() })),
  ended: z.number(),
});
/** What the plugin has taken and said since it was last asked. */
export type Taken = z.infer<typeof Taken>;

const ChatState = z.object({
  buf: z.number(),
  path: z.string(),
  phase: z.string(),
  detail: z.string(),
  isSending: z.boolean(),
  queued: z.number(),
  waiting: z.number(),
  host: z.string(),
  isShown: z.boolean(),
});
/** An open conversation. */
export type ChatState = z.infer<typeof ChatState>;

/** What a person is started with. */
export type PersonOptions = {
  readonly name: string;
  readonly program: string;
  readonly place: Place;
  readonly modelUrl: string;
  readonly keys: KeyTimes;
};

/** A person before a Neovim with the plugin. */
export class Person {
  readonly name: string;
  readonly editor: Editor;
  readonly #keys: KeyTimes;

  private constructor(options: PersonOptions, editor: Editor) {
    this.name = options.name;
    this.editor = editor;
    this.#keys = options.keys;
  }

  /** Starts Neovim in the place and opens the chat. */
  static async start(options: PersonOptions): Promise<Person> {
    const { place, modelUrl, program } = options;
    const editor = await Editor.start({
      program,
      home: place.home,
      cwd: place.project,
      config: { ...place.config(modelUrl), approvals: "untrusted" },
      env: {
        NODE_OPTIONS: `--import=${pathToFileURL(join(checkout, "bench/soak/host-probe.mjs"))}`,
        CODEX_CHAT_SOAK_DIR: place.base,
      },
      patienceMs: PATIENCE_MS,
    });
    const person = new Person(options, editor);
    await editor.lua(RECORD);
    await person.open();
    return person;
  }

  /** What has come since the last time. */
  async take(): Promise<Taken> {
    return Taken.parse(await this.editor.lua(TAKE));
  }

  /** The open conversations. */
  async chats(): Promise<ChatState[]> {
    return list(ChatState).parse(await this.editor.lua(CHATS));
  }

  /** The conversation in the current window; undefined elsewhere. */
  async here(): Promise<ChatState | undefined> {
    const buf = await this.editor.lua<number>("return vim.api.nvim_get_current_buf()");
    return (await this.chats()).find((chat) => chat.buf === buf);
  }

  /** The host's process; 0 while there is none. */
  async hostPid(): Promise<number> {
    return await this.editor.lua<number>(`return require("codex-chat.host").pid() or 0`);
  }

  /** Types an Ex command by the API. */
  async command(command: string): Promise<void> {
    await this.editor.lua("vim.cmd.stopinsert(); vim.cmd(...)", command);
  }

  /** `:CodexChat`, with a host that has taken the conversation. */
  async open(subcommand = ""): Promise<void> {
    await this.command(`CodexChat ${subcommand}`);
    await this.editor.until(
      `vim.tbl_contains({ "attached", "lost" }, (require("codex-chat.registry").get(vim.api.nvim_get_current_buf()) or {}).host or "")`,
    );
  }

  /** Shows a conversation in the window of the one in view; returns whether it is still open. */
  async show(buf: number): Promise<boolean> {
    if ((await this.here()) === undefined) await this.open();
    return this.editor.lua<boolean>(
      "vim.cmd.stopinsert(); return (pcall(vim.api.nvim_win_set_buf, 0, ...))",
      buf,
    );
  }

  /** Types keys in normal mode. */
  async keys(keys: string): Promise<void> {
    await this.editor.input(`<Esc>${keys}`);
  }

  /** Goes to the prompt of the conversation in view and types, a key after the other. */
  async type(text: string): Promise<void> {
    await this.editor.lua("vim.cmd.stopinsert()");
    if ((await this.here()) === undefined) await this.open();
    await this.editor.input("<Esc>");
    await this.editor.shown(({ mode }) => mode === "normal");
    const key = await this.editor.lua<string>(
      `if vim.api.nvim_win_get_width(0) < ${LEAST_COLUMNS} then vim.cmd("vertical resize ${COLUMNS}") end
       vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(0), 0 })
       return vim.api.nvim_get_current_line() == "" and "A" or "o"`,
    );
    await this.editor.input(key);
    await this.editor.shown(({ mode }) => mode === "insert");
    await this.#keys.type(this.editor, text);
  }

  /** Sends what is in the prompt. */
  async send(how: "normal" | "insert" | "queue"): Promise<void> {
    if (how === "insert") await this.editor.input("<C-s>");
    else if (how === "normal") await this.keys("<CR>");
    else
      await this.editor.lua(
        `vim.cmd.stopinsert(); vim.schedule(function() require("codex-chat.commands").plug("queue") end)`,
      );
  }

  /** The text of a conversation. */
  async text(buf: number): Promise<string> {
    return this.editor.lua<string>(
      `return table.concat(vim.api.nvim_buf_get_lines(..., 0, -1, false), "\\n")`,
      buf,
    );
  }

  /**
   * Waits for a command to have done what it does later, as a person does who looks before typing on;
   * gives up after a while, since the host may have been killed.
   */
  async settles(expression: string): Promise<void> {
    const deadline = performance.now() + GLANCE_MS;
    while ((await this.editor.lua(`return ${expression}`)) !== true) {
      if (performance.now() > deadline) return;
      await pause(20);
    }
  }

  /** Waits until a conversation is as said; returns whether it came to that. */
  async waitFor(
    isSo: (chats: readonly ChatState[]) => boolean,
    patienceMs = PATIENCE_MS,
  ): Promise<boolean> {
    const deadline = performance.now() + patienceMs;
    while (!isSo(await this.chats())) {
      if (performance.now() > deadline) return false;
      await pause(50);
    }
    return true;
  }

  /** Leaves Neovim; settles when the host is gone, too. */
  async quit(): Promise<void> {
    const pid = await this.hostPid();
    await this.editor.quit();
    if (pid > 0) await gone(pid);
  }

  /** Ends Neovim as a crash does; settles when the host has noticed. */
  async kill(): Promise<void> {
    const pid = await this.hostPid().catch(() => 0);
    await this.editor[Symbol.asyncDispose]();
    if (pid > 0) await gone(pid);
  }
}
