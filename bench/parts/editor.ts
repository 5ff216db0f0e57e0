import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { NeovimClient } from "neovim/lib/api/client.js";
import { checkout } from "../../scripts/setup/index.ts";
import { silentLog } from "../../src/log.ts";
import { quietClient } from "../../src/nvim/quiet-client.ts";
import { homeEnv } from "../../test/support/home.ts";
import { Screen } from "../../test/support/screen.ts";
import { atEnd } from "./cleanup.ts";

const COLUMNS = 200;
const ROWS = 50;
/** How long anything may take by default: a first image is built in a minute or two. */
const PATIENCE_MS = 180_000;

/** How to start a Neovim. */
export type EditorOptions = {
  readonly program: string;
  /** By default a fresh directory, removed at the end. */
  readonly home?: string;
  readonly cwd?: string;
  /** Becomes `vim.g.codex_chat`; without it, the plugin is left out. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** More of the environment, of Neovim and so of the host. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long anything may take. */
  readonly patienceMs?: number;
};

/** A real Neovim before a screen of 200 by 50, with nothing of this machine's configuration. */
export class Editor implements AsyncDisposable {
  readonly screen = new Screen();
  readonly #child: ChildProcess;
  readonly #client: NeovimClient;
  readonly #home: string | undefined;
  readonly #patienceMs: number;
  /** Rejects when Neovim has ended: what it was asked then is never answered. */
  readonly #gone: Promise<never>;
  readonly #kill = atEnd(() => this.#end());
  readonly #watchers = new Set<() => void>();
  readonly #events: { readonly name: string; readonly data: unknown }[] = [];

  private constructor(
    child: ChildProcess,
    client: NeovimClient,
    ownHome: string | undefined,
    patienceMs: number,
  ) {
    this.#child = child;
    this.#client = client;
    this.#home = ownHome;
    this.#patienceMs = patienceMs;
    this.#gone = new Promise((_, reject) => {
      child.once("exit", () => reject(new Error("Neovim has ended")));
    });
    this.#gone.catch(() => {});
    client.on("notification", (name: string, args: unknown[]) => {
      if (name === "redraw") this.screen.redraw(args);
      else this.#events.push({ name, data: args[0] });
      for (const look of this.#watchers) look();
    });
  }

  /** Starts one; settles when it can be typed in. */
  static async start(options: EditorOptions): Promise<Editor> {
    const ownHome =
      options.home === undefined
        ? await realpath(await mkdtemp(join(tmpdir(), "codex-chat-bench-")))
        : undefined;
    const home = options.home ?? ownHome ?? "";
    const commands = [
      "lua vim.g.codex_chat = vim.json.decode(vim.env.CODEX_CHAT_BENCH_CONFIG)",
      "lua vim.opt.rtp:prepend(vim.env.CODEX_CHAT_BENCH_PLUGIN)",
    ];
    const plugin =
      options.config === undefined ? [] : commands.flatMap((command) => ["--cmd", command]);
    const child = spawn(options.program, ["--clean", "--embed", "-n", ...plugin], {
      cwd: options.cwd ?? home,
      stdio: ["pipe", "pipe", "ignore"],
      env: {
        ...(await homeEnv(home)),
        CODEX_CHAT_BENCH_PLUGIN: checkout,
        CODEX_CHAT_BENCH_CONFIG: JSON.stringify(options.config ?? {}),
        ...options.env,
      },
    });
    child.stdin.on("error", () => {});
    const client = quietClient(silentLog);
    client.attach({ reader: child.stdout, writer: child.stdin });
    const editor = new Editor(child, client, ownHome, options.patienceMs ?? PATIENCE_MS);
    await client.request("nvim_ui_attach", [COLUMNS, ROWS, { rgb: true, ext_linegrid: true }]);
    await editor.until("vim.v.vim_did_enter == 1");
    return editor;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Runs Lua; `...` are the arguments. The type is the caller's word. */
  async lua<T = unknown>(source: string, ...args: unknown[]): Promise<T> {
    return (await this.#request("nvim_exec_lua", source, args)) as T;
  }

  /** Types keys, as a user does: Neovim takes them when it gets to it. */
  async input(keys: string): Promise<void> {
    await this.#request("nvim_input", keys);
  }

  /** Waits until this Lua expression is true. */
  async until(expression: string): Promise<void> {
    const deadline = performance.now() + this.#patienceMs;
    while ((await this.lua(`return ${expression}`)) !== true) {
      if (performance.now() > deadline) throw new Error(`never true: ${expression}`);
      await pause(10);
    }
  }

  /** Waits until the screen is as said; returns when that was. */
  async shown(what: string | ((screen: Screen) => boolean)): Promise<number> {
    const isShown = typeof what === "string" ? () => this.screen.text().includes(what) : what;
    return this.#when(`${what} on the screen`, () => (isShown(this.screen) ? true : undefined));
  }

  /** Has the data of these `User` autocommands sent here. */
  async listen(...patterns: readonly string[]): Promise<void> {
    const [channel] = (await this.#client.request("nvim_get_api_info", [])) as [number];
    await this.lua(
      `local channel, patterns = ...
       for _, pattern in ipairs(patterns) do
         vim.api.nvim_create_autocmd("User", { pattern = pattern, callback = function(event)
           vim.rpcnotify(channel, pattern, event.data or vim.empty_dict())
         end })
       end`,
      channel,
      patterns,
    );
  }

  /** Waits for the next event of this name that nobody has waited for; returns its data. */
  async event(name: string): Promise<unknown> {
    const find = () => this.#events.findIndex((event) => event.name === name);
    await this.#when(`the event ${name}`, () => (find() >= 0 ? true : undefined));
    return this.#events.splice(find(), 1)[0]?.data;
  }

  /** Leaves it as a user does. */
  async quit(): Promise<void> {
    const exited = once(this.#child, "exit");
    // Never answered: Neovim is gone by then.
    void this.#client.request("nvim_command", ["qall!"]).catch(() => {});
    await exited;
    await this.#kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
  }

  #seen(): string {
    const rows = this.screen.lines().filter((line) => !/^~?\s*(?:│~?)?$/.test(line));
    return `The screen:\n${rows.join("\n")}`;
  }

  #request(method: string, ...args: unknown[]): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () =>
        reject(new Error(`Neovim does not answer ${method} ${args}. ${this.#seen()}`));
      timer = setTimeout(fail, this.#patienceMs);
    });
    const answer = this.#client.request(method, args);
    return Promise.race([answer, this.#gone, late]).finally(() => clearTimeout(timer));
  }

  async #end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    if (this.#home !== undefined)
      await rm(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  #when(what: string, find: () => true | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        end();
      };
      const look = () => {
        if (find() !== undefined) settle(() => resolve(performance.now()));
      };
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`${what} never came. ${this.#seen()}`)));
      }, this.#patienceMs);
      this.#gone.catch((error: unknown) => settle(() => reject(error)));
      this.#watchers.add(look);
      look();
    });
  }
}
