import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../../log.ts";
import type { Result } from "../../result.ts";
import type { EgressEvent } from "../events.ts";
import { refuse, tooLarge } from "../http/index.ts";
import { isIdentity } from "./headers.ts";
import { ModelCall, type ModelCallLimits } from "./model-call.ts";
import type { TurnGate } from "./turn-gate.ts";
import { type Upstream, UpstreamCaller } from "./upstream.ts";

/** The only HTTP call that Codex (0.169) makes to a provider; everything else is refused. */
const METHOD = "POST";
const PATH = "/v1/responses";
/** How many secrets are kept, earlier keys included, to redact them from responses. */
const MAX_SECRETS = 32;

/**
 * Serves the model's port: passes the one call in use to the fixed upstream with the key added, and
 * refuses everything else.
 *
 * SECURITY: the request comes from inside. Its Host, credentials, cookies, target and hop-by-hop
 * headers never reach the upstream, and the length of its body is what the parser has read.
 */
export class ModelProxy {
  readonly #upstream: Upstream;
  readonly #caller: UpstreamCaller;
  readonly #limits: ModelCallLimits;
  readonly #gate: TurnGate;
  readonly #checkBody: (body: Buffer) => Result<Buffer, string>;
  readonly #onEvent: (event: EgressEvent) => void;
  readonly #log: Log;
  readonly #secrets = new Set<string>();
  #nextId = 1;

  constructor(options: {
    readonly upstream: Upstream;
    readonly limits: ModelCallLimits;
    readonly gate: TurnGate;
    readonly checkBody: (body: Buffer) => Result<Buffer, string>;
    readonly onEvent: (event: EgressEvent) => void;
    readonly log: Log;
  }) {
    this.#upstream = options.upstream;
    this.#caller = new UpstreamCaller(options.upstream, options.log);
    this.#limits = options.limits;
    this.#gate = options.gate;
    this.#checkBody = options.checkBody;
    this.#onEvent = options.onEvent;
    this.#log = options.log;
  }

  /** Handles one request of Node's HTTP server. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.#refuse(response, refusal.status, refusal.message);
      return;
    }
    let call: ModelCall | undefined;
    const slot = this.#gate.enter(() => call?.abort("turn_end"));
    // Codex does not retry a 403.
    if (!slot.ok) {
      this.#refuse(response, 403, slot.error);
      return;
    }
    const id = this.#nextId++;
    this.#log.debug({ id, host: this.#upstream.baseUrl.host }, "model request");
    call = new ModelCall({
      id,
      request,
      response,
      upstream: this.#upstream,
      caller: this.#caller,
      limits: this.#limits,
      slot: slot.value,
      checkBody: this.#checkBody,
      remember: (secrets) => this.#remember(secrets),
      onEvent: this.#onEvent,
    });
    void call.run();
  }

  /** Refuses a CONNECT or an upgrade. */
  refuseTunnel(): string {
    const reason = `codex-chat: only ${METHOD} ${PATH} is served on the model's port.`;
    this.#onEvent({ type: "model_refused", reason });
    return reason;
  }

  close(): void {
    this.#caller.close();
  }

  #refuse(response: ServerResponse, status: number, message: string): void {
    this.#onEvent({ type: "model_refused", reason: message });
    refuse(response, status, message);
  }

  #refusalOf(request: IncomingMessage): { status: number; message: string } | undefined {
    const { method, url, headers } = request;
    if (url !== PATH)
      return { status: 404, message: `codex-chat: only ${PATH} is served on the model's port.` };
    if (method !== METHOD)
      return { status: 405, message: `codex-chat: only ${METHOD} is served on ${PATH}.` };
    const { maxRequestBytes } = this.#limits;
    if (Number(headers["content-length"] ?? 0) > maxRequestBytes)
      return { status: 413, message: tooLarge(maxRequestBytes) };
    // SECURITY: a compressed body could not be checked, and could be far larger than it seems.
    if (!isIdentity({ "content-encoding": headers["content-encoding"] ?? "" }))
      return { status: 415, message: "codex-chat: a compressed request is refused." };
    return undefined;
  }

  /**
   * A key may be renewed while an older call is still being answered, so older keys stay secret.
   */
  #remember(secrets: readonly string[]): readonly string[] {
    for (const secret of secrets) {
      this.#secrets.delete(secret);
      this.#secrets.add(secret);
    }
    for (const oldest of this.#secrets) {
      if (this.#secrets.size <= Math.max(MAX_SECRETS, secrets.length)) break;
      this.#secrets.delete(oldest);
    }
    return [...this.#secrets];
  }
}
