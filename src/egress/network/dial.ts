import { lookup } from "node:dns/promises";
import { connect, type LookupFunction, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { err, ok, type Result } from "../../result.ts";
import { type Interfaces, isNear, isPublicAddress } from "./address.ts";
import { hostText, type Target } from "./target.ts";

/** Resolves a name to all of its addresses; rejects where it cannot. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** What dialling needs to know. Times are milliseconds. */
export type DialOptions = {
  readonly lookup: Lookup;
  readonly connectMs: number;
  /** Whether an address that is not public may be dialled all the same. */
  readonly mayDial: (target: Target) => boolean;
  /** Addresses that are never dialled. */
  readonly isForbidden: (address: string, port: number) => boolean;
  /** For tests; this machine's by default. */
  readonly interfaces?: (() => Interfaces) | undefined;
  readonly signal: AbortSignal;
};

/** Why a host was not reached: by our own rules, or by the network. */
export type DialError = { readonly kind: "forbidden" | "unreachable"; readonly why: string };

/** Names that are resolved at a time: the system's resolver has few threads, which files need, too. */
const MAX_LOOKUPS = 2;
let lookups = 0;
const waiting: (() => void)[] = [];

/** Asks the system, as every program does: /etc/hosts counts, and so does the local resolver. */
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
 * SECURITY: a name is resolved once, and what was checked is what is dialled: a second answer of the
 * resolver has no effect. A name leads to a private address only where the user's configuration
 * names that very address and port.
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

/** Why an address is not dialled, for the error. */
export function forbiddenError(
  { port }: Target,
  address: string,
  { isForbidden, interfaces }: Pick<DialOptions, "isForbidden" | "interfaces">,
): DialError {
  const at = `${hostText(address)}:${port}`;
  const isOwn = isPublicAddress(address) && isNear(address, interfaces?.());
  const what = isOwn ? "is on this machine's own network" : "is no address of the public internet";
  return {
    kind: "forbidden",
    why: isForbidden(address, port)
      ? `${at} is the model's own address`
      : `${at} ${what}; only network.allow with "${at}" opens it`,
  };
}

/** SECURITY: the lookup that the connection is given answers with what was checked, and no more. */
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
    // The name is for nobody: an address here would be dialled without asking the lookup.
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
    const stop = () => fail("it was given up");
    const timer = setTimeout(() => fail(`no answer within ${connectMs / 1000} s`), connectMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    socket.once("error", (error) => fail(reasonOf(error)));
    socket.once("connect", () => settle(ok({ socket })));
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no network",
  ECONNRESET: "it reset the connection",
  ETIMEDOUT: "it does not answer",
};

/** Says why a connection failed, from Node's error. */
export function reasonOf(
  error: Error & { readonly code?: string; readonly errors?: readonly Error[] },
) {
  const [first] = error.errors ?? [];
  const code = error.code ?? (first !== undefined && "code" in first ? String(first.code) : "");
  return REASONS[code] ?? `the connection failed (${code || "unknown"})`;
}
