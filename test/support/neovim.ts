/**
 * Real Neovims for tests: each with a home of its own, driven through the API and by keys, with a
 * screen to look at where asked for, and with the test itself as the host where asked for.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NeovimClient } from "neovim/lib/api/client.js";
import { expect } from "vitest";
import { silentLog } from "../../src/log.ts";
import { quietClient } from "../../src/nvim/quiet-client.ts";
import { homeEnv } from "./home.ts";
import { Screen } from "./screen.ts";

/** The checkout. */
export const repository = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** A Neovim that the tests run on. */
export type NeovimProgram = { readonly name: "0.10" | "0.12"; readonly path: string };

/**
 * The Neovims to test on: those that the environment names, else those that `npm run setup` has put
 * into the cache. One that is missing is an error, not a skipped test.
 */
export const neovims: readonly NeovimProgram[] = (["0.10", "0.12"] as const).map((name) => {
  const variable = `CODEX_CHAT_NVIM_${name.replace(".", "_")}`;
  const path = process.env[variable] ?? join(repository, ".cache", "nvim", name, "nvim");
  if (!existsSync(path)) {
    throw new Error(
      `Neovim ${name} is missing at ${path}; run \`npm run setup\` or set ${variable}`,
    );
  }
  return { name, path };
});

/** How to start a Neovim. */
export type NeovimOptions = {
  /** Defaults to the newest of `neovims`. */
  readonly program?: NeovimProgram;
  /** Becomes `vim.g.codex_chat`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Attaches a screen of this size; without, there is none and the size is 80 by 24. */
  readonly screen?: { readonly columns: number; readonly rows: number };
  /** Defaults to a fresh directory, which is a project of its own by its `.git`. */
  readonly cwd?: string;
  /** Defaults to a fresh directory; give one to start again where another Neovim has left. */
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** More arguments, such as files. */
  readonly args?: readonly string[];
  /** Leaves the plugin out. */
  readonly bare?: boolean;
};

/** A running Neovim. */
export class Neovim implements AsyncDisposable {
  readonly screen: Screen | undefined;
  /** HOME; the XDG directories lie below it. */
  readonly home: string;
  readonly cwd: string;
  readonly #client: NeovimClient;
  readonly #process: ChildProcess;
  readonly #exited: Promise<number | null>;
  readonly #owned: readonly string[];

  /** Use `startNeovim`. */
  constructor(parts: {
    process: ChildProcess;
    client: NeovimClient;
    screen: Screen | undefined;
    home: string;
    cwd: string;
    owned: readonly string[];
  }) {
    this.screen = parts.screen;
    this.home = parts.home;
    this.cwd = parts.cwd;
    this.#client = parts.client;
    this.#process = parts.process;
    this.#owned = parts.owned;
    this.#exited = new Promise((resolve) => {
      this.#process.once("exit", resolve);
      // A program that could not be run has no exit.
      this.#process.once("error", () => resolve(null));
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Settles with the exit code when Neovim has ended. */
  get exited(): Promise<number | null> {
    return this.#exited;
  }

  /** Calls an API function. */
  async request(method: string, ...args: unknown[]): Promise<unknown> {
    return this.#client.request(method, args);
  }

  /** Runs Lua; `...` are the arguments. The type is the caller's word. */
  async lua<T = unknown>(source: string, ...args: unknown[]): Promise<T> {
    return (await this.request("nvim_exec_lua", source, args)) as T;
  }

  /** Runs an Ex command. */
  async command(command: string): Promise<void> {
    await this.request("nvim_command", command);
  }

  /** Types keys, as a user does: Neovim takes them when it gets to it. */
  async keys(keys: string): Promise<void> {
    await this.request("nvim_input", keys);
  }

  /** Types keys and waits until all of them were worked off and nothing is half typed. */
  async type(keys: string): Promise<void> {
    await this.lua("vim.api.nvim_feedkeys(vim.keycode(...), 'xt!', false)", keys);
  }

  /** The mode; "no" while an operator waits, and so on (:help mode()). */
  async mode(): Promise<string> {
    return ((await this.request("nvim_get_mode")) as { mode: string }).mode;
  }

  /** The lines of a buffer, by default the current one's. */
  async lines(buf = 0): Promise<string[]> {
    return (await this.request("nvim_buf_get_lines", buf, 0, -1, false)) as string[];
  }

  /** The current buffer's number. */
  async buf(): Promise<number> {
    return this.lua("return vim.api.nvim_get_current_buf()");
  }

  /** Row (1-based) and byte column of the current window's cursor. */
  async cursor(): Promise<[number, number]> {
    return this.lua("return vim.api.nvim_win_get_cursor(0)");
  }

  /** What `:messages` holds. */
  async messages(): Promise<string> {
    return this.lua("return vim.fn.execute('messages')");
  }

  /** Waits until this Lua expression gives what is expected. */
  async until(expression: string, expected: unknown = true): Promise<void> {
    await expect
      .poll(() => this.lua(`return ${expression}`), { timeout: 10_000 })
      .toEqual(expected);
  }

  /** Waits until the screen shows `text`. */
  async untilShown(text: string | RegExp): Promise<void> {
    const { screen } = this;
    if (screen === undefined) throw new Error("this Neovim was started without a screen");
    const matching =
      typeof text === "string" ? expect.stringContaining(text) : expect.stringMatching(text);
    await expect.poll(() => screen.text(), { timeout: 10_000 }).toEqual(matching);
  }

  /** Ends Neovim by its pid and removes the directories that were made for it. */
  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGKILL");
      await this.#exited;
    }
    // What a host still writes while it ends may bring a directory back for a moment.
    for (const path of this.#owned) {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Starts Neovim with nothing of this machine's configuration, and this checkout's plugin. */
export async function startNeovim(options: NeovimOptions = {}): Promise<Neovim> {
  const program = options.program ?? neovims.at(-1);
  if (program === undefined) throw new Error("no Neovim to test on");
  const owned: string[] = [];
  const fresh = async (name: string): Promise<string> => {
    const path = await realpath(await mkdtemp(join(tmpdir(), `codex-chat-${name}-`)));
    owned.push(path);
    return path;
  };
  const home = options.home ?? (await fresh("home"));
  const cwd = options.cwd ?? (await fresh("project"));
  if (options.cwd === undefined) await mkdir(join(cwd, ".git"), { recursive: true });
  const commands = [
    "lua local c = vim.env.CODEX_CHAT_TEST_CONFIG; if c then vim.g.codex_chat = vim.json.decode(c) end",
    ...(options.bare === true ? [] : ["lua vim.opt.rtp:prepend(vim.env.CODEX_CHAT_TEST_PLUGIN)"]),
  ];
  const child = spawn(
    program.path,
    [
      ...["--clean", "--embed", "--headless", "-n"],
      ...commands.flatMap((command) => ["--cmd", command]),
      ...(options.args ?? []),
    ],
    {
      cwd,
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...(await homeEnv(home)),
        CODEX_CHAT_TEST_PLUGIN: repository,
        ...(options.config === undefined
          ? {}
          : { CODEX_CHAT_TEST_CONFIG: JSON.stringify(options.config) }),
        ...options.env,
      },
    },
  );
  const client = quietClient(silentLog);
  const screen = options.screen === undefined ? undefined : new Screen();
  client.on("notification", (name: string, batch: unknown[]) => {
    if (name === "redraw") screen?.redraw(batch);
  });
  child.stdin.on("error", () => {});
  client.attach({ reader: child.stdout, writer: child.stdin });
  const nvim = new Neovim({ process: child, client, screen, home, cwd, owned });
  const entered = async () => {
    if (options.screen !== undefined) {
      const { columns, rows } = options.screen;
      await nvim.request("nvim_ui_attach", columns, rows, { rgb: true, ext_linegrid: true });
    }
    await nvim.until("vim.v.vim_did_enter", 1);
  };
  try {
    // Calls to a Neovim that is gone are never answered.
    await Promise.race([entered(), failureToStart(child, program)]);
  } catch (failure) {
    await nvim.close();
    throw failure;
  }
  return nvim;
}

/** Rejects with the reason when Neovim cannot be run, or ends; for as long as it starts. */
function failureToStart(
  child: ReturnType<typeof spawn>,
  { name, path }: NeovimProgram,
): Promise<never> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk).slice(-2000);
  });
  const failure = new Promise<never>((_, reject) => {
    child.once("error", (cause) => {
      reject(new Error(`Neovim ${name} cannot be run at ${path}: ${cause.message}`, { cause }));
    });
    child.once("close", (code, signal) => {
      const how = signal ?? `exit code ${code}`;
      reject(new Error(`Neovim ${name} at ${path} ended while it started, with ${how}: ${said}`));
    });
  });
  // Neovim ends at some time after it has started, too.
  failure.catch(() => {});
  return failure;
}
