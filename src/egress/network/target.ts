import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

/**
 * A host and a port in canonical spelling: names in lower-case ASCII without a trailing dot, IPv4
 * in dotted decimal, IPv6 as in RFC 5952 without brackets.
 */
export type Target = {
  readonly host: string;
  readonly port: number;
  /** Whether `host` is an IP address, not a name. */
  readonly isAddress: boolean;
};

/** A host in canonical spelling. */
export type TargetHost = Pick<Target, "host" | "isAddress">;

const MAX_NAME = 253;
/** RFC 1123 does not allow underscores, but some hosts have them. */
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const HOST_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::([1-9][0-9]{0,4}))?$/;

/**
 * Parses a host as written in a request; undefined if it is not valid.
 *
 * SECURITY: a host has many spellings, and one that is not understood must not be allowed. Octal,
 * hexadecimal or shortened IPv4 addresses, IPv6 zones, a port, a user, escapes, non-ASCII letters
 * and invalid punycode are rejected.
 */
export function parseHost(text: string): TargetHost | undefined {
  if (text.startsWith("[") && text.endsWith("]")) {
    const inner = text.slice(1, -1);
    if (!isIPv6(inner) || inner.includes("%")) return undefined;
    return { host: new URL(`http://[${inner}]`).hostname.slice(1, -1), isAddress: true };
  }
  if (isIPv4(text)) return { host: text, isAddress: true };
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name.length > MAX_NAME) return undefined;
  const labels = name.split(".");
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  // Some resolvers read a name whose last label looks like a number as an address.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) return undefined;
  // It has another canonical spelling, or is invalid punycode.
  if (domainToASCII(name) !== name) return undefined;
  return { host: name, isAddress: false };
}

/** Parses `host:port`; the port is optional if there is one to assume. */
export function parseTarget(text: string, assumedPort?: number): Target | undefined {
  const [, hostText, portText] = HOST_PORT.exec(text) ?? [];
  const host = hostText === undefined ? undefined : parseHost(hostText);
  const port = portText === undefined ? assumedPort : Number(portText);
  if (host === undefined || port === undefined || port > 65_535) return undefined;
  return { ...host, port };
}

/** The target as programs and people write it: in printable ASCII, with names in punycode. */
export function targetText({ host, port }: Target): string {
  return `${hostText(host)}:${port}`;
}

/** The host as written in a request: IPv6 in brackets. */
export function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
