import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { isNear, isPublicAddress } from "./address.ts";

describe("an address of the public internet", () => {
  it.each(["1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.0", "100.128.0.0", "2606:4700::1111"])(
    "is %s",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ["the machine itself", "127.0.0.1"],
    ["all of loopback", "127.255.255.254"],
    ["this network", "0.0.0.0"],
    ["other addresses of this network", "0.1.2.3"],
    ["a private network", "10.0.0.1"],
    ["a private network", "172.16.0.1"],
    ["a private network", "172.31.255.255"],
    ["a private network", "192.168.1.1"],
    ["the clouds' metadata", "169.254.169.254"],
    ["carrier-grade NAT, and a cloud's metadata", "100.100.100.200"],
    ["multicast", "224.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["reserved", "240.0.0.1"],
    ["documentation", "203.0.113.1"],
    ["benchmarking", "198.19.0.1"],
    ["the machine itself in IPv6", "::1"],
    ["unspecified", "::"],
    ["mapped IPv4", "::ffff:8.8.8.8"],
    ["mapped IPv4 in hexadecimal", "::ffff:7f00:1"],
    ["compatible IPv4", "::127.0.0.1"],
    ["translated IPv4", "::ffff:0:127.0.0.1"],
    ["NAT64", "64:ff9b::7f00:1"],
    ["local NAT64", "64:ff9b:1::7f00:1"],
    ["6to4", "2002:7f00:1::"],
    ["Teredo", "2001::1"],
    ["link-local", "fe80::1"],
    ["site-local", "fec0::1"],
    ["unique local", "fd00::1"],
    ["a cloud's metadata in IPv6", "fd00:ec2::254"],
    ["multicast in IPv6", "ff02::1"],
    ["documentation in IPv6", "2001:db8::1"],
    ["discard only", "100::1"],
    ["segment routing", "5f00::1"],
    ["an address with a zone", "fe80::1%lo"],
    ["text that is not an address", "example.org"],
    ["nothing", ""],
  ])("is not %s (%s)", (_what, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe("a nearby address", () => {
  const own = (family: "IPv4" | "IPv6", cidr: string | null, address = cidr?.split("/")[0] ?? "") =>
    ({ family, cidr, address }) as NetworkInterfaceInfo;
  const interfaces = {
    eth0: [own("IPv4", "198.51.7.9/24"), own("IPv6", "2a00:1:2:3::9/64")],
    tun0: [own("IPv4", "1.2.3.4/1"), own("IPv6", "2a09::1/3")],
    odd: [own("IPv4", null, "9.9.9.9")],
    gone: undefined,
  };

  it.each(["198.51.7.9", "198.51.7.200", "2a00:1:2:3::1", "1.2.3.4", "2a09::1", "9.9.9.9"])(
    "is the machine's own, or in a network that it is on: %s",
    (address) => expect(isNear(address, interfaces)).toBe(true),
  );

  it.each(["198.51.8.1", "2a00:1:2:4::1", "1.2.3.5", "2a09::2", "9.9.9.8"])(
    "is not in another network, or in one that is implausibly wide: %s",
    (address) => expect(isNear(address, interfaces)).toBe(false),
  );

  it("may be this machine's own", () => expect(isNear("127.0.0.1")).toBe(true));
});
