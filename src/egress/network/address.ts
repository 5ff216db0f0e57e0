import { BlockList, isIPv4, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/** Address ranges that are not on the public internet (IANA's special-purpose registries). */
const SPECIAL_IPV4 = [
  ["0.0.0.0", 8], // "this network"
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // carrier-grade NAT
  ["127.0.0.0", 8],
  ["169.254.0.0", 16], // link-local, including cloud metadata services
  ["172.16.0.0", 12],
  ["192.0.0.0", 24], // protocol assignments, including NAT64 discovery
  ["192.0.2.0", 24], // documentation
  ["192.31.196.0", 24], // AS112
  ["192.52.193.0", 24], // AMT
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16],
  ["192.175.48.0", 24], // AS112
  ["198.18.0.0", 15], // benchmarking
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved and broadcast
] as const;

/** In IPv6 only global unicast is public, except for the ranges below. */
const GLOBAL_UNICAST = ["2000::", 3] as const;
const SPECIAL_IPV6 = [
  ["2001::", 23], // Teredo, ORCHID, benchmarking and other protocols
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4: contains an IPv4 address
  ["2620:4f:8000::", 48], // AS112
  ["3ffe::", 16], // 6bone, returned
  ["3fff::", 20], // documentation
] as const;

const special = new BlockList();
for (const [net, bits] of SPECIAL_IPV4) special.addSubnet(net, bits, "ipv4");
for (const [net, bits] of SPECIAL_IPV6) special.addSubnet(net, bits, "ipv6");
const global = new BlockList();
global.addSubnet(...GLOBAL_UNICAST, "ipv6");

/**
 * Whether an address is on the public internet.
 *
 * SECURITY: an address that is not known to be public is not public. This excludes loopback,
 * private, link-local, metadata, carrier-grade NAT and multicast addresses, and every IPv6 form
 * that contains an IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo).
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, "ipv4");
  if (!isIPv6(address) || address.includes("%")) return false;
  return global.check(address, "ipv6") && !special.check(address, "ipv6");
}

/** The interfaces of a machine, as `os.networkInterfaces` returns them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * A wider network is a route to everywhere, such as a VPN's: only its own address counts as near.
 */
const MIN_PREFIX_BITS = { IPv4: 16, IPv6: 48 } as const;

/**
 * Whether an address belongs to this machine, or to a network that it is directly connected to.
 *
 * SECURITY: such a network may have public addresses, as most IPv6 networks do, but its hosts need
 * the same protection as those of a private one.
 */
export function isNear(address: string, interfaces: Interfaces = networkInterfaces()): boolean {
  const family = isIPv4(address) ? "IPv4" : "IPv6";
  const near = new BlockList();
  for (const own of Object.values(interfaces).flatMap((own) => own ?? [])) {
    if (own.family !== family) continue;
    const bits = Number(own.cidr?.split("/")[1] ?? 0);
    const kind = family === "IPv4" ? "ipv4" : "ipv6";
    if (bits >= MIN_PREFIX_BITS[family]) near.addSubnet(own.address, bits, kind);
    else near.addAddress(own.address, kind);
  }
  return near.check(address, family === "IPv4" ? "ipv4" : "ipv6");
}
