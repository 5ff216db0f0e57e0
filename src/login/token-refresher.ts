import type { Agent } from "node:https";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import { authPath, type Login, readLogin, withTokens } from "./auth-file.ts";
import { LOG_IN, LOG_IN_AGAIN, type LoginError } from "./error.ts";
import { refreshTokens } from "./token-endpoint.ts";

/** A token is renewed so long before it expires that a call which begins with it does not outlive it. */
const EARLY_MS = 5 * 60_000;
/**
 * SECURITY: programs inside cause calls, and so what makes a token seem to need renewal, at any rate
 * they like. The service is asked no more often than this, by all Neovims together.
 */
const MIN_INTERVAL_MS = 5 * 60_000;
/** How long the lock and then the service may take. */
const LOCK_MS = 20_000;
const ASK_MS = 20_000;

/** What the login needs of the rest of the program. */
export type LoginTools = {
  /** Takes the lock on a file that all Neovims see, waiting for its holder. */
  readonly lock: (
    path: string,
    signal: AbortSignal,
  ) => Promise<Result<{ readonly release: () => Promise<void> }, { readonly message: string }>>;
  /** Writes a file so that a crash leaves the old one or the new one, with the old one's mode. */
  readonly write: (path: string, text: string) => Promise<unknown>;
  /** Verifies certificates, by the authorities that the machine trusts. */
  readonly agent: () => Agent;
  readonly now: () => number;
};

/** What became of a renewal; never a token. */
export type LoginEvent =
  | { readonly type: "refreshed" }
  | { readonly type: "failed"; readonly reason: string };

/** A login as it may be shown. */
export type LoginState = {
  readonly email: string | undefined;
  readonly plan: string | undefined;
  readonly expiresAtMs: number | undefined;
};

/**
 * Gives out the access token of the login in a home of Codex's, and renews it: before it expires,
 * and once when the endpoint refuses it.
 *
 * The service gives a new refresh token with each renewal and takes the old one no more. So one
 * process at a time renews, and whoever gets the lock looks first whether another has done it.
 */
export class TokenRefresher {
  readonly #home: string;
  readonly #tools: LoginTools;
  readonly #log: Log;
  readonly #onEvent: (event: LoginEvent) => void;
  #used: string | undefined;
  #renewing: Promise<Result<Login, LoginError>> | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** What a renewal has failed with, and for which login. */
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

  /** Who is logged in; undefined where nobody is. Errors: `login_unreadable`. */
  async state(): Promise<Result<LoginState | undefined, LoginError>> {
    const login = await readLogin(this.#home);
    if (!login.ok || login.value === undefined) return login.ok ? ok(undefined) : login;
    const { email, plan, expiresAtMs } = login.value;
    return ok({ email, plan, expiresAtMs });
  }

  /** A login that can be used now. SECURITY: it holds the tokens. Errors: all of `LoginError`. */
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
      // One that still holds is better than none.
      else if (left <= 0) return renewed;
    }
    this.#used = login.accessToken;
    return ok(login);
  }

  /** The token of the last call was refused: true where there is another one now. */
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
        message: "The ChatGPT login was renewed a moment ago, and is refused all the same.",
        fix: `Wait some minutes and send again, or: ${LOG_IN_AGAIN}`,
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
      // Another Neovim has done it while this one waited.
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
    fix: `Send again in some minutes; if it stays so: ${LOG_IN_AGAIN}`,
  });
}
