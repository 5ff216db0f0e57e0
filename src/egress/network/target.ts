import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

/**
 * A host and a port in the one spelling that is compared: names in lower case and ASCII without a
 * trailing dot, IPv4 in dotted decimal, IPv6 as RFC 5952 writes it, without brackets.
 */
export type Target = {
  readonly host: string;
  readonly port: number;
  /** Whether `host` is an address and no name. */
  readonly isAddress: boolean;
};

/** A host in that spelling. */
export type TargetHost = Pick<Target, "host" | "isAddress">;

const MAX_NAME = 253;
/** Underscores are no letters of host names (RFC 1123), but some hosts have them. */
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const HOST_PORT = /^(\[[^\]]*\]|[^:[\]]*)(?::([1-9][0-9]{0,4}))?$/;

/**
 * Reads a host as it stands in a request; undefined where it is none.
 *
 * SECURITY: one host has many spellings, and what is not understood must not be allowed. Numbers in
 * octal, hexadecimal or with fewer parts, zones of IPv6, a port, a user, escapes, letters beyond
 * ASCII and punycode that says nothing are no host.
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
  // A last label that looks like a number makes an address of it for some resolvers.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) return undefined;
  // Another spelling of itself, or punycode that is none.
  if (domainToASCII(name) !== name) return undefined;
  return { host: name, isAddress: false };
}

/** Reads `host:port`; the port may be left out where there is one to assume. */
export function parseTarget(text: string, assumedPort?: number): Target | undefined {
  const [, hostText, portText] = HOST_PORT.exec(text) ?? [];
  const host = hostText === undefined ? undefined : parseHost(hostText);
  const port = portText === undefined ? assumedPort : Number(portText);
  if (host === undefined || port === undefined || port > 65_535) return undefined;
  return { ...host, port };
}

/** The target as programs and people write it: printable ASCII, names in punycode. */
export function targetText({ host, port }: Target): string {
  return `${hostText(host)}:${port}`;
}

/** The host as it stands in a request: IPv6 in brackets. */
export function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
