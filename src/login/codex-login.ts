import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmod, mkdir, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { execa } from "execa";
import * as z from "zod";
import { parseJson } from "../parse-json.ts";
import { err, ok, type Result } from "../result.ts";
import { authPath } from "./auth-file.ts";
import type { LoginError } from "./error.ts";

/** How long Codex may take to return the login URL. */
const START_MS = 30_000;
/** How long the user may take: as long as a device code is valid (Codex 0.169). */
const WAIT_MS = 15 * 60_000;
const LOGOUT_MS = 20_000;
/** The service of Codex's login; another one is for tests and explicit configuration. */
const ISSUER = "https://auth.openai.com";

/** Options of Codex's login. */
export type CodexLogin = {
  /** The pinned Codex executable. */
  readonly program: string;
  /** The Codex home to log in to; created if absent, readable by the user alone. */
  readonly home: string;
  readonly issuer?: string | undefined;
  /** The host's environment; Codex gets only the variables that it needs to reach the service. */
  readonly env: NodeJS.ProcessEnv;
  /** A proxy that replaces the environment's. SECURITY: it contains the password. */
  readonly proxy?: URL | undefined;
};

/** A login that the user must complete in a browser. */
export type LoginAttempt = {
  /** The page that the user must open. */
  readonly url: string;
  /** The device code to enter there; undefined for a browser login. */
  readonly code: string | undefined;
  /** Settles once; never rejects. */
  readonly done: Promise<Result<undefined, LoginError>>;
  readonly cancel: () => void;
};

const Started = z.object({
  authUrl: z.url().optional(),
  verificationUrl: z.url().optional(),
  userCode: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,40}$/)
    .optional(),
});
const Completed = z.object({ success: z.boolean(), error: z.string().nullish() });

/**
 * Starts Codex's own login and returns what the user has to do.
 *
 * It runs an app-server on the host that does nothing else and ends with the login. It does not
 * open the browser; the editor asks the user about that.
 *
 * Errors: `login_failed`.
 */
export async function startLogin(
  options: CodexLogin & { readonly method: "browser" | "device" },
): Promise<Result<LoginAttempt, LoginError>> {
  await makeHome(options.home);
  const args = [...OVERRIDES, ...backendOf(options), "app-server"];
  const child = spawn(options.program, args, { cwd: options.home, env: environment(options) });
  const codex = new CodexProcess(child);
  const timer = setTimeout(() => codex.end("it took too long"), START_MS);
  try {
    const clientInfo = { name: "codex-chat.nvim", title: "codex-chat.nvim", version: "0" };
    await codex.request("initialize", { clientInfo, capabilities: null });
    codex.notify("initialized");
    const type = options.method === "device" ? "chatgptDeviceCode" : "chatgpt";
    const started = Started.parse(await codex.request("account/login/start", { type }));
    const url = started.authUrl ?? started.verificationUrl;
    if (url === undefined || !url.startsWith(`${options.issuer ?? ISSUER}/`))
      throw new Error("its login page does not belong to the service");
    return ok({
      url,
      code: started.userCode,
      done: codex.completed(WAIT_MS),
      cancel: () => codex.end("it was cancelled"),
    });
  } catch (thrown) {
    const why = codex.ended ?? (thrown instanceof Error ? thrown.message : "unknown");
    codex.end(why);
    return loginFailed(why);
  } finally {
    clearTimeout(timer);
  }
}

/** Makes Codex log out, at the service as well, and deletes the login file. */
export async function logout(options: CodexLogin): Promise<Result<undefined, LoginError>> {
  await makeHome(options.home);
  const run = await execa(options.program, ["logout", ...OVERRIDES], {
    reject: false,
    cwd: options.home,
    extendEnv: false,
    env: environment(options),
    stdin: "ignore",
    timeout: LOGOUT_MS,
  });
  try {
    // Even if the service could not be reached: on this machine the user is logged out.
    await rm(authPath(options.home), { force: true });
  } catch (thrown) {
    return loginFailed(`${authPath(options.home)}: ${(thrown as NodeJS.ErrnoException).code}`);
  }
  return run.failed
    ? loginFailed("Codex could not tell the service; on this machine you are logged out")
    : ok();
}

async function makeHome(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
}

/** Codex 0.171's settings: the login in a file, and no feature that connects or runs anything. */
const OVERRIDES = [
  'cli_auth_credentials_store="file"',
  "check_for_update_on_startup=false",
  "analytics.enabled=false",
  'otel.exporter="none"',
  "features.plugins=false",
  "features.remote_plugin=false",
  "features.apps=false",
].flatMap((setting) => ["-c", setting]);

/** Codex asks a backend about the account; another issuer has its own. */
function backendOf({ issuer }: CodexLogin): string[] {
  return issuer === undefined
    ? []
    : ["-c", `chatgpt_base_url=${JSON.stringify(`${issuer}/backend-api/`)}`];
}

/**
 * The variables that the login needs: how to reach the service, and which certificates to trust.
 */
const PASSED_VARIABLE =
  /^(https?_proxy|all_proxy|no_proxy|ssl_cert_file|ssl_cert_dir|codex_ca_certificate|tz)$/i;

const PROXY_VARIABLE = /^(https?_proxy|all_proxy|no_proxy)$/i;

function environment({ env, home, issuer, proxy }: CodexLogin): Record<string, string> {
  const passed = Object.entries(env).flatMap(([name, value]) =>
    PASSED_VARIABLE.test(name) &&
    value !== undefined &&
    !(proxy !== undefined && PROXY_VARIABLE.test(name))
      ? [[name, value] as const]
      : [],
  );
  return {
    ...Object.fromEntries(passed),
    ...(proxy === undefined
      ? {}
      : { HTTPS_PROXY: proxy.href, HTTP_PROXY: proxy.href, NO_PROXY: "127.0.0.1,localhost,::1" }),
    PATH: "/usr/bin:/bin",
    HOME: home,
    CODEX_HOME: home,
    ...(issuer === undefined
      ? {}
      : {
          CODEX_APP_SERVER_LOGIN_ISSUER: issuer,
          CODEX_REVOKE_TOKEN_URL_OVERRIDE: `${issuer}/oauth/revoke`,
        }),
  };
}

function loginFailed(why: string): Result<never, LoginError> {
  const printable = why.replace(/[^\x20-\x7e]+/g, " ").slice(0, 300);
  return err({
    kind: "login_failed",
    message: `The ChatGPT login did not succeed: ${printable}.`,
    fix: "Try :CodexChat login again, or :CodexChat login device, which needs no port on this machine.",
  });
}

const Message = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
});

/** The app-server of a login, and the few messages that a login needs. */
class CodexProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (answer: z.infer<typeof Message>) => void>();
  readonly #completed: Promise<Result<undefined, LoginError>>;
  #settle: (result: Result<undefined, LoginError>) => void = () => {};
  #nextId = 1;
  /** Why it ended; undefined while it runs. */
  ended: string | undefined;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#completed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    child.on("error", (error: NodeJS.ErrnoException) =>
      this.end(`Codex could not be started (${error.code ?? error.name})`),
    );
    child.on("exit", () => this.end("Codex ended"));
    child.stdin.on("error", () => {});
    child.stderr.resume();
    createInterface({ input: child.stdout }).on("line", (line) => this.#take(line));
  }

  request(method: string, params: object): Promise<unknown> {
    const id = this.#nextId++;
    this.#send({ id, method, params });
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) reject(new Error(this.ended));
      this.#waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result) : reject(new Error(error.message)),
      );
    });
  }

  notify(method: string): void {
    this.#send({ method });
  }

  /** Waits for the end of the login. */
  async completed(waitMs: number): Promise<Result<undefined, LoginError>> {
    const timer = setTimeout(() => this.end("it was not completed in time"), waitMs);
    timer.unref();
    const end = await this.#completed;
    clearTimeout(timer);
    return end;
  }

  /** Ends the process; idempotent, the first reason counts. */
  end(why: string, result: Result<undefined, LoginError> = loginFailed(why)): void {
    if (this.ended !== undefined) return;
    this.ended = why;
    for (const answer of this.#waiting.values()) answer({ error: { message: why } });
    this.#waiting.clear();
    this.#settle(result);
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2_000);
    timer.unref();
    this.#child.once("exit", () => clearTimeout(timer));
  }

  #send(message: object): void {
    if (this.#child.stdin.writable) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #take(line: string): void {
    const message = Message.safeParse(parseJson(line)).data;
    if (message?.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    } else if (message?.method === "account/login/completed") {
      const completed = Completed.safeParse(message.params);
      const why = completed.data?.error ?? "the service did not confirm it";
      if (completed.data?.success === true) this.end("it is done", ok());
      else this.end(why);
    }
  }
}
