import type { Agent } from "node:https";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import { authPath, type Login, readLogin, withTokens } from "./auth-file.ts";
import { LOG_IN, LOG_IN_AGAIN, type LoginError } from "./error.ts";
import { refreshTokens } from "./token-endpoint.ts";

/** How long before it expires a token is renewed, so that no call outlives its token. */
const EARLY_MS = 5 * 60_000;
/**
 * The shortest time between two renewals, by all Neovims together. SECURITY: programs inside can
 * cause calls, and thereby renewals, at any rate they like.
 */
const MIN_INTERVAL_MS = 5 * 60_000;
/** How long to wait for the lock, and then for the service. */
const LOCK_MS = 20_000;
const ASK_MS = 20_000;

/** What the refresher needs from the rest of the program. */
export type LoginTools = {
  /** Locks a file among all Neovims; waits for the current holder. */
  readonly lock: (
    path: string,
    signal: AbortSignal,
  ) => Promise<Result<{ readonly release: () => Promise<void> }, { readonly message: string }>>;
  /** Writes a file atomically, keeping its mode. */
  readonly write: (path: string, text: string) => Promise<unknown>;
  /** An agent that verifies certificates by the authorities that the machine trusts. */
  readonly agent: () => Agent;
  readonly now: () => number;
};

/** The outcome of a renewal; never contains a token. */
export type LoginEvent =
  | { readonly type: "refreshed" }
  | { readonly type: "failed"; readonly reason: string };

/** The part of a login that may be shown. */
export type LoginState = {
  readonly email: string | undefined;
  readonly plan: string | undefined;
  readonly expiresAtMs: number | undefined;
};

/**
 * Provides the access token of the login in a Codex home, and renews it: before it expires, and
 * once when the endpoint refuses it.
 *
 * The service returns a new refresh token with each renewal and rejects the old one from then on.
 * So only one process at a time renews, and a process that gets the lock first checks whether
 * another has already done so.
 */
export class TokenRefresher {
  readonly #home: string;
  readonly #tools: LoginTools;
  readonly #log: Log;
  readonly #onEvent: (event: LoginEvent) => void;
  #used: string | undefined;
  #renewing: Promise<Result<Login, LoginError>> | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** The error of the last renewal, and the login that it was for. */
  #failed: { readonly refreshToken: string; readonly error: LoginError } | undefined;

  constructor(options: {
    readonly home: string;
    readonly tools: LoginTools;
    readonly log: Log;
    readonly onEvent?: (event: LoginEvent) => void;
  }) {
    this.#home = options.home;
    this.#tools = options.tools;
    this.#log = options.log;
    this.#onEvent = options.onEvent ?? (() => {});
  }

  /** Who is logged in; undefined if nobody is. Errors: `login_unreadable`. */
  async state(): Promise<Result<LoginState | undefined, LoginError>> {
    const login = await readLogin(this.#home);
    if (!login.ok || login.value === undefined) return login.ok ? ok(undefined) : login;
    const { email, plan, expiresAtMs } = login.value;
    return ok({ email, plan, expiresAtMs });
  }

  /**
   * A login that is valid now. SECURITY: it holds the tokens. Errors: all kinds of `LoginError`.
   */
  async login(): Promise<Result<Login, LoginError>> {
    const read = await readLogin(this.#home);
    if (!read.ok) return read;
    let login = read.value;
    if (login === undefined)
      return err({ kind: "no_login", message: "There is no ChatGPT login.", fix: LOG_IN });
    const left = (login.expiresAtMs ?? Number.POSITIVE_INFINITY) - this.#tools.now();
    if (left < EARLY_MS) {
      const renewed = await this.#renew(login);
      if (renewed.ok) login = renewed.value;
      // A token that is still valid will do.
      else if (left <= 0) return renewed;
    }
    this.#used = login.accessToken;
    return ok(login);
  }

  /** Called when the last call's token was refused: true if there is another one now. */
  async renew(): Promise<boolean> {
    const login = await readLogin(this.#home);
    if (!login.ok || login.value === undefined) return false;
    if (login.value.accessToken !== this.#used) return true;
    const renewed = await this.#renew(login.value);
    return renewed.ok && renewed.value.accessToken !== this.#used;
  }

  async #renew(login: Login): Promise<Result<Login, LoginError>> {
    this.#renewing ??= this.#renewOnce(login).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(login: Login): Promise<Result<Login, LoginError>> {
    const now = this.#tools.now();
    if (this.#failed?.refreshToken === login.refreshToken) {
      const { error } = this.#failed;
      if (error.kind === "login_expired" || now < this.#notBefore) return err(error);
    }
    const sinceLast = now - (login.refreshedAtMs ?? Number.NEGATIVE_INFINITY);
    const isRecent = sinceLast >= 0 && sinceLast < MIN_INTERVAL_MS;
    if (now < this.#notBefore || isRecent)
      return err({
        kind: "login_refresh",
        message: "The ChatGPT login was renewed a moment ago and is still refused.",
        fix: `Wait a few minutes and send again, or: ${LOG_IN_AGAIN}`,
      });
    this.#notBefore = now + MIN_INTERVAL_MS;
    const done = await this.#underLock(login);
    this.#failed = done.ok ? undefined : { refreshToken: login.refreshToken, error: done.error };
    this.#onEvent(done.ok ? { type: "refreshed" } : { type: "failed", reason: done.error.message });
    return done;
  }

  async #underLock(stale: Login): Promise<Result<Login, LoginError>> {
    const path = authPath(this.#home);
    const lock = await this.#tools.lock(path, AbortSignal.timeout(LOCK_MS));
    if (!lock.ok) return failed(lock.error.message);
    try {
      const read = await readLogin(this.#home);
      if (!read.ok) return read;
      const login = read.value;
      if (login === undefined)
        return err({ kind: "no_login", message: "There is no ChatGPT login.", fix: LOG_IN });
      // Another Neovim has renewed it meanwhile.
      if (login.accessToken !== stale.accessToken) return ok(login);
      return await this.#ask(path, login);
    } catch (thrown) {
      const { code, name } = thrown as NodeJS.ErrnoException;
      return failed(`its file cannot be written (${code ?? name})`);
    } finally {
      await lock.value.release();
    }
  }

  async #ask(path: string, login: Login): Promise<Result<Login, LoginError>> {
    const answer = await refreshTokens(login, {
      agent: this.#tools.agent(),
      signal: AbortSignal.timeout(ASK_MS),
    });
    if (!answer.ok) {
      if (answer.error.type === "failed") return failed(answer.error.why);
      const message = `The ChatGPT login is no longer valid (${answer.error.code}).`;
      return err({ kind: "login_expired", message, fix: LOG_IN_AGAIN });
    }
    await this.#tools.write(path, withTokens(login, answer.value, this.#tools.now()));
    this.#log.info({}, "the login was renewed");
    const read = await readLogin(this.#home);
    return read.ok && read.value !== undefined ? ok(read.value) : failed("it was removed");
  }
}

function failed(why: string): Result<never, LoginError> {
  return err({
    kind: "login_refresh",
    message: `The ChatGPT login could not be renewed: ${why}.`,
    fix: `Send again in a few minutes. If that does not help: ${LOG_IN_AGAIN}`,
  });
}
