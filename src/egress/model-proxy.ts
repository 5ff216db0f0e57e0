import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type ClientRequest, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Log } from "../log.ts";
import type { EgressEvent } from "./events.ts";
import { Redactor } from "./redact.ts";
import { refuse } from "./refuse.ts";
import type { TurnGate } from "./turn-gate.ts";

/** A header that authorizes calls upstream. */
export type AuthorizationHeader = readonly [name: string, value: string];

/** The one place that model calls go to. */
export type Upstream = {
  /** With a path prefix, such as `https://api.openai.com/v1`. */
  readonly baseUrl: URL;
  readonly authorization: readonly AuthorizationHeader[];
};

export type ModelProxyLimits = {
  readonly maxRequestBytes: number;
  /** How long the upstream may send nothing before the call is given up. */
  readonly responseIdleMs: number;
  /** How long it may send nothing before the user is told. */
  readonly silenceMs: number;
};

/** The only call that Codex makes of a provider over HTTP (0.169); all else is refused. */
const METHOD = "POST";
const PATH = "/v1/responses";

/** What of a request goes upstream; everything else that the sandbox sends is dropped. */
const REQUEST_HEADERS =
  /^(content-type|accept|user-agent|originator|session[-_]id|thread-id|conversation[-_]id|version|openai-beta|x-codex-[a-z-]+|x-client-request-id)$/;
/** What of an answer goes to the sandbox. */
const RESPONSE_HEADERS =
  /^(content-type|cache-control|retry-after|retry-after-ms|x-request-id|openai-[a-z-]+|x-ratelimit-[a-z-]+|x-codex-[a-z-]+)$/;

/**
 * Answers requests on the model's port: passes the one call in use to the fixed upstream, with the
 * key added here, and refuses everything else.
 *
 * SECURITY: the request comes from inside. Its Host, credentials, cookies, target and hop-by-hop
 * headers never reach the upstream, and the body's length is taken from what really arrives.
 */
export class ModelProxy {
  readonly #upstream: Upstream;
  readonly #limits: ModelProxyLimits;
  readonly #gate: TurnGate;
  readonly #onEvent: (event: EgressEvent) => void;
  readonly #log: Log;
  readonly #secrets: readonly string[];
  #nextId = 1;

  constructor(options: {
    readonly upstream: Upstream;
    readonly limits: ModelProxyLimits;
    readonly gate: TurnGate;
    readonly onEvent: (event: EgressEvent) => void;
    readonly log: Log;
  }) {
    this.#upstream = options.upstream;
    this.#limits = options.limits;
    this.#gate = options.gate;
    this.#onEvent = options.onEvent;
    this.#log = options.log;
    this.#secrets = options.upstream.authorization.flatMap(([, value]) => [
      value,
      value.replace(/^\S+ /, ""),
    ]);
  }

  /** Handles one request of Node's HTTP server. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.#onEvent({ type: "model_refused", reason: refusal.message });
      refuse(response, refusal.status, refusal.message);
      request.resume();
      return;
    }
    const pass = this.#gate.enter();
    if (!pass.ok) {
      this.#onEvent({ type: "model_refused", reason: pass.error });
      // 403 is what Codex does not retry.
      refuse(response, 403, pass.error);
      request.resume();
      return;
    }
    const leave = pass.value;
    response.on("close", leave);
    this.#forward(request, response);
  }

  #refusalOf(request: IncomingMessage): { status: number; message: string } | undefined {
    const { method, url, headers } = request;
    if (url !== PATH)
      return { status: 404, message: `codex-chat: only ${PATH} is served on the model's port.` };
    if (method !== METHOD)
      return { status: 405, message: `codex-chat: only ${METHOD} is served on ${PATH}.` };
    const length = Number(headers["content-length"] ?? 0);
    if (length > this.#limits.maxRequestBytes)
      return { status: 413, message: tooLarge(this.#limits.maxRequestBytes) };
    return undefined;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const id = this.#nextId++;
    const call = new ModelCall(
      id,
      response,
      new Redactor(this.#secrets),
      this.#limits,
      this.#onEvent,
    );
    const upstream = this.#open(request, id);
    upstream.on("response", (answer) => call.answer(answer));
    upstream.on("error", (error) => call.fail(error, this.#upstream.baseUrl));
    call.onGiveUp = () => upstream.destroy();
    response.on("close", () => {
      call.stopTimers();
      if (!response.writableFinished) upstream.destroy();
    });
    call.startTimers();
    this.#copyBody(request, upstream, response, id);
  }

  #open(request: IncomingMessage, id: number): ClientRequest {
    const { baseUrl, authorization } = this.#upstream;
    const url = new URL(baseUrl);
    url.pathname = `${baseUrl.pathname.replace(/\/+$/, "")}/responses`;
    const headers: OutgoingHttpHeaders = {};
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && REQUEST_HEADERS.test(name)) headers[name] = value;
    // An encoded answer could hide the key from the redaction.
    headers["accept-encoding"] = "identity";
    for (const [name, value] of authorization) headers[name] = value;
    this.#log.debug({ id, host: url.host }, "model request");
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    return open(url, { method: METHOD, headers });
  }

  #copyBody(
    request: IncomingMessage,
    upstream: ClientRequest,
    response: ServerResponse,
    id: number,
  ): void {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > this.#limits.maxRequestBytes) {
        upstream.destroy();
        request.pause();
        refuse(response, 413, tooLarge(this.#limits.maxRequestBytes));
        return;
      }
      if (!upstream.write(chunk)) {
        request.pause();
        upstream.once("drain", () => request.resume());
      }
    });
    request.on("end", () => {
      this.#onEvent({ type: "model_request", id, bytes });
      upstream.end();
    });
    request.on("error", () => upstream.destroy());
    request.on("aborted", () => upstream.destroy());
  }
}

/** One answer on its way from the upstream to the sandbox. */
class ModelCall {
  onGiveUp: () => void = () => {};
  readonly #id: number;
  readonly #response: ServerResponse;
  readonly #redactor: Redactor;
  readonly #limits: ModelProxyLimits;
  readonly #onEvent: (event: EgressEvent) => void;
  readonly #startedMs = performance.now();
  #silence: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #bytesIn = 0;
  #over = false;

  constructor(
    id: number,
    response: ServerResponse,
    redactor: Redactor,
    limits: ModelProxyLimits,
    onEvent: (event: EgressEvent) => void,
  ) {
    this.#id = id;
    this.#response = response;
    this.#redactor = redactor;
    this.#limits = limits;
    this.#onEvent = onEvent;
  }

  startTimers(): void {
    const { silenceMs, responseIdleMs } = this.#limits;
    this.#silence = setTimeout(() => {
      this.#onEvent({ type: "model_silence", id: this.#id, ms: silenceMs });
    }, silenceMs);
    this.#idle = setTimeout(() => {
      this.#failed("timeout", `The model sent nothing for ${responseIdleMs / 1000} s.`, 504);
      this.onGiveUp();
    }, responseIdleMs);
  }

  stopTimers(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#idle);
  }

  answer(answer: IncomingMessage): void {
    const status = answer.statusCode ?? 502;
    if (status >= 300 && status < 400) {
      answer.destroy();
      const where = this.#redactor.text(String(answer.headers.location ?? "nowhere")).slice(0, 200);
      this.#failed(
        "redirect",
        `The model's endpoint redirects (${status}) to ${where}; redirects are not followed. Set model_url to the right address.`,
        502,
      );
      return;
    }
    const retryAfterMs = retryAfter(answer.headers["retry-after"]);
    this.#onEvent({
      type: "model_response",
      id: this.#id,
      status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    const headers: OutgoingHttpHeaders = {};
    for (const [name, value] of Object.entries(answer.headers))
      if (typeof value === "string" && RESPONSE_HEADERS.test(name))
        headers[name] = this.#redactor.text(value);
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
    answer.on("data", (chunk: Buffer) => this.#pass(answer, chunk));
    answer.on("end", () => this.#finish(answer));
    answer.on("close", () => {
      if (!answer.complete) this.#cut();
    });
    answer.on("error", () => this.#cut());
  }

  /** The upstream could not be reached, or broke off before it answered. */
  fail(error: Error, baseUrl: URL): void {
    if (this.#response.headersSent) {
      this.#cut();
      return;
    }
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const isTls = /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/.test(code);
    const what = {
      ENOTFOUND: "its name cannot be resolved",
      EAI_AGAIN: "its name cannot be resolved now",
      ECONNREFUSED: "nothing listens there",
      ECONNRESET: "it broke the connection",
      ETIMEDOUT: "it does not answer",
      EHOSTUNREACH: "there is no way to it",
      ENETUNREACH: "there is no network",
    }[code];
    this.#failed(
      isTls ? "tls" : "unreachable",
      `The model's endpoint ${baseUrl.host} cannot be used: ${what ?? this.#redactor.text(error.message)}.`,
      502,
    );
  }

  #pass(answer: IncomingMessage, chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    clearTimeout(this.#silence);
    clearTimeout(this.#idle);
    this.startTimers();
    const clean = this.#redactor.push(chunk);
    if (clean.length === 0 || this.#response.write(clean)) return;
    answer.pause();
    this.#response.once("drain", () => answer.resume());
  }

  #finish(answer: IncomingMessage): void {
    if (!answer.complete || this.#over) return;
    this.#over = true;
    this.stopTimers();
    this.#response.end(this.#redactor.end());
    const ms = Math.round(performance.now() - this.#startedMs);
    this.#onEvent({ type: "model_done", id: this.#id, bytesIn: this.#bytesIn, ms });
  }

  /** Broken off upstream: the sandbox must see a broken answer, too, never a short whole one. */
  #cut(): void {
    if (this.#over || this.#response.destroyed) return;
    this.#failed("cut", "The model's answer broke off in the middle.", 502);
  }

  #failed(
    kind: Extract<EgressEvent, { type: "model_failed" }>["kind"],
    message: string,
    status: number,
  ): void {
    if (this.#over) return;
    this.#over = true;
    this.stopTimers();
    this.#onEvent({ type: "model_failed", id: this.#id, kind, message });
    if (this.#response.headersSent) this.#response.destroy();
    else refuse(this.#response, status, message);
  }
}

function tooLarge(maxBytes: number): string {
  return `codex-chat: the request is larger than ${Math.round(maxBytes / 1024 ** 2)} MiB.`;
}

/** Seconds or a date, as the header has it; undefined where it is neither. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
