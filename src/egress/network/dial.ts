import { lookup } from "node:dns/promises";
import { connect, type LookupFunction, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { err, ok, type Result } from "../../result.ts";
import { type Interfaces, isNear, isPublicAddress } from "./address.ts";
import { hostText, type Target } from "./target.ts";

/** Resolves a name to all of its addresses; rejects if it cannot. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Options of dialling. Times are in milliseconds. */
export type DialOptions = {
  readonly lookup: Lookup;
  readonly connectMs: number;
  /** Whether an address that is not public may be dialled anyway. */
  readonly mayDial: (target: Target) => boolean;
  /** Addresses that are never dialled. */
  readonly isForbidden: (address: string, port: number) => boolean;
  /** For tests; by default, this machine's. */
  readonly interfaces?: (() => Interfaces) | undefined;
  readonly signal: AbortSignal;
};

/** Why a host was not reached: a rule forbids it, or the network failed. */
export type DialError = { readonly kind: "forbidden" | "unreachable"; readonly why: string };

/**
 * How many names are resolved at a time: the resolver shares Node's few threads with file access.
 */
const MAX_LOOKUPS = 2;
let lookups = 0;
const waiting: (() => void)[] = [];

/** Asks the system, as every program does, including /etc/hosts and the local resolver. */
export const systemLookup: Lookup = async (name) => {
  while (lookups >= MAX_LOOKUPS) await new Promise<void>((resolve) => waiting.push(resolve));
  lookups++;
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } finally {
    lookups--;
    waiting.shift()?.();
  }
};

/**
 * Connects to a target that is allowed.
 *
 * SECURITY: a name is resolved once, and only the checked addresses are dialled, so that a
 * different second answer of the resolver has no effect. A name may lead to a private address only
 * if the user's settings allow that very address and port.
 */
export async function dial(
  target: Target,
  options: DialOptions,
): Promise<Result<{ readonly socket: Socket }, DialError>> {
  const found = await addressesOf(target, options);
  if (!found.ok) return found;
  const usable = found.value.filter((address) => isDialable({ ...target, host: address }, options));
  if (usable.length === 0) return err(forbiddenError(target, found.value[0] ?? "", options));
  return connectTo(target.port, usable, options);
}

async function addressesOf(
  { host, isAddress }: Target,
  { lookup: find, connectMs, signal }: DialOptions,
): Promise<Result<readonly string[], DialError>> {
  if (isAddress) return ok([host]);
  const stop = new AbortController();
  try {
    const late = pause(connectMs, undefined, {
      signal: AbortSignal.any([signal, stop.signal]),
      ref: false,
    });
    const found = await Promise.race([find(host), late]);
    if (found !== undefined && found.length > 0) return ok(found);
    return err({ kind: "unreachable", why: "its name was not resolved in time" });
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    const why = code === "ENOTFOUND" ? "its name is unknown" : "its name could not be resolved";
    return err({ kind: "unreachable", why });
  } finally {
    stop.abort();
  }
}

/** Whether an address may be dialled at this port. */
export function isDialable(
  at: Target,
  options: Pick<DialOptions, "mayDial" | "isForbidden" | "interfaces">,
): boolean {
  const { mayDial: isNamed, isForbidden, interfaces } = options;
  const target = { ...at, isAddress: true };
  if (isForbidden(at.host, at.port)) return false;
  return (isPublicAddress(at.host) && !isNear(at.host, interfaces?.())) || isNamed(target);
}

/** The error for an address that may not be dialled. */
export function forbiddenError(
  { port }: Target,
  address: string,
  { isForbidden, interfaces }: Pick<DialOptions, "isForbidden" | "interfaces">,
): DialError {
  const at = `${hostText(address)}:${port}`;
  const isOwn = isPublicAddress(address) && isNear(address, interfaces?.());
  const what = isOwn ? "is on this machine's own network" : "is not a public internet address";
  return {
    kind: "forbidden",
    why: isForbidden(address, port)
      ? `${at} is the model's own address`
      : `${at} ${what}; only network.allow with "${at}" opens it`,
  };
}

/** SECURITY: Node gets a lookup function that returns only the checked addresses. */
function connectTo(
  port: number,
  addresses: readonly string[],
  { connectMs, signal }: DialOptions,
): Promise<Result<{ readonly socket: Socket }, DialError>> {
  const checked = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const lookupChecked: LookupFunction = (_name, { all }, done) => {
    const [first] = checked;
    if (all === true || first === undefined) done(null, checked);
    else done(null, first.address, first.family);
  };
  return new Promise((resolve) => {
    // A dummy name: Node would dial an address here without calling the lookup.
    const options = { host: "checked", port, lookup: lookupChecked, noDelay: true };
    const socket = connect({ ...options, allowHalfOpen: true, autoSelectFamily: true });
    socket.on("error", () => {});
    const settle = (result: Result<{ readonly socket: Socket }, DialError>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const fail = (why: string) => settle(err({ kind: "unreachable", why }));
    const stop = () => fail("it was cancelled");
    const timer = setTimeout(() => fail(`no answer within ${connectMs / 1000} s`), connectMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    socket.once("error", (error) => fail(reasonOf(error)));
    socket.once("connect", () => settle(ok({ socket })));
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no network",
  ECONNRESET: "it reset the connection",
  ETIMEDOUT: "it does not answer",
};

/** Explains Node's error for a failed connection. */
export function reasonOf(
  error: Error & { readonly code?: string; readonly errors?: readonly Error[] },
) {
  const [first] = error.errors ?? [];
  const code = error.code ?? (first !== undefined && "code" in first ? String(first.code) : "");
  return REASONS[code] ?? `the connection failed (${code || "unknown"})`;
}
