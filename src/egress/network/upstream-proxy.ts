import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { mayBeLoopback } from "../../loopback.ts";
import { err, ok, type Result } from "../../result.ts";
import type { AllowList } from "./allow.ts";
import { type DialError, type DialOptions, forbiddenError, isDialable, reasonOf } from "./dial.ts";
import { parseTarget, type Target, targetText } from "./target.ts";

/** The proxy between this machine and the internet that the user's settings name. */
export type UpstreamProxy = {
  /** An `http:` URL with a host and a port. */
  readonly url: URL;
  /**
   * Gets `user:password` for a connection. SECURITY: they go to the proxy alone, and its response
   * to a CONNECT with them is never passed on.
   */
  readonly credentials?: () => Promise<Result<string, { readonly message: string }>>;
  /** Called once if the proxy has refused them: true if there may be new ones. */
  readonly renew?: () => Promise<boolean>;
  /** Hosts reached without the proxy, besides this machine. */
  readonly direct: AllowList;
};

const MAX_ANSWER_HEADERS = 64 * 1024;
/** How long this machine's resolver may take for a name that the proxy resolves anyway. */
const LOOKUP_MS = 3000;

/** The proxy as a target, so that programs inside can be kept from it. */
function proxyTarget({ url }: UpstreamProxy): Target | undefined {
  return parseTarget(url.host, 80);
}

/**
 * Whether a target is reached without the proxy. SECURITY: this machine always is, or the proxy's
 * own machine would be reached.
 */
export function isDirect({ direct }: Pick<UpstreamProxy, "direct">, target: Target): boolean {
  return mayBeLoopback(target.host) || direct.has(target);
}

/** A connection on which a target can be reached. */
export type Route = {
  readonly socket: Socket;
  /** Set if the connection ends at the proxy: a plain request there needs its full URL. */
  readonly atProxy?: ProxyRoute;
};

/** What a plain request to the proxy needs. */
type ProxyRoute = {
  readonly authorization: string | undefined;
  /** Handles a 407; returns the reason for the program inside. */
  readonly refused: () => string;
};

/**
 * Connects to a target that is allowed, through the proxy: by CONNECT for a tunnel, or with a
 * connection to the proxy itself for a plain request.
 *
 * SECURITY: the proxy resolves the name, and which address it dials cannot be seen from here. So
 * the addresses that this machine's resolver finds are checked as without a proxy, but more
 * strictly: a single forbidden address refuses the name. A name that is unknown here is left to the
 * proxy.
 */
export async function dialThrough(
  proxy: UpstreamProxy,
  target: Target,
  isTunnel: boolean,
  options: DialOptions,
): Promise<Result<Route, DialError>> {
  if (sameTarget(proxyTarget(proxy), target))
    return err({ kind: "forbidden", why: "it is the proxy of network.proxy itself" });
  const wrong = await forbiddenAddress(target, options);
  if (wrong !== undefined) return err(forbiddenError(target, wrong, options));
  if (!isTunnel) return plainRoute(proxy, options);
  const tunnel = await openTunnel(proxy, target, options);
  return tunnel.ok ? ok({ socket: tunnel.value }) : tunnel;
}

async function plainRoute(
  proxy: UpstreamProxy,
  options: Pick<DialOptions, "connectMs" | "signal">,
): Promise<Result<Route, DialError>> {
  const asked = await proxy.credentials?.();
  if (asked?.ok === false) return failed(proxy, `needs a password: ${asked.error.message}`);
  const socket = await connectTo(proxy, options);
  if (!socket.ok) return failed(proxy, socket.error);
  const refused = () => {
    void proxy.renew?.().catch(() => false);
    return `the proxy ${proxy.url.host} ${statusMeaning(407, asked !== undefined)}`;
  };
  return ok({
    socket: socket.value,
    atProxy: { authorization: asked && basic(asked.value), refused },
  });
}

async function forbiddenAddress(target: Target, options: DialOptions): Promise<string | undefined> {
  const found = target.isAddress ? [target.host] : await addressesHere(target.host, options);
  return found.find((host) => !isDialable({ ...target, host }, options));
}

async function addressesHere(
  name: string,
  { lookup, signal }: DialOptions,
): Promise<readonly string[]> {
  const stop = new AbortController();
  const late = pause(LOOKUP_MS, [] as readonly string[], {
    signal: AbortSignal.any([signal, stop.signal]),
    ref: false,
  }).catch(() => []);
  const found = await Promise.race([lookup(name).catch(() => []), late]);
  stop.abort();
  return found;
}

/**
 * Opens a tunnel to a target by the proxy's CONNECT. The error completes "access to … is refused:
 * ", and quotes nothing from the proxy.
 */
export async function openTunnel(
  proxy: UpstreamProxy,
  target: Target,
  options: Pick<DialOptions, "connectMs" | "signal">,
): Promise<Result<Socket, DialError>> {
  for (let isRetry = false; ; isRetry = true) {
    const asked = await proxy.credentials?.();
    if (asked?.ok === false) return failed(proxy, `needs a password: ${asked.error.message}`);
    const connected = await connectTo(proxy, options);
    if (!connected.ok) return failed(proxy, connected.error);
    const answer = await sendConnect(connected.value, target, asked?.value, options);
    if (typeof answer === "string") return failed(proxy, answer);
    const { socket, status } = answer;
    if (status >= 200 && status < 300) return ok(socket);
    socket.destroy();
    const mayRenew = status === 407 && !isRetry && asked !== undefined;
    if (!mayRenew || (await proxy.renew?.()) !== true)
      return failed(proxy, statusMeaning(status, asked !== undefined));
  }
}

/** Connects to the proxy itself. */
function connectTo(
  { url }: UpstreamProxy,
  { connectMs, signal }: Pick<DialOptions, "connectMs" | "signal">,
): Promise<Result<Socket, string>> {
  return new Promise((resolve) => {
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || 80),
      noDelay: true,
      allowHalfOpen: true,
      autoSelectFamily: true,
    });
    const { settle, fail } = settleOnce(resolve, { connectMs, signal }, () => socket.destroy());
    socket.on("error", (error) => fail(`cannot be used: ${reasonOf(error)}`));
    socket.once("connect", () => settle(ok(socket)));
  });
}

/** Sends a CONNECT and waits for the response; a string says why none came. */
async function sendConnect(
  connection: Socket,
  target: Target,
  credentials: string | undefined,
  options: Pick<DialOptions, "connectMs" | "signal">,
): Promise<{ readonly socket: Socket; readonly status: number } | string> {
  const answer = await new Promise<Result<{ socket: Socket; status: number }, string>>(
    (resolve) => {
      const at = targetText(target);
      const out = request({
        method: "CONNECT",
        path: at,
        headers: {
          host: at,
          ...(credentials === undefined ? {} : { "proxy-authorization": basic(credentials) }),
        },
        maxHeaderSize: MAX_ANSWER_HEADERS,
        createConnection: () => connection,
      });
      const { settle, fail } = settleOnce(resolve, options, () => out.destroy());
      out.on("error", (error) => fail(`cannot be used: ${reasonOf(error)}`));
      out.once("connect", ({ statusCode = 0 }, socket: Socket, head) => {
        if (head.length > 0) socket.unshift(head);
        settle(ok({ socket, status: statusCode }));
      });
      out.end();
    },
  );
  return answer.ok ? answer.value : answer.error;
}

/** Settles once: with the result, the time-out or the signal, whichever comes first. */
function settleOnce<T>(
  resolve: (result: Result<T, string>) => void,
  { connectMs, signal }: Pick<DialOptions, "connectMs" | "signal">,
  cleanUp: () => void,
) {
  const settle = (result: Result<T, string>) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    if (!result.ok) cleanUp();
    resolve(result);
  };
  const fail = (why: string) => settle(err(why));
  const stop = () => fail("was cancelled");
  const late = `does not answer within ${connectMs / 1000} s`;
  const timer = setTimeout(() => fail(late), connectMs);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  return { settle, fail };
}

function failed({ url }: UpstreamProxy, why: string): Result<never, DialError> {
  return err({ kind: "unreachable", why: `the proxy ${url.host} ${why}` });
}

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

function sameTarget(one: Target | undefined, other: Target): boolean {
  return one?.host === other.host && one.port === other.port;
}

function statusMeaning(status: number, hadCredentials: boolean): string {
  if (status === 407)
    return hadCredentials
      ? "rejects the user and password from network.proxy_auth_cmd (407)"
      : "requires a user and a password (407): set network.proxy_auth_cmd";
  if (status === 502 || status === 503 || status === 504)
    return `cannot reach it either (${status})`;
  return `does not let it through (${status})`;
}
