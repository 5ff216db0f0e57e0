import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAtomically } from "../../atomic-write.ts";
import { lockFile } from "../../chat/file/index.ts";
import type { UpstreamProxy } from "../../egress/network/index.ts";
import { tlsAgent } from "../../egress/tls/index.ts";
import type { Log } from "../../log.ts";
import {
  type LoginAttempt,
  type LoginEvent,
  type LoginState,
  type LoginTools,
  TokenRefresher,
} from "../../login/index.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";

/** What the user must do to log in. */
export type LoginTask = { readonly url: string; readonly code?: string };

/** Options of an account. */
export type AccountOptions = {
  readonly stateDir: string;
  /** The login service, if it is not Codex's own. */
  readonly issuer?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** The proxy to the service, if there is one. */
  readonly upstreamProxy?: UpstreamProxy | undefined;
  readonly log: Log;
  readonly onEvent?: (event: LoginEvent) => void;
};

/**
 * The plugin's ChatGPT login: a Codex home in the state directory, which no sandbox sees, and at
 * most one login attempt at a time.
 *
 * It is never a copy of the user's own login: the service replaces a refresh token when it is used,
 * so two holders of one would log each other out.
 */
export class Account {
  readonly keeper: TokenRefresher;
  readonly #options: AccountOptions;
  readonly #home: string;
  #attempt: LoginAttempt | undefined;

  constructor(options: AccountOptions) {
    this.#options = options;
    this.#home = join(options.stateDir, "login");
    const { log, onEvent } = options;
    this.keeper = new TokenRefresher({
      home: this.#home,
      tools: toolsFor(options),
      log,
      ...(onEvent === undefined ? {} : { onEvent }),
    });
  }

  /** Starts a login; cancels an earlier attempt. Errors: `login_failed`, `codex_missing`. */
  async start(method: "browser" | "device"): Promise<Result<LoginTask, Failure>> {
    this.cancel();
    const codex = await this.#codex();
    if (!codex.ok) return codex;
    const { startLogin } = await import("../../login/index.ts");
    const started = await startLogin({ ...codex.value, method });
    if (!started.ok) return started;
    this.cancel();
    this.#attempt = started.value;
    const { url, code } = started.value;
    return ok({ url, ...(code === undefined ? {} : { code }) });
  }

  /** Waits for the end of the attempt; returns who is logged in. */
  async finished(): Promise<Result<LoginState, Failure>> {
    const attempt = this.#attempt;
    if (attempt === undefined) return err(NO_ATTEMPT);
    const done = await attempt.done;
    if (this.#attempt === attempt) this.#attempt = undefined;
    if (!done.ok) return done;
    const state = await this.keeper.state();
    if (!state.ok) return state;
    return state.value === undefined ? err(NO_ATTEMPT) : ok(state.value);
  }

  /** Cancels the current attempt. */
  cancel(): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
  }

  /** Logs out, here and at the service. Errors: `login_failed`, `codex_missing`. */
  async logout(): Promise<Result<undefined, Failure>> {
    this.cancel();
    const codex = await this.#codex();
    if (!codex.ok) return codex;
    const { logout } = await import("../../login/index.ts");
    return logout(codex.value);
  }

  async #codex() {
    const { findCodexPackage } = await import("../../sandbox/image/index.ts");
    const codex = await findCodexPackage(import.meta.url);
    if (!codex.ok) return codex;
    const { program } = codex.value;
    const { env, issuer, upstreamProxy } = this.#options;
    const credentials = await upstreamProxy?.credentials?.();
    if (credentials?.ok === false)
      return err({ kind: "login_failed", message: credentials.error.message } as const);
    const proxy = upstreamProxy && new URL(upstreamProxy.url);
    if (proxy !== undefined && credentials !== undefined) {
      const [, user = "", password = ""] = /^([^:]*):(.*)$/s.exec(credentials.value) ?? [];
      proxy.username = encodeURIComponent(user);
      proxy.password = encodeURIComponent(password);
    }
    return ok({ program, home: this.#home, env, issuer, proxy });
  }
}

const NO_ATTEMPT: Failure = {
  kind: "login_failed",
  message: "There is no login in progress.",
  fix: "Start one with :CodexChat login.",
};

/** How often a lock that another Neovim holds is tried again. */
const RETRY_MS = 100;

function toolsFor({ env, log, upstreamProxy, stateDir }: AccountOptions): LoginTools {
  let agent: ReturnType<typeof tlsAgent> | undefined;
  return {
    lock: async (path, signal) => {
      for (;;) {
        const lock = await lockFile(path);
        if (lock.ok || lock.error.kind !== "locked" || signal.aborted) return lock;
        await sleep(RETRY_MS);
      }
    },
    write: (path, text) => writeAtomically(path, text, { trusted: stateDir }),
    agent: () => {
      agent ??= tlsAgent(env, log, upstreamProxy);
      return agent;
    },
    now: () => Date.now(),
  };
}
