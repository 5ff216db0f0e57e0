import type { Readable, Writable } from "node:stream";
import { z } from "zod";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import { type Approval, type Decision, decisionResult, parseRequest } from "./approval.ts";
import { type CodexError, refusal } from "./error.ts";
import { LineDecoder } from "./lines.ts";
import { METHODS, type MethodName, type ParamsOf, type ResultOf } from "./method.ts";
import { parseNotification, type ServerNotification } from "./notification.ts";

/** A thread/start takes 0.4 s under gVisor; a busy machine many times that. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Bursts of some hundred requests are partly never answered (0.169): few are in flight at a time. */
const MAX_IN_FLIGHT = 32;
/** Items with a megabyte of output exist; 64 MiB in one line does not. */
const MAX_LINE_BYTES = 64 * 1024 ** 2;

/** What a client is opened on. */
export type CodexClientOptions = {
  /** SECURITY: the app-server's stdout, which any program inside the sandbox can write to. */
  readonly readable: Readable;
  readonly writable: Writable;
  readonly onNotification: (notification: ServerNotification) => void;
  /** Asks the user. Must settle; the answer after the connection's end goes nowhere. */
  readonly onApproval: (threadId: string, approval: Approval) => Promise<Decision>;
  readonly log: Log;
  readonly requestTimeoutMs?: number;
};

/** How a request may end early. */
export type RequestOptions = { readonly signal?: AbortSignal; readonly timeoutMs?: number };

/** A conversation with one app-server. */
export type CodexClient = {
  /** The handshake; must come first. Errors: as `request`. */
  readonly initialize: (
    clientInfo: ParamsOf<"initialize">["clientInfo"],
    options?: RequestOptions,
  ) => Promise<Result<ResultOf<"initialize">, CodexError>>;
  readonly request: <M extends MethodName>(
    method: M,
    params: ParamsOf<M>,
    options?: RequestOptions,
  ) => Promise<Result<ResultOf<M>, CodexError>>;
  /** Resolves once, when the stream has ended or `close` was called; never rejects. */
  readonly closed: Promise<void>;
  /** Settles every waiter and ends the app-server's stdin, which ends it. Idempotent. */
  readonly close: () => void;
};

type Waiter = { readonly settle: (answer: Result<unknown, CodexError>) => void };

const Message = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
});
const WireError = z.object({
  code: z.number().catch(0),
  message: z.string().catch("no reason given"),
});

/** Speaks JSON lines with an app-server. */
export function openCodexClient(options: CodexClientOptions): CodexClient {
  return new Client(options);
}

class Client implements CodexClient {
  readonly closed: Promise<void>;
  readonly #options: CodexClientOptions;
  readonly #waiters = new Map<number, Waiter>();
  readonly #queue: (() => void)[] = [];
  readonly #decoder = new LineDecoder(MAX_LINE_BYTES);
  #nextId = 0;
  #isClosed = false;
  #settleClosed: () => void = () => {};

  constructor(options: CodexClientOptions) {
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    const { readable, writable } = options;
    readable.on("data", (chunk: Buffer) => this.#receive(chunk));
    readable.on("end", () => this.close());
    readable.on("close", () => this.close());
    readable.on("error", () => this.close());
    writable.on("error", () => this.close());
  }

  async initialize(
    clientInfo: ParamsOf<"initialize">["clientInfo"],
    options?: RequestOptions,
  ): Promise<Result<ResultOf<"initialize">, CodexError>> {
    const hello = await this.request(
      "initialize",
      { clientInfo, capabilities: { experimentalApi: true, requestAttestation: false } },
      options,
    );
    if (hello.ok) this.#write({ method: "initialized" });
    return hello;
  }

  async request<M extends MethodName>(
    method: M,
    params: ParamsOf<M>,
    options: RequestOptions = {},
  ): Promise<Result<ResultOf<M>, CodexError>> {
    const answer = await this.#ask(method, params, options);
    if (!answer.ok) return answer;
    const parsed = METHODS[method].result.safeParse(answer.value);
    if (parsed.success) return ok(parsed.data as ResultOf<M>);
    return err({
      kind: "invalid_answer",
      message: `Codex answered ${method} in an unknown form: ${z.prettifyError(parsed.error)}`,
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.writable.end();
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const start of this.#queue.splice(0)) start();
    for (const waiter of waiters) waiter.settle(err(CLOSED));
    this.#settleClosed();
  }

  async #ask(
    method: string,
    params: object,
    { signal, timeoutMs = this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS }: RequestOptions,
  ): Promise<Result<unknown, CodexError>> {
    if (signal?.aborted) return err(aborted(method));
    if (this.#waiters.size >= MAX_IN_FLIGHT)
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    if (this.#isClosed) return err(CLOSED);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const settle = (answer: Result<unknown, CodexError>) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#waiters.delete(id);
        this.#queue.shift()?.();
        resolve(answer);
      };
      const onAbort = () => settle(err(aborted(method)));
      const timer = setTimeout(
        () =>
          settle(
            err({
              kind: "timeout",
              message: `Codex did not answer ${method} within ${timeoutMs / 1000} s.`,
            }),
          ),
        timeoutMs,
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.set(id, {
        settle: (answer) => settle(answer.ok ? answer : err(named(method, answer.error))),
      });
      this.#write({ id, method, params });
    });
  }

  #receive(chunk: Buffer): void {
    for (const line of this.#decoder.push(chunk)) {
      if (line === null) this.#garbage("a line over the size limit");
      else if (line.trim() !== "") this.#line(line);
    }
  }

  #line(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      this.#garbage(line);
      return;
    }
    const parsed = Message.safeParse(value);
    if (!parsed.success) {
      this.#garbage(line);
      return;
    }
    const { id, method } = parsed.data;
    try {
      if (method === undefined) this.#answered(id, parsed.data);
      else if (id === undefined)
        this.#options.onNotification(parseNotification(method, parsed.data["params"]));
      else void this.#requested(id, method, parsed.data["params"]);
    } catch (error) {
      // A handler's bug must not end the conversation with Codex.
      this.#options.log.error({ err: error, method }, "a message could not be handled");
    }
  }

  #answered(id: string | number | undefined, message: Record<string, unknown>): void {
    const waiter = typeof id === "number" ? this.#waiters.get(id) : undefined;
    if (waiter === undefined) {
      // Forged, answered twice, or after its time-out.
      this.#options.log.warn({ id }, "an answer that nobody waits for");
      return;
    }
    if (!("error" in message)) {
      waiter.settle(ok(message["result"]));
      return;
    }
    const { code, message: text } = WireError.catch({ code: 0, message: "no reason given" }).parse(
      message["error"],
    );
    waiter.settle(err({ kind: "refused", code, message: text }));
  }

  async #requested(id: string | number, method: string, params: unknown): Promise<void> {
    const request = parseRequest(id, method, params, Math.floor(Date.now() / 1000));
    switch (request.type) {
      case "approval": {
        const decision = await this.#options.onApproval(request.threadId, request.approval);
        this.#write({ id, result: decisionResult(decision) });
        break;
      }
      case "answered":
        this.#options.log.info({ method }, "answered without asking");
        this.#write({ id, result: request.result });
        break;
      case "refused":
        this.#options.log.warn({ method }, "a request of Codex was refused");
        this.#write({ id, error: { code: request.code, message: request.message } });
        break;
      default:
        request satisfies never;
    }
  }

  #write(message: object): void {
    if (this.#isClosed || !this.#options.writable.writable) return;
    this.#options.writable.write(`${JSON.stringify(message)}\n`);
  }

  #garbage(line: string): void {
    this.#options.log.warn({ line: line.slice(0, 200) }, "not a message of the protocol");
  }
}

const CLOSED: CodexError = { kind: "closed", message: "The connection to Codex has ended." };

function aborted(method: string): CodexError {
  return { kind: "aborted", message: `${method} was stopped.` };
}

/** Names the request in an error of the wire, which does not say what it answers. */
function named(method: string, error: CodexError): CodexError {
  return error.kind === "refused" ? refusal(method, error.code, error.message) : error;
}
