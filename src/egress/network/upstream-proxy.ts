import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { mayBeLoopback } from "../../loopback.ts";
import { err, ok, type Result } from "../../result.ts";
import type { AllowList } from "./allow.ts";
import { type DialError, type DialOptions, forbiddenError, isDialable, reasonOf } from "./dial.ts";
import { parseTarget, type Target, targetText } from "./target.ts";

/** A proxy between this machine and the world, because the user's configuration names one. */
export type UpstreamProxy = {
  /** Of `http:`; a host and a port. */
  readonly url: URL;
  /**
   * `user:password`, asked for each connection. SECURITY: it goes to the proxy and to nobody else;
   * what the proxy answers to a request that has it is never passed on.
   */
  readonly credentials?: () => Promise<Result<string, { readonly message: string }>>;
  /** Asked once where the proxy has refused them: true where there may be others now. */
  readonly renew?: () => Promise<boolean>;
  /** What is reached without it; this machine always is. */
  readonly direct: AllowList;
};

const MAX_ANSWER_HEADERS = 64 * 1024;
/** How long the own resolver may take for a name that the proxy resolves anyway. */
const LOOKUP_MS = 3000;

/** The proxy as a target, so that nobody inside reaches it as a host. */
function proxyTarget({ url }: UpstreamProxy): Target | undefined {
  return parseTarget(url.host, 80);
}

/** Whether a target is reached without it. SECURITY: this machine is nobody else's to reach. */
export function isDirect({ direct }: Pick<UpstreamProxy, "direct">, target: Target): boolean {
  return mayBeLoopback(target.host) || direct.has(target);
}

/** A connection on which a target is asked for. */
export type Route = {
  readonly socket: Socket;
  /** Where it ends at the proxy: plain requests name their target in full there. */
  readonly atProxy?: ProxyRoute;
};

/** What a plain request to the proxy needs, and what is said where it is refused by it. */
type ProxyRoute = {
  readonly authorization: string | undefined;
  /** Why a request was refused with 407, for the program inside. */
  readonly refused: () => string;
};

/**
 * Connects to a target that is allowed, through a proxy: for tunnels with its CONNECT, for plain
 * requests with a connection to the proxy itself.
 *
 * SECURITY: the proxy resolves the name, and we cannot see which address it then dials. What this
 * machine's own resolver says of the name is checked as it is without a proxy, and more strictly:
 * one address that may not be dialled refuses the name. A name that is unknown here is the proxy's.
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
 * Asks a proxy for a connection to a target. The error completes "access to … is refused: ", and
 * quotes nothing that the proxy says.
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

/** Sends a CONNECT and waits for its answer; a text says why none came. */
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

/** Settles once: with what comes first of an end, the time and the signal. */
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
  const stop = () => fail("was given up");
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
      ? "does not take the user and the password of network.proxy_auth_cmd (407)"
      : "asks for a user and a password (407): set network.proxy_auth_cmd";
  if (status === 502 || status === 503 || status === 504)
    return `does not reach it either (${status})`;
  return `does not let it through (${status})`;
}
