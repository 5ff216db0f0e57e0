import { BlockList, isIPv4, isIPv6 } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Whether a host (as in `URL.hostname` or `Target.host`) can be nothing but this machine.
 *
 * SECURITY: for decisions that trust such a host, as to send a secret there in clear text. Names
 * below `.localhost` do not count: RFC 6761 reserves them, but Node asks the resolver, which may ask
 * a DNS server.
 */
export function isLoopback(host: string): boolean {
  const bare = withoutBrackets(host);
  return bare === "localhost" || bare === "::1" || (isIPv4(bare) && loopback.check(bare, "ipv4"));
}

/**
 * Whether a host may be this machine. SECURITY: for decisions that refuse such a host, or keep it
 * from another party; it also covers names below `.localhost` and IPv4 addresses mapped into IPv6.
 */
export function mayBeLoopback(host: string): boolean {
  const bare = withoutBrackets(host);
  return (
    isLoopback(bare) ||
    bare.endsWith(".localhost") ||
    (isIPv6(bare) && loopback.check(bare, "ipv6"))
  );
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}
