import type { Duplex, Readable, Writable } from "node:stream";
import * as z from "zod";
import type { Log } from "../log.ts";
import { parseJson } from "../parse-json.ts";
import { err, ok, type Result } from "../result.ts";
import { eventSink } from "./event-sink.ts";
import type { EgressError, EgressEvent } from "./events.ts";
import { createService } from "./http/index.ts";
import { Mux } from "./link/index.ts";
import {
  checkResponsesRequest,
  type ModelCallLimits,
  ModelProxy,
  type TurnAllowance,
  TurnGate,
  type TurnLimits,
  type TurnPass,
  type TurnStarter,
  type Upstream,
} from "./model/index.ts";
import {
  AllowList,
  DEFAULT_NETWORK_LIMITS,
  type NetworkLimits,
  type NetworkPolicy,
  NetworkProxy,
  type Target,
} from "./network/index.ts";

/** How long the relay may take to say which ports it listens on. */
const HELLO_MS = 20_000;

const Port = z.number().int().min(1).max(65_535);
const Hello = z.object({ version: z.literal(1), model: Port, proxy: Port });

const MODEL_SERVICE = 1;
const PROXY_SERVICE = 2;
/** The number of the first service of this machine that the relay offers inside. */
const LOCAL_SERVICE = 3;

type Limits = TurnLimits &
  ModelCallLimits &
  NetworkLimits & {
    /** How long a connection may take until its request's headers are whole. */
    readonly headersMs: number;
  };

/** Limits on what goes out; all have defaults. Times are milliseconds. */
export type EgressLimits = Partial<Limits>;

const DEFAULT_LIMITS: Limits = {
  maxRequestsPerTurn: 200,
  maxConcurrent: 8,
  maxBytesPerTurn: 512 * 1024 ** 2,
  // 200 calls of 100,000 tokens each.
  maxTokensPerTurn: 20_000_000,
  maxRequestBytes: 32 * 1024 ** 2,
  headersMs: 10_000,
  bodyIdleMs: 30_000,
  responseIdleMs: 300_000,
  silenceMs: 60_000,
  ...DEFAULT_NETWORK_LIMITS,
};

/** The default policy: nothing but the model can be reached. */
const CLOSED: NetworkPolicy = {
  allowed: () => AllowList.none,
  decide: async () => ({
    allowed: false,
    by: "policy",
    why: "this sandbox reaches the model and nothing else",
  }),
};

/** An attached relay. */
export type RelayLink = {
  /** Inside, on 127.0.0.1: the model's endpoint under `/v1`. */
  readonly modelPort: number;
  /** Inside, on 127.0.0.1: the HTTP proxy that programs are configured to use. */
  readonly proxyPort: number;
  /** Resolves once with the reason; never rejects. */
  readonly closed: Promise<string>;
  readonly close: () => void;
};

/** The only way out of a sandbox. */
export type Egress = {
  /** Attaches a relay over its stdin and stdout. Errors: `relay_failed`. */
  readonly attach: (relay: {
    readonly readable: Readable;
    readonly writable: Writable;
    /** The services of this machine that the relay offers, in the order of its arguments. */
    readonly local?: readonly Target[];
    readonly signal?: AbortSignal;
  }) => Promise<Result<RelayLink, EgressError>>;
  /**
   * Allows model calls until the pass is ended; with an allowance, only what is left of it. Until
   * `ready` has settled no response reaches the sandbox.
   */
  readonly beginTurn: (allowance?: TurnAllowance, ready?: Promise<unknown>) => TurnPass;
  /**
   * A shared budget for turns that Codex starts by itself, or that follow one request of the user.
   */
  readonly allowance: (startedBy?: TurnStarter) => TurnAllowance;
  /** How many model calls are in progress. */
  readonly activeCalls: () => number;
  /** Closes every link, including one that is still being attached; idempotent. */
  readonly close: () => void;
};

/** Creates the way out to one fixed upstream. Nothing listens on the host. */
export function createEgress(options: {
  readonly upstream: Upstream;
  /** What else may be reached; nothing by default. */
  readonly network?: NetworkPolicy;
  readonly limits?: EgressLimits;
  /** The models that may be requested; any by default. */
  readonly models?: () => ReadonlySet<string>;
  /** The efforts that no call may exceed; without them, any effort is allowed. */
  readonly efforts?: () => ReadonlySet<string> | undefined;
  /**
   * Decides which bodies pass and returns the bytes to send; by default, only Codex's own calls
   * pass.
   */
  readonly checkBody?: (body: Buffer) => Result<Buffer, string>;
  /** Receives each request that was let through. SECURITY: it comes from inside. */
  readonly onRequest?: (request: Readonly<Record<string, unknown>>) => void;
  readonly onEvent: (event: EgressEvent) => void;
  readonly log: Log;
}): Egress {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const gate = new TurnGate(limits);
  const onEvent = eventSink(options.onEvent, options.log);
  const { models, efforts } = options;
  const {
    onRequest,
    checkBody = (body) => checkResponsesRequest(body, models?.(), efforts?.(), onRequest),
  } = options;
  const proxy = new ModelProxy({ ...options, checkBody, onEvent, limits, gate });
  const serveModel = createService(
    {
      onRequest: (request, response) => proxy.handle(request, response),
      onTunnel: () => proxy.refuseTunnel(),
    },
    limits,
  );
  const network = new NetworkProxy({
    policy: options.network ?? CLOSED,
    limits,
    model: options.upstream.baseUrl,
    upstreamProxy: options.upstream.upstreamProxy,
    onEvent,
  });
  const logFailure = (thrown: unknown) => options.log.error({ err: thrown }, "the proxy failed");
  const serveProxy = createService(
    {
      onRequest: (request, response) => {
        network.handle(request, response).catch((thrown) => {
          logFailure(thrown);
          response.destroy();
        });
      },
      onConnect: (request, connection, head) => {
        network.tunnel(request, connection, head).catch((thrown) => {
          logFailure(thrown);
          connection.destroy();
        });
      },
      onTunnel: () => "codex-chat: a connection is not upgraded here; only https can carry that.",
    },
    limits,
  );
  const links = new Set<RelayLink>();
  const closing = new AbortController();
  return {
    attach: async ({ signal, local = [], ...relay }) => {
      const stop = [closing.signal, ...(signal === undefined ? [] : [signal])];
      const link = await attach(
        { ...relay, signal: AbortSignal.any(stop) },
        {
          onStream: (service, stream) => {
            if (service === MODEL_SERVICE) serveModel(stream);
            else if (service === PROXY_SERVICE) serveProxy(stream);
            else {
              const target = local[service - LOCAL_SERVICE];
              if (target === undefined) stream.destroy();
              else
                network.connect(target, stream).catch((thrown) => {
                  logFailure(thrown);
                  stream.destroy();
                });
            }
          },
          onClosed: (reason) => onEvent({ type: "relay_closed", reason }),
        },
      );
      if (link.ok) {
        links.add(link.value);
        void link.value.closed.then(() => links.delete(link.value));
      }
      return link;
    },
    beginTurn: (allowance, ready) => gate.begin(allowance, ready),
    allowance: (startedBy) => gate.allowance(startedBy),
    activeCalls: () => gate.activeCalls,
    close: () => {
      closing.abort();
      for (const link of links) link.close();
      proxy.close();
    },
  };
}

async function attach(
  relay: {
    readonly readable: Readable;
    readonly writable: Writable;
    readonly signal: AbortSignal;
  },
  handlers: {
    readonly onStream: (service: number, stream: Duplex) => void;
    readonly onClosed: (reason: string) => void;
  },
): Promise<Result<RelayLink, EgressError>> {
  let settleHello: (hello: z.infer<typeof Hello> | string) => void = () => {};
  const hello = new Promise<z.infer<typeof Hello> | string>((resolve) => {
    settleHello = resolve;
  });
  let settleClosed: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    settleClosed = resolve;
  });
  const mux = new Mux(relay.readable, relay.writable, {
    onHello: (payload) => settleHello(parseHello(payload) ?? "its greeting cannot be read"),
    onStream: handlers.onStream,
    onClosed: (reason) => {
      settleHello(reason);
      settleClosed(reason);
      handlers.onClosed(reason);
    },
  });
  const timer = setTimeout(() => settleHello(`it sent nothing for ${HELLO_MS / 1000} s`), HELLO_MS);
  const stop = () => settleHello("it was stopped");
  relay.signal.addEventListener("abort", stop, { once: true });
  if (relay.signal.aborted) stop();
  const said = await hello;
  const greeted = relay.signal.aborted ? "it was stopped" : said;
  clearTimeout(timer);
  relay.signal.removeEventListener("abort", stop);
  if (typeof greeted === "string") {
    mux.close(greeted);
    return err({
      kind: "relay_failed",
      message: `The relay in the sandbox did not start: ${greeted}.`,
      fix: "Send again. If that does not help, see :CodexChat log.",
    });
  }
  return ok({
    modelPort: greeted.model,
    proxyPort: greeted.proxy,
    closed,
    close: () => mux.close("closed from here"),
  });
}

function parseHello(payload: Buffer): z.infer<typeof Hello> | undefined {
  return Hello.safeParse(parseJson(payload.toString("utf8"))).data;
}
