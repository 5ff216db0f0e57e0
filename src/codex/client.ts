import { createHash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import * as z from "zod";
import type { Log } from "../log.ts";
import { err, ok, type Result } from "../result.ts";
import { METHODS, type MethodName, type ParamsOf, type ResultOf } from "./client-methods.ts";
import { type CodexError, shortened } from "./error.ts";
import { LineDecoder } from "./lines.ts";
import { type Message, parseMessage } from "./message.ts";
import { parseNotification, type ServerNotification } from "./messages/index.ts";
import { type RequestOptions, Requests } from "./requests.ts";
import {
  type Answer,
  type Approval,
  approvalId,
  parseRequest,
  type ToolAnswer,
  type ToolCall,
  toolResult,
} from "./server-requests/index.ts";

/** A thread/start takes 0.4 s under gVisor; a busy machine many times that. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Of a burst of some hundred requests, Codex never answers some (0.171), so few are in flight. */
const MAX_IN_FLIGHT = 32;
/**
 * Items with a megabyte of output exist, and pictures of ten megabytes; a line of 32 MiB does not. The
 * host needs about four times a line's size to read it.
 */
const MAX_LINE_BYTES = 32 * 1024 ** 2;
/** More than any turn's input; an app-server that leaves this much unread does not read at all. */
const MAX_UNREAD_BYTES = 64 * 1024 ** 2;
/** SECURITY: how many requests wait for the user at a time; each costs lines in the document. */
const MAX_ASKED = 100;
/** How many unexpected messages are logged; a program inside can send them without end. */
const MAX_ODDITIES = 100;
/** JSON-RPC's code for a failure on the answering side. */
const INTERNAL_ERROR = -32603;

/** What a client is opened with. */
export type CodexClientOptions = {
  /** SECURITY: the app-server's stdout, which any program inside the sandbox can write to. */
  readonly readable: Readable;
  readonly writable: Writable;
  /** Not called once the client is closed. */
  readonly onNotification: (notification: ServerNotification) => void;
  /** Asks the user; an answer after the end of the connection is dropped. */
  readonly onApproval: (threadId: string, approval: Approval) => Promise<Answer>;
  /** Answers a call of one of the editor's tools. Without it, none is offered. */
  readonly onTool?: (call: ToolCall) => Promise<ToolAnswer>;
  /** A request can no longer be answered, because another one came with the same id. */
  readonly onClash?: (approvalId: string) => void;
  /** A request was refused without asking the user. */
  readonly onRefused?: (threadId: string, asked: { kind: string; about: string }) => void;
  /** A request was answered without asking, and the user may want to know. */
  readonly onNote?: (threadId: string, note: string) => void;
  readonly log: Log;
  readonly requestTimeoutMs?: number;
};

/** The connection to one app-server. */
export type CodexClient = {
  /** The handshake, which must come first. Errors: as `request`. */
  readonly initialize: (
    clientInfo: ParamsOf<"initialize">["clientInfo"],
    options?: RequestOptions,
  ) => Promise<Result<ResultOf<"initialize">, CodexError>>;
  /** Errors: all of `CodexError`. Never rejects. */
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

const WireError = z
  .object({ code: z.number().catch(0), message: z.string().catch("no reason given") })
  .catch({ code: 0, message: "no reason given" });

/** Speaks JSON lines with an app-server. */
export function openCodexClient(options: CodexClientOptions): CodexClient {
  return new Client(options);
}

class Client implements CodexClient {
  readonly closed: Promise<void>;
  readonly #options: CodexClientOptions;
  readonly #requests = new Requests((message) => this.#write(message), MAX_IN_FLIGHT);
  readonly #decoder = new LineDecoder(MAX_LINE_BYTES);
  /** Requests of Codex that are being answered: a hash of each, and how to end it without an answer. */
  readonly #asked = new Map<string, { readonly what: string; readonly clash: () => void }>();
  #oddities = 0;
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
    { signal, timeoutMs }: RequestOptions = {},
  ): Promise<Result<ResultOf<M>, CodexError>> {
    const answer = await this.#requests.ask(method, params, {
      signal,
      timeoutMs: timeoutMs ?? this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    });
    if (!answer.ok) return answer;
    const parsed = METHODS[method].result.safeParse(answer.value);
    if (parsed.success) return ok(parsed.data as ResultOf<M>);
    const problem = shortened(z.prettifyError(parsed.error));
    return err({
      kind: "invalid_answer",
      message: `Codex answered ${method} in an unknown form: ${problem}`,
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.writable.end();
    this.#requests.close();
    this.#settleClosed();
  }

  #receive(chunk: Buffer): void {
    for (const line of this.#decoder.push(chunk)) {
      // A handler may have closed the client; nothing is passed on after that.
      if (this.#isClosed) return;
      if (line === null) this.#odd({}, "a line over the size limit");
      else if (line.trim() !== "") this.#line(line);
    }
  }

  #line(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) {
      this.#odd({ line: line.slice(0, 200) }, "not a message of the protocol");
      return;
    }
    const { id, method, params } = message;
    if (method === undefined) this.#answered(message);
    else if (id === undefined) this.#told(method, params);
    else void this.#requested(id, method, params);
  }

  #answered({ id, error, result }: Message): void {
    const answer = error == null ? ok(result) : err(WireError.parse(error));
    if (!this.#requests.answered(id, answer)) this.#odd({ id }, "an answer that nobody waits for");
  }

  #told(method: string, params: unknown): void {
    try {
      this.#options.onNotification(parseNotification(method, params));
    } catch (error) {
      // A handler's bug must not end the conversation with Codex.
      this.#failed(method, error);
    }
  }

  /** Answers a request of Codex even if asking the user fails, because Codex would wait forever. */
  async #requested(id: string | number, method: string, params: unknown): Promise<void> {
    const key = approvalId(id);
    const what = createHash("sha256")
      .update(JSON.stringify([method, params]))
      .digest("hex");
    const open = this.#asked.get(key);
    if (open !== undefined) {
      this.#odd({ id }, "a request that is being answered already");
      // One answer serves both: Codex repeats pending requests when a thread is loaded again.
      // SECURITY: if they differ, one of them is forged, and the user's answer to the one that was
      // shown would count for the other.
      if (open.what !== what) open.clash();
      return;
    }
    const clashed = new Promise<object>((resolve) => {
      const error = { code: INTERNAL_ERROR, message: "another request came with this id" };
      this.#asked.set(key, { what, clash: () => resolve({ error }) });
    });
    void clashed.then(() => this.#options.onClash?.(key));
    try {
      const answer = await Promise.race([clashed, this.#answerTo(id, method, params)]);
      this.#write({ id, ...answer });
    } catch (error) {
      this.#failed(method, error);
      this.#write({ id, error: { code: INTERNAL_ERROR, message: "the editor could not answer" } });
    } finally {
      this.#asked.delete(key);
    }
  }

  async #answerTo(id: string | number, method: string, params: unknown): Promise<object> {
    if (this.#asked.size > MAX_ASKED) {
      this.#odd({ method: shortened(method) }, "more requests than can be answered");
      return { error: { code: INTERNAL_ERROR, message: "too many requests wait for an answer" } };
    }
    const request = parseRequest(id, method, params);
    switch (request.type) {
      case "approval":
        return {
          result: request.respond(
            await this.#options.onApproval(request.threadId, request.approval),
          ),
        };
      case "tool": {
        const nobody = { ok: false, text: "The editor offers no tools." };
        return { result: toolResult((await this.#options.onTool?.(request.call)) ?? nobody) };
      }
      case "answered":
        this.#odd({ method: shortened(method) }, "answered without asking");
        if (request.asked !== undefined) this.#options.onRefused?.(request.threadId, request.asked);
        if (request.note !== undefined) this.#options.onNote?.(request.threadId, request.note);
        return { result: request.result };
      case "refused":
        this.#odd({ method: shortened(method) }, "a request of Codex was refused");
        return { error: { code: request.code, message: request.message } };
      default:
        return request satisfies never;
    }
  }

  #write(message: object): void {
    const { writable, log } = this.#options;
    if (this.#isClosed || !writable.writable) return;
    // SECURITY: a program inside can send requests without reading, so that our answers pile up here.
    if (writable.writableLength > MAX_UNREAD_BYTES) {
      log.error({ bytes: writable.writableLength }, "Codex does not read its input");
      this.close();
      return;
    }
    writable.write(`${JSON.stringify(message)}\n`);
  }

  #failed(method: string, error: unknown): void {
    this.#odd({ err: error, method: shortened(method) }, "a message could not be handled", "error");
  }

  #odd(data: object, message: string, level: "warn" | "error" = "warn"): void {
    if (this.#oddities >= MAX_ODDITIES) return;
    this.#oddities++;
    const isLast = this.#oddities === MAX_ODDITIES;
    this.#options.log[level](data, isLast ? `${message}; further ones are not logged` : message);
  }
}
