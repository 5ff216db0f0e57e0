import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { AnswerWatch } from "./answer-watch.ts";
import type { EgressEvent, ModelFailureKind } from "./events.ts";
import { connectFailure, type ModelFailure, statusFailure } from "./failure.ts";
import { isIdentity, requestHeaders, responseHeaders, retryAfterMs } from "./headers.ts";
import { plainSentence } from "./plain.ts";
import { Redactor, secretsOf } from "./redact.ts";
import { refuse, tooLarge } from "./refuse.ts";
import type { Upstream, UpstreamCaller } from "./upstream.ts";

/** The limits on one call; times are milliseconds. */
export type ModelCallLimits = {
  readonly maxRequestBytes: number;
  /** How long a request's body may stand still on its way out of the sandbox. */
  readonly bodyIdleMs: number;
  /** How long the upstream may send nothing before the call is given up. */
  readonly responseIdleMs: number;
  /** How long it may send nothing before the user is told. */
  readonly silenceMs: number;
};

/** What a call works with. */
export type ModelCallOptions = {
  readonly id: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly caller: UpstreamCaller;
  readonly limits: ModelCallLimits;
  /** Takes this call's secrets and returns all that must not be answered. */
  readonly remember: (secrets: readonly string[]) => readonly string[];
  readonly onEvent: (event: EgressEvent) => void;
  /** Called once, when nothing of the call is left. */
  readonly onOver: () => void;
};

/** How much of a refusal's body is read for its message. */
const MAX_QUOTED_BYTES = 16 * 1024;

/** How a call may end; the first end counts. */
type End =
  /** The whole answer has come; `rest` is the last of it, `failure` says what a 4xx or 5xx means. */
  | { readonly type: "answered"; readonly rest: Buffer; readonly failure?: ModelFailure }
  /** Answered from here, with `status`. */
  | { readonly type: "failed"; kind: ModelFailureKind; message: string; status: number }
  | { readonly type: "refused"; readonly status: number; readonly message: string }
  | { readonly type: "aborted"; readonly by: "client" | "turn_end" };

/** One call on its way from the sandbox to the upstream, and its answer on the way back. */
export class ModelCall {
  readonly #options: ModelCallOptions;
  readonly #watch: AnswerWatch;
  readonly #startedMs = performance.now();
  #bodyTimer: NodeJS.Timeout | undefined;
  #redactor = new Redactor([]);
  #out: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #quoted: Buffer[] = [];
  #bytesOut = 0;
  #bytesIn = 0;
  #isToldOf = false;
  #isSent = false;
  #isOver = false;

  constructor(options: ModelCallOptions) {
    this.#options = options;
    const { id, limits, onEvent } = options;
    this.#watch = new AnswerWatch({
      silenceMs: limits.silenceMs,
      idleMs: limits.responseIdleMs,
      // Of an answer that nobody inside reads, it is not the model that is silent.
      onSilence: (ms) => {
        if (!this.#isUnread()) onEvent({ type: "model_silence", id, ms });
      },
      onIdle: (ms) => {
        if (this.#isUnread()) this.abort("client");
        else this.#fail("timeout", `The model sent nothing for ${ms / 1000} s.`, 504);
      },
    });
  }

  /** Asks for the key and passes the call on. Never rejects. */
  async run(): Promise<void> {
    const { request, response, upstream } = this.#options;
    const lost = () => this.abort("client");
    response.on("close", lost);
    response.on("error", lost);
    request.on("error", lost);
    // SECURITY: the request may turn out to be malformed while it is being passed on, and is then
    // answered without us. The sandbox decides when that answer is read and the response closes;
    // ours in addition would throw.
    response.on("prefinish", lost);
    const authorization = await upstream.authorization().catch((thrown: unknown) => ({
      ok: false as const,
      error: { message: thrown instanceof Error ? thrown.name : "unknown" },
    }));
    if (this.#isOver) return;
    if (!authorization.ok) {
      const why = plainSentence(authorization.error.message, 300);
      this.#fail("authorization", `No key for the model could be had: ${why}`, 502);
      return;
    }
    const { value } = authorization;
    this.#redactor = new Redactor(this.#options.remember(secretsOf(value, upstream.baseUrl)));
    const headers = requestHeaders(request.headers, [...(upstream.headers ?? []), ...value]);
    try {
      this.#out = this.#options.caller.open(headers);
    } catch (thrown) {
      // SECURITY: Node's message would quote the value.
      const code = String((thrown as NodeJS.ErrnoException).code ?? "unknown");
      this.#fail("authorization", `A header for the model cannot be sent (${code}).`, 502);
      return;
    }
    this.#out.on("response", (answer) => this.#take(answer));
    this.#out.on("error", (error) => this.#broken(error));
    this.#out.on("upgrade", (answer, socket) => {
      socket.destroy();
      this.#take(answer);
    });
    // Node closes some requests without an error. Of one that is answered this says nothing: the
    // answer may be whole and wait for its reader.
    this.#out.on("close", () => {
      if (this.#answer === undefined) this.#broken(new Error("it broke the connection off"));
    });
    if (request.headers.expect !== undefined) response.writeContinue();
    this.#copyBody(this.#out);
  }

  /** Ends the call without an answer. */
  abort(by: "client" | "turn_end"): void {
    this.#end({ type: "aborted", by });
  }

  /** True while what the upstream has sent waits for its reader. */
  #isUnread(): boolean {
    return this.#options.response.writableNeedDrain;
  }

  #copyBody(out: ClientRequest): void {
    const { request, limits } = this.#options;
    const stalled = `codex-chat: the request stood still for ${limits.bodyIdleMs / 1000} s.`;
    this.#bodyTimer = setTimeout(() => {
      // Where the upstream does not take what is there, it is the upstream that is late.
      if (out.writableNeedDrain)
        this.#fail("timeout", `The model took no more of the request.`, 504);
      else this.#end({ type: "refused", status: 408, message: stalled });
    }, limits.bodyIdleMs);
    request.on("data", (chunk: Buffer) => {
      if (this.#isOver) return;
      this.#bytesOut += chunk.length;
      this.#bodyTimer?.refresh();
      if (this.#bytesOut > limits.maxRequestBytes) {
        const message = tooLarge(limits.maxRequestBytes);
        this.#end({ type: "refused", status: 413, message });
      } else if (!out.write(chunk)) {
        request.pause();
        out.once("drain", () => {
          this.#bodyTimer?.refresh();
          request.resume();
        });
      }
    });
    request.on("end", () => {
      clearTimeout(this.#bodyTimer);
      if (this.#isOver) return;
      this.#isSent = true;
      out.end();
      this.#tellOfRequest();
      this.#watch.begin();
    });
  }

  #take(answer: IncomingMessage): void {
    if (this.#isOver) return;
    const { id, response, upstream, onEvent } = this.#options;
    const status = answer.statusCode ?? 0;
    this.#answer = answer;
    this.#tellOfRequest();
    if (status >= 300 && status < 400) {
      const where = plainSentence(this.#redactor.text(answer.headers.location ?? "nowhere"), 200);
      this.#fail(
        "redirect",
        `The model's endpoint redirects (${status}) to ${where}; redirects are not followed. Set model_url to the right address.`,
        502,
      );
      return;
    }
    const odd = status < 200 || status > 599 ? `status ${status}` : "an encoded body";
    if (odd !== "an encoded body" || !isIdentity(answer.headers)) {
      const { host } = upstream.baseUrl;
      this.#fail("answer", `The model's endpoint ${host} answers with ${odd}, unasked.`, 502);
      return;
    }
    const retryMs = retryAfterMs(answer.headers["retry-after"], Date.now());
    const retry = retryMs === undefined ? {} : { retryAfterMs: retryMs };
    onEvent({ type: "model_response", id, status, ...retry });
    response.writeHead(status, responseHeaders(answer.headers, this.#redactor));
    response.flushHeaders();
    this.#watch.begin();
    answer.on("data", (chunk: Buffer) => this.#pass(answer, chunk));
    answer.on("end", () => this.#finish(answer));
    answer.on("close", () => this.#cut());
    answer.on("error", () => this.#cut());
  }

  #pass(answer: IncomingMessage, chunk: Buffer): void {
    if (this.#isOver) return;
    const { response } = this.#options;
    this.#watch.heard();
    const clean = this.#redactor.push(chunk);
    if ((answer.statusCode ?? 0) >= 400 && this.#bytesIn < MAX_QUOTED_BYTES)
      this.#quoted.push(clean.subarray(0, MAX_QUOTED_BYTES));
    this.#bytesIn += chunk.length;
    if (clean.length === 0 || response.write(clean)) return;
    answer.pause();
    response.once("drain", () => {
      this.#watch.heard();
      answer.resume();
    });
  }

  #finish(answer: IncomingMessage): void {
    if (!answer.complete || this.#isOver) return;
    const status = answer.statusCode ?? 0;
    const rest = this.#redactor.end();
    if (status < 400) {
      this.#end({ type: "answered", rest });
      return;
    }
    const body = Buffer.concat([...this.#quoted, rest]).toString("utf8");
    const { host } = this.#options.upstream.baseUrl;
    this.#end({ type: "answered", rest, failure: statusFailure(status, host, body) });
  }

  /** The upstream could not be reached, or broke off. */
  #broken(error: NodeJS.ErrnoException): void {
    // What breaks after the whole answer has come takes nothing from it, though it may still wait for
    // its reader.
    if (this.#isOver || this.#answer?.complete === true) return;
    const { kind, message } = connectFailure(error, this.#options.upstream.baseUrl.host);
    if (this.#answer !== undefined) this.#cut();
    else this.#fail(kind, this.#redactor.text(message), 502);
  }

  /** Broken off upstream: the sandbox must see a broken answer, too, never a short whole one. */
  #cut(): void {
    this.#fail("cut", "The model's answer broke off in the middle.", 502);
  }

  #fail(kind: ModelFailureKind, message: string, status: number): void {
    this.#end({ type: "failed", kind, message, status });
  }

  #tellOfRequest(): void {
    if (this.#isToldOf) return;
    this.#isToldOf = true;
    const { id, onEvent } = this.#options;
    onEvent({ type: "model_request", id, bytes: this.#bytesOut });
  }

  #end(end: End): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#bodyTimer);
    this.#watch.stop();
    const { response, onOver } = this.#options;
    // An upstream that has answered keeps its connection for the next call, if it got all of this.
    if (this.#answer?.readableEnded !== true || !this.#isSent) this.#out?.destroy();
    if (end.type === "answered") response.end(end.rest);
    else if (end.type !== "aborted") refuse(response, end.status, end.message);
    else if (!response.writableEnded) response.destroy();
    onOver();
    this.#tellOfEnd(end);
  }

  #tellOfEnd(end: End): void {
    const { id, onEvent } = this.#options;
    const sums = { bytesIn: this.#bytesIn, ms: Math.round(performance.now() - this.#startedMs) };
    const answered = this.#answer === undefined ? {} : { status: this.#answer.statusCode ?? 0 };
    switch (end.type) {
      case "answered":
        if (end.failure === undefined) onEvent({ type: "model_done", id, ...sums });
        else onEvent({ type: "model_failed", id, ...end.failure, ...answered });
        break;
      case "failed":
        onEvent({ type: "model_failed", id, kind: end.kind, message: end.message, ...answered });
        break;
      case "refused":
        onEvent({ type: "model_refused", reason: end.message });
        break;
      case "aborted":
        onEvent({ type: "model_aborted", id, by: end.by, ...sums });
        break;
      default:
        end satisfies never;
    }
  }
}
