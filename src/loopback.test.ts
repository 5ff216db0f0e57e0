import { describe, expect, it } from "vitest";
import { isLoopback, mayBeLoopback } from "./loopback.ts";

/** A host's name as a URL has it. */
const hostname = (host: string) => new URL(`http://${host}/`).hostname;

describe("a host that can only be this machine", () => {
  it.each([
    "localhost",
    "LOCALHOST",
    "127.0.0.1",
    "127.255.255.254",
    "[::1]",
    "[0:0::1]",
    "0x7f.1",
  ])("is trusted, and refused where this machine is refused: %s", (host) => {
    expect(isLoopback(hostname(host))).toBe(true);
    expect(mayBeLoopback(hostname(host))).toBe(true);
  });

  it("has no brackets as a network target", () => {
    expect(isLoopback("::1")).toBe(true);
    expect(mayBeLoopback("::1")).toBe(true);
  });
});

describe("a host that may be this machine", () => {
  it.each(["app.localhost", "a.b.localhost", "[::ffff:127.0.0.1]"])(
    "is not trusted, yet refused where this machine is refused: %s",
    (host) => {
      expect(isLoopback(hostname(host))).toBe(false);
      expect(mayBeLoopback(hostname(host))).toBe(true);
    },
  );
});

describe("any other host", () => {
  it.each([
    "localhost.example",
    "notlocalhost",
    "127.0.0.1.example",
    "128.0.0.1",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]",
    "[::ffff:10.0.0.1]",
  ])("is neither: %s", (host) => {
    expect(isLoopback(hostname(host))).toBe(false);
    expect(mayBeLoopback(hostname(host))).toBe(false);
  });
});
