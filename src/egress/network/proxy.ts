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

/** How many of the last refusals are told to whoever asks. */
const REMEMBERED = 5;

/** What a proxy is made from. */
export type NetworkProxyOptions = {
  readonly policy: NetworkPolicy;
  readonly limits: NetworkLimits;
  /** The model's endpoint, which has a port of its own and is reached by no other way. */
  readonly model: URL;
  /** What stands between this machine and the world; absent where nothing does. */
  readonly upstreamProxy?: UpstreamProxy | undefined;
  readonly onEvent: (event: EgressEvent) => void;
};

/** A connection that is open, and who said that it may be. */
type OpenRoute = Route & { readonly by: DecidedBy };

/** Why a request is not served, and with which status that is answered. */
type Refusal = { readonly status: number; readonly why: string; readonly by: DecidedBy };

/**
 * The proxy that programs inside are told of: tunnels for TLS, and plain HTTP.
 *
 * SECURITY: whatever the client says is a claim. What the configuration does not name is refused
 * unless the user says otherwise; no name is resolved before that, since a question to the resolver
 * carries data out, too.
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

  /** Takes a plain request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = printable(request.method ?? "", 16);
    if (request.url === "/" && method === "GET") return answer(response, 400, this.#description());
    const read = readPlainRequest(request);
    if (!read.ok) return answer(response, read.error.status, `codex-chat: ${read.error.why}.`);
    const { target } = read.value;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const done = await this.#withSlot(target, method, gone.signal, async (open, id) => {
      // The body is wanted now, and not while it was being decided.
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

  /** Takes a CONNECT; `head` is what came right behind it. */
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
   * Takes a connection for a service of this machine, in whatever protocol: the configuration names
   * its very address, and nobody is asked. SECURITY: that is looked at anew for each connection.
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

  /** Decides, dials and uses the connection; its place is free again when the connection is gone. */
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
        why: `${maxConnections} connections are open, the most that may be`,
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
   * SECURITY: the caps would count for nothing there. By its name it is the model's on any port, by
   * an address on its own; a model on this machine is so by every loopback address.
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
    this.#refusals = [...this.#refusals.filter((it) => it !== message), message].slice(-REMEMBERED);
    return message;
  }

  /** For whoever asks the proxy itself, as `curl $HTTP_PROXY`: most tools show no reason of a refusal. */
  #description(): string {
    const what = "codex-chat: this is the sandbox's proxy to hosts that its user has allowed.";
    return this.#refusals.length === 0 ? what : [what, ...this.#refusals].join("\n");
  }
}

/** Why nobody is even asked about a host. */
function neverAsked(target: Target, interfaces?: Interfaces): string | undefined {
  const { host, isAddress } = target;
  const opens = `only network.allow with "${entryFor(target)}" opens it`;
  if (isAddress && !isPublicAddress(host))
    return `it is no address of the public internet; ${opens}`;
  if (isAddress && isNear(host, interfaces)) return `it is on this machine's own network; ${opens}`;
  if (!isAddress && (!host.includes(".") || /\.(localhost|local|internal|onion)$/.test(host)))
    return `it is no name of the public internet; ${opens}`;
  return undefined;
}

function byPolicy(why: string): Refusal {
  return { status: 403, why, by: "policy" };
}

/** Not refused, but it comes to the same: the network has said no. */
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

/** Programs show the reason phrase of a refused tunnel, where they show anything. */
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
