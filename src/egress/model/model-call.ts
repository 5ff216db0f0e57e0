import { once } from "node:events";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Result } from "../../result.ts";
import type { EgressEvent, ModelFailureKind } from "../events.ts";
import { cutResponse, printableSentence, readBody, refuse } from "../http/index.ts";
import { Redactor, secretsOf } from "../secrets/index.ts";
import { type CallEnd, endEvent } from "./call-end.ts";
import { DeltaMerger } from "./delta-merger.ts";
import { isIdentity, requestHeaders, responseHeaders, retryAfterMs } from "./headers.ts";
import { connectFailure, statusFailure } from "./model-failure.ts";
import { ResponseTimer } from "./response-timer.ts";
import type { CallSlot } from "./turn-gate.ts";
import type { Authorization, Upstream, UpstreamCaller } from "./upstream.ts";
import { estimateTokens, mostTokens, UsageReader } from "./usage.ts";

/** The limits on one call. Times are in milliseconds. */
export type ModelCallLimits = {
  readonly maxRequestBytes: number;
  /** How long the sandbox may send nothing of a request's body. */
  readonly bodyIdleMs: number;
  /** How long the upstream may send nothing before the call is ended. */
  readonly responseIdleMs: number;
  /** How long it may send nothing before the user is told. */
  readonly silenceMs: number;
};

/** Options of a call. */
export type ModelCallOptions = {
  readonly id: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly caller: UpstreamCaller;
  readonly limits: ModelCallLimits;
  readonly slot: CallSlot;
  /** Checks the whole body; returns the bytes to send, or why it is refused. */
  readonly checkBody: (body: Buffer) => Result<Buffer, string>;
  /** Takes this call's secrets and returns all secrets that no response may contain. */
  readonly remember: (secrets: readonly string[]) => readonly string[];
  readonly onEvent: (event: EgressEvent) => void;
};

/** How much of an error response is kept for its message. */
const MAX_QUOTED_BYTES = 16 * 1024;

/** One call from the sandbox to the upstream, and its response on the way back. */
export class ModelCall {
  readonly #options: ModelCallOptions;
  readonly #timer: ResponseTimer;
  readonly #startedMs = performance.now();
  readonly #usage = new UsageReader();
  readonly #ending = new AbortController();
  #redactor = new Redactor([]);
  /** Between the redactor and the sandbox; only for events. */
  #merger: DeltaMerger | undefined;
  #body: Buffer = Buffer.alloc(0);
  #out: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #quoted: Buffer[] = [];
  #bytesOut = 0;
  #bytesIn = 0;
  #isReported = false;
  #isRenewed = false;
  #isEnded = false;

  constructor(options: ModelCallOptions) {
    this.#options = options;
    const { id, limits, onEvent } = options;
    this.#timer = new ResponseTimer({
      silenceMs: limits.silenceMs,
      idleMs: limits.responseIdleMs,
      // If the sandbox is not reading the response, the stall is its own, not the model's.
      onSilence: (ms) => {
        if (!this.#isUnread()) onEvent({ type: "model_silence", id, ms });
      },
      onIdle: (ms) => {
        if (this.#isUnread()) this.abort("client");
        else this.#fail("timeout", `The model sent nothing for ${ms / 1000} s.`, 504);
      },
    });
  }

  /** Reads the call, asks for the key and sends the call. Never rejects. */
  async run(): Promise<void> {
    const { request, response, slot, limits, checkBody } = this.#options;
    const lost = () => this.abort("client");
    response.on("close", lost);
    response.on("error", lost);
    request.on("error", lost);
    // SECURITY: a request may turn out to be malformed while it is being read, and is then answered
    // by the HTTP service. A second answer would throw, and only the sandbox knows when it has read
    // the first, so the call ends as soon as that has begun.
    response.on("prefinish", lost);
    if (request.headers.expect !== undefined) response.writeContinue();
    const body = await readBody(request, {
      maxBytes: limits.maxRequestBytes,
      idleMs: limits.bodyIdleMs,
      onBytes: (bytes) => {
        this.#bytesOut += bytes;
        slot.countTokens(estimateTokens(this.#bytesOut));
        return slot.spendBytes(bytes);
      },
      signal: this.#ending.signal,
    });
    if (this.#isEnded) return;
    const checked = body.ok ? checkBody(body.value) : undefined;
    // SECURITY: checked again, since calls that started together each found the tokens unspent.
    const checkTokens = slot.checkTokens();
    if (!body.ok) this.#end({ type: "refused", ...body.error });
    else if (checked?.ok === false)
      this.#end({ type: "refused", status: 403, message: checked.error, isOdd: true });
    else if (!checkTokens.ok)
      this.#end({ type: "refused", status: 403, message: checkTokens.error });
    else await this.#send(checked?.value ?? body.value);
  }

  /** Ends the call without a response. */
  abort(by: "client" | "turn_end"): void {
    this.#end({ type: "aborted", by });
  }

  /** Whether the sandbox has yet to read what the upstream sent. */
  #isUnread(): boolean {
    return this.#options.response.writableNeedDrain;
  }

  /** Sends the call with the current key. */
  async #send(body: Buffer): Promise<void> {
    this.#body = body;
    const { upstream, remember, request, caller } = this.#options;
    const authorized = await upstream.authorization().catch(
      (thrown: unknown): Authorization => ({
        ok: false,
        error: { message: thrown instanceof Error ? thrown.name : "unknown" },
      }),
    );
    if (this.#isEnded) return;
    if (!authorized.ok) {
      const why = printableSentence(authorized.error.message, 300);
      this.#fail("authorization", `There is no key for the model: ${why}`, 502);
      return;
    }
    const ours = upstream.headers ?? [];
    this.#redactor = new Redactor(remember(secretsOf([...authorized.value], upstream.baseUrl)));
    let out: ClientRequest;
    try {
      out = caller.open(
        requestHeaders(request.headers, [...ours, ...authorized.value], body.length),
      );
    } catch (thrown) {
      // SECURITY: Node's message would quote the value, so only its code is used.
      const code = String((thrown as NodeJS.ErrnoException).code ?? "unknown");
      this.#fail("authorization", `A header for the model cannot be sent (${code}).`, 502);
      return;
    }
    this.#out = out;
    const ifCurrent = (run: () => void) => () => {
      if (this.#out === out) run();
    };
    out.on("response", (answer) => void this.#receive(answer));
    out.on("error", (error) => ifCurrent(() => this.#onError(error))());
    out.on("upgrade", (answer, socket) => {
      socket.destroy();
      this.#take(answer);
    });
    // Node closes some requests without an error. After a response a close means little: it
    // may be complete and wait for its reader.
    out.on(
      "close",
      ifCurrent(() => {
        if (this.#answer === undefined) this.#onError(new Error("it closed the connection"));
      }),
    );
    out.end(body);
    this.#reportRequest();
    this.#timer.start();
  }

  /** After a 401: sends the call once more if there is a new key, else passes the 401 on. */
  async #renew(refused: IncomingMessage): Promise<void> {
    const { upstream } = this.#options;
    this.#isRenewed = true;
    this.#out = undefined;
    // Read to the end, so that the connection can be reused; kept in case there is no new key.
    const chunks: Buffer[] = [];
    let size = 0;
    refused.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_QUOTED_BYTES) chunks.push(chunk);
    });
    const read = once(refused, "end", { signal: this.#ending.signal }).catch(() => undefined);
    const isNew = await upstream.renew?.().catch(() => false);
    await read;
    if (this.#isEnded) return;
    if (isNew === true) return this.#send(this.#body);
    this.#passHead(refused);
    for (const chunk of chunks) this.#pass(refused, chunk);
    if (refused.complete) this.#finish(refused);
    else this.#cut();
  }

  /** Takes the response once the turn may go on; the upstream waits meanwhile. */
  async #receive(answer: IncomingMessage): Promise<void> {
    const held = this.#options.slot.held();
    if (held === undefined) return this.#take(answer);
    this.#answer = answer;
    answer.on("error", () => {});
    await held;
    // Node tells only those who listen that a response broke off.
    if (answer.destroyed && !answer.complete) this.#cut();
    else this.#take(answer);
  }

  #take(answer: IncomingMessage): void {
    if (this.#isEnded) return;
    const { upstream } = this.#options;
    const status = answer.statusCode ?? 0;
    if (status === 401 && !this.#isRenewed && upstream.renew !== undefined) {
      void this.#renew(answer);
      return;
    }
    this.#answer = answer;
    if (status >= 300 && status < 400) {
      const where = printableSentence(
        this.#redactor.text(answer.headers.location ?? "nowhere"),
        200,
      );
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
    this.#passHead(answer);
    this.#timer.start();
    answer.on("data", (chunk: Buffer) => this.#pass(answer, chunk));
    answer.on("end", () => this.#finish(answer));
    answer.on("close", () => this.#cut());
    answer.on("error", () => this.#cut());
  }

  /** Passes the head of a response on. */
  #passHead(answer: IncomingMessage): void {
    const { id, response, onEvent } = this.#options;
    const status = answer.statusCode ?? 0;
    this.#answer = answer;
    const retryMs = retryAfterMs(answer.headers["retry-after"], Date.now());
    const retry = retryMs === undefined ? {} : { retryAfterMs: retryMs };
    onEvent({ type: "model_response", id, status, ...retry });
    if (/^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "")) {
      this.#redactor.readEvents();
      this.#merger = new DeltaMerger((bytes) => this.#write(bytes));
    }
    response.writeHead(status, responseHeaders(answer.headers, this.#redactor));
    response.flushHeaders();
  }

  #pass(answer: IncomingMessage, chunk: Buffer): void {
    if (this.#isEnded) return;
    this.#timer.reset();
    const clean = this.#redactor.push(chunk);
    if ((answer.statusCode ?? 0) >= 400 && this.#bytesIn < MAX_QUOTED_BYTES)
      this.#quoted.push(clean.subarray(0, MAX_QUOTED_BYTES));
    this.#bytesIn += chunk.length;
    if (!this.#count(chunk)) return;
    if (clean.length === 0) return;
    if (this.#merger === undefined) this.#write(clean);
    else this.#merger.push(clean);
  }

  /** Sends a part of the response to the sandbox, and reads no more of it until that is read. */
  #write(bytes: Buffer): void {
    const { response } = this.#options;
    const answer = this.#answer;
    if (response.destroyed || response.writableEnded) return;
    if (response.write(bytes) || answer?.isPaused() !== false) return;
    answer.pause();
    response.once("drain", () => {
      this.#timer.reset();
      answer.resume();
    });
  }

  /** Counts a chunk of the response; false if it exceeds the turn's limit. */
  #count(chunk: Buffer): boolean {
    const { slot } = this.#options;
    this.#usage.push(chunk);
    slot.countTokens(this.#tokens());
    const spent = slot.spendBytes(chunk.length);
    if (!spent.ok) this.#fail("limit", spent.error, 403);
    return spent.ok;
  }

  #tokens(): number {
    return this.#usage.usage?.total ?? estimateTokens(this.#bytesOut + this.#bytesIn);
  }

  #finish(answer: IncomingMessage): void {
    if (!answer.complete || this.#isEnded) return;
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

  /** The upstream could not be reached, or closed the connection. */
  #onError(error: NodeJS.ErrnoException): void {
    // An error after the whole response has come is harmless, even if nobody has read it yet.
    if (this.#isEnded || this.#answer?.complete === true) return;
    const { kind, message } = connectFailure(error, this.#options.upstream.baseUrl.host);
    if (this.#answer !== undefined) this.#cut();
    else this.#fail(kind, this.#redactor.text(message), 502);
  }

  /**
   * The upstream cut the response: the sandbox must see a cut one too, never a short complete one.
   */
  #cut(): void {
    this.#fail("cut", "The model's answer broke off in the middle.", 502);
  }

  #fail(kind: ModelFailureKind, message: string, status: number): void {
    this.#end({ type: "failed", kind, message, status });
  }

  #reportRequest(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const { id, onEvent } = this.#options;
    onEvent({ type: "model_request", id, bytes: this.#bytesOut });
  }

  #end(end: CallEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#ending.abort();
    this.#timer.stop();
    const { response, slot } = this.#options;
    // The connection is reused only if the response was read and the request was sent to the end.
    if (this.#answer?.readableEnded !== true || this.#out?.writableFinished !== true)
      this.#out?.destroy();
    this.#merger?.end();
    if (end.type === "answered") response.end(end.rest);
    else if (end.type === "aborted") {
      if (!response.writableEnded) response.destroy();
    } else if (response.headersSent) cutResponse(response);
    else refuse(response, end.status, end.message);
    // SECURITY: a caller that leaves before the model has reported usage must not pay less for it.
    if (end.type === "aborted" && this.#isReported && this.#usage.usage === undefined)
      slot.countTokens(mostTokens(this.#bytesOut) + estimateTokens(this.#bytesIn));
    slot.release();
    this.#reportEnd(end);
  }

  #reportEnd(end: CallEnd): void {
    const { id, onEvent } = this.#options;
    const ms = Math.round(performance.now() - this.#startedMs);
    const { usage } = this.#usage;
    const sums = { bytesIn: this.#bytesIn, ms, ...(usage === undefined ? {} : { usage }) };
    const status = this.#answer === undefined ? undefined : (this.#answer.statusCode ?? 0);
    onEvent(endEvent(end, { id, sums, status }));
  }
}
