import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { mayBeLoopback } from "../../loopback.ts";
import { err, ok, type Result } from "../../result.ts";
import type { DecidedBy, EgressEvent } from "../events.ts";
import { printable } from "../http/index.ts";
import { type Interfaces, isNear, isPublicAddress } from "./address.ts";
import { entryFor, LOCALHOST, LOOPBACK } from "./allow.ts";
import { watchSocket } from "./connection-limits.ts";
import { type DialOptions, dial, systemLookup } from "./dial.ts";
import { FirstBytes } from "./first-bytes.ts";
import { forward, readPlainRequest } from "./forward.ts";
import type { NetworkLimits, NetworkPolicy } from "./policy.ts";
import { hostText, parseTarget, type Target, targetText } from "./target.ts";
import { checkServerName, MAX_FIRST_BYTES, splice } from "./tunnel.ts";
import { dialThrough, isDirect, type Route, type UpstreamProxy } from "./upstream-proxy.ts";

/** How many of the last refusals the proxy's own page lists. */
const REMEMBERED = 5;

/** Options of the proxy. */
export type NetworkProxyOptions = {
  readonly policy: NetworkPolicy;
  readonly limits: NetworkLimits;
  /** The model's endpoint, which the proxy refuses: it is reached by its own port only. */
  readonly model: URL;
  /** The proxy between this machine and the internet, if there is one. */
  readonly upstreamProxy?: UpstreamProxy | undefined;
  readonly onEvent: (event: EgressEvent) => void;
};

/** An open connection, and who allowed it. */
type OpenRoute = Route & { readonly by: DecidedBy };

/** Why a request is refused, and the status of the response. */
type Refusal = { readonly status: number; readonly why: string; readonly by: DecidedBy };

/**
 * The proxy that programs inside use: tunnels for TLS, and plain HTTP.
 *
 * SECURITY: everything that the client says is only a claim. A host that the settings do not list
 * is refused unless the user allows it; its name is not resolved before, since a DNS query carries
 * data out too.
 */
export class NetworkProxy {
  readonly #options: NetworkProxyOptions;
  readonly #model: Target | undefined;
  #connections = 0;
  #refusals: readonly string[] = [];
  #nextId = 1;

  constructor(options: NetworkProxyOptions) {
    this.#options = options;
    const { model } = options;
    this.#model = parseTarget(model.host, model.protocol === "http:" ? 80 : 443);
  }

  /** Handles a plain request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = printable(request.method ?? "", 16);
    if (request.url === "/" && method === "GET") return answer(response, 400, this.#description());
    const read = readPlainRequest(request);
    if (!read.ok) return answer(response, read.error.status, `codex-chat: ${read.error.why}.`);
    const { target } = read.value;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const done = await this.#withSlot(target, method, gone.signal, async (open, id) => {
      // "100 Continue": only now is the body wanted.
      if (request.headers.expect !== undefined) response.writeContinue();
      this.#watch(open, target, id);
      const failed = await forward(request, response, read.value, open);
      return failed === undefined ? ok() : err(unreachable(failed));
    });
    if (!done.ok && !response.headersSent) {
      const { status, why } = done.error;
      answer(response, status, this.#refuse(target, method, why, done.error.by));
    }
  }

  /** Handles a CONNECT; `head` holds the bytes that came right after it. */
  async tunnel(request: IncomingMessage, inside: Duplex, head: Buffer): Promise<void> {
    const target = parseTarget(request.url ?? "");
    if (target === undefined)
      return answerTunnel(inside, 400, "codex-chat: CONNECT needs a host and a port.");
    const first = new FirstBytes(inside, head, MAX_FIRST_BYTES);
    let isOpen = false;
    const done = await this.#withSlot(target, "CONNECT", first.gone, async (open, id) => {
      inside.write("HTTP/1.1 200 Connection established\r\n\r\n");
      isOpen = true;
      const checked = await checkServerName(
        target,
        first,
        open.socket,
        this.#options.limits.helloMs,
      );
      if (!checked.ok) {
        open.socket.destroy();
        return err({ status: 403, why: checked.error, by: "policy" });
      }
      this.#watch(open, target, id);
      first.release();
      splice(inside, open.socket, first.bytes);
      return ok();
    });
    if (done.ok) return;
    const message = this.#refuse(target, "CONNECT", done.error.why, done.error.by);
    if (isOpen) inside.destroy();
    else answerTunnel(inside, done.error.status, message);
  }

  /**
   * Handles a connection to a service of this machine, in any protocol: the settings list its very
   * address, and the user is not asked. SECURITY: the settings are checked for each connection.
   */
  async connect(target: Target, inside: Duplex): Promise<void> {
    const gone = new AbortController();
    inside.once("close", () => gone.abort());
    const done = await this.#withSlot(target, "TCP", gone.signal, async (open, id) => {
      this.#watch(open, target, id);
      splice(inside, open.socket, Buffer.alloc(0));
      return ok();
    });
    if (done.ok) return;
    this.#refuse(target, "TCP", done.error.why, done.error.by);
    inside.destroy();
  }

  /** Decides, dials and uses a connection; its slot is free again when it closes. */
  async #withSlot(
    target: Target,
    method: string,
    gone: AbortSignal,
    use: (open: OpenRoute, id: number) => Promise<Result<void, Refusal>>,
  ): Promise<Result<void, Refusal>> {
    const { maxConnections } = this.#options.limits;
    if (this.#connections >= maxConnections)
      return err({
        status: 503,
        why: `${maxConnections} connections are open, the most that are allowed`,
        by: "policy",
      });
    this.#connections++;
    const release = () => void this.#connections--;
    const opened = await this.#open(target, method === "CONNECT", gone);
    if (!opened.ok) {
      release();
      return opened;
    }
    const { socket, by } = opened.value;
    socket.once("close", release);
    const id = this.#nextId++;
    this.#options.onEvent({
      type: "network_allowed",
      id,
      host: target.host,
      port: target.port,
      method,
      by,
    });
    return use(opened.value, id);
  }

  async #open(
    target: Target,
    isTunnel: boolean,
    gone: AbortSignal,
  ): Promise<Result<OpenRoute, Refusal>> {
    const { policy, limits, upstreamProxy } = this.#options;
    if (this.#isModel(target))
      return err(byPolicy("the model's endpoint is reached on its own port only"));
    const allowed = policy.allowed();
    const isNamed = allowed.has(target);
    const why = isNamed ? undefined : neverAsked(target, policy.interfaces?.());
    if (why !== undefined) return err(byPolicy(why));
    const verdict = isNamed ? undefined : await policy.decide(target, gone);
    if (verdict?.allowed === false) return err({ status: 403, ...verdict });
    const ends = verdict?.ends;
    const options: DialOptions = {
      lookup: target.host === LOCALHOST ? async () => LOOPBACK : (policy.lookup ?? systemLookup),
      interfaces: policy.interfaces,
      connectMs: limits.connectMs,
      mayDial: (at) => allowed.has(at),
      isForbidden: (host, port) => this.#isModel({ host, port, isAddress: true }),
      signal: ends === undefined ? gone : AbortSignal.any([gone, ends]),
    };
    const dialled =
      upstreamProxy === undefined || isDirect(upstreamProxy, target)
        ? await dial(target, options)
        : await dialThrough(upstreamProxy, target, isTunnel, options);
    if (!dialled.ok) {
      const { kind, why: failed } = dialled.error;
      return err(kind === "forbidden" ? byPolicy(failed) : unreachable(failed));
    }
    const { socket } = dialled.value;
    const end = () => void socket.destroy();
    ends?.addEventListener("abort", end, { once: true });
    if (ends?.aborted === true) end();
    socket.once("close", () => ends?.removeEventListener("abort", end));
    return ok({ ...dialled.value, by: verdict?.by ?? "config" });
  }

  /**
   * Whether a target is the model's endpoint. SECURITY: through the proxy, the limits on model
   * calls would not apply. A name matches on any port and an address on the model's port; a model
   * on this machine matches by every loopback address.
   */
  #isModel({ host, port, isAddress }: Target): boolean {
    const model = this.#model;
    if (model === undefined) return false;
    if (mayBeLoopback(model.host)) return port === model.port && mayBeLoopback(host);
    return host === model.host && (!isAddress || port === model.port);
  }

  #watch({ socket, by }: OpenRoute, target: Target, id: number): void {
    watchSocket(socket, this.#options.limits, (end) =>
      this.#options.onEvent({
        type: "network_done",
        id,
        host: target.host,
        port: target.port,
        by,
        ...end,
      }),
    );
  }

  #refuse(target: Target, method: string, why: string, by: DecidedBy): string {
    const { host, port } = target;
    this.#options.onEvent({
      type: "network_refused",
      host: hostText(host),
      port,
      method,
      reason: why,
      by,
    });
    const hint = by === "policy" ? "" : ` network.allow = { "${entryFor(target)}" } allows it.`;
    const message = `codex-chat: network access to ${targetText(target)} is refused: ${why}.${hint}`;
    this.#refusals = [...this.#refusals.filter((earlier) => earlier !== message), message].slice(
      -REMEMBERED,
    );
    return message;
  }

  /** The reply to `curl $HTTP_PROXY`: most tools do not show why they were refused. */
  #description(): string {
    const what = "codex-chat: this is the sandbox's proxy to the hosts that its user allows.";
    return this.#refusals.length === 0 ? what : [what, ...this.#refusals].join("\n");
  }
}

/** Why a host is refused without asking the user; undefined if the user is asked. */
function neverAsked(target: Target, interfaces?: Interfaces): string | undefined {
  const { host, isAddress } = target;
  const opens = `only network.allow with "${entryFor(target)}" opens it`;
  if (isAddress && !isPublicAddress(host)) return `it is not a public internet address; ${opens}`;
  if (isAddress && isNear(host, interfaces)) return `it is on this machine's own network; ${opens}`;
  if (!isAddress && (!host.includes(".") || /\.(localhost|local|internal|onion)$/.test(host)))
    return `it is not a public internet name; ${opens}`;
  return undefined;
}

function byPolicy(why: string): Refusal {
  return { status: 403, why, by: "policy" };
}

/** A connect failure. Reported like a refusal, with 502. */
function unreachable(why: string): Refusal {
  return { status: 502, why, by: "policy" };
}

function answer(response: ServerResponse, status: number, message: string): void {
  const body = `${message}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
}

/** The message is also the reason phrase: the only part that some programs show. */
function answerTunnel(
  inside: Duplex & { readonly destroySoon?: () => void },
  status: number,
  message: string,
): void {
  const body = `${message}\n`;
  if (!inside.writable) {
    inside.destroy();
    return;
  }
  inside.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]} by ${message.replace(/[^\x20-\x7e]/g, "?")}`,
      "content-type: text/plain; charset=utf-8",
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
      "",
      body,
    ].join("\r\n"),
  );
  inside.resume();
  inside.destroySoon?.();
}
