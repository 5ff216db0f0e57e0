import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AllowList, entryFor } from "./allow.ts";
import { PRESETS } from "./presets.ts";
import { parseHost, parseTarget, targetText } from "./target.ts";

function listOf(...entries: string[]): AllowList {
  const list = AllowList.parse(entries);
  if (!list.ok) throw new Error(list.error);
  return list.value;
}

function has(list: AllowList, text: string): boolean {
  const target = parseTarget(text);
  return target !== undefined && list.has(target);
}

describe("a host", () => {
  it.each([
    ["EXAMPLE.org", "example.org"],
    ["example.org.", "example.org"],
    ["xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["_dmarc.example.org", "_dmarc.example.org"],
    ["127.0.0.1", "127.0.0.1"],
    ["[2001:DB8:0:0::1]", "2001:db8::1"],
    ["[::ffff:127.0.0.1]", "::ffff:7f00:1"],
  ])("%s is %s", (text, host) => {
    expect(parseHost(text)?.host).toBe(host);
  });

  it.each([
    ["nothing", ""],
    ["a dot", "."],
    ["two trailing dots", "example.org.."],
    ["an empty label", "a..org"],
    ["a user", "user@example.org"],
    ["a port", "example.org:80"],
    ["a path", "example.org/x"],
    ["an escape", "example%2eorg"],
    ["a space", "example.org "],
    ["a tab", "exam\tple.org"],
    ["a null byte", "example.org\0.evil.org"],
    ["letters beyond ASCII", "exämple.org"],
    ["a dot of another script", "example。org"],
    ["punycode that decodes to nothing", "xn--a.org"],
    ["punycode that is ASCII anyway", "xn--example-.org"],
    ["a label that begins with a hyphen", "-a.org"],
    ["a label over 63 letters", `${"a".repeat(64)}.org`],
    ["a name over 253 letters", `${"a.".repeat(130)}org`],
    ["IPv4 in octal", "0177.0.0.1"],
    ["IPv4 in hexadecimal", "0x7f.0.0.1"],
    ["IPv4 as one hexadecimal number", "0x7f000001"],
    ["IPv4 as one number", "2130706433"],
    ["IPv4 with fewer parts", "127.1"],
    ["IPv4 with a trailing dot", "127.0.0.1."],
    ["IPv4 with five parts", "1.2.3.4.5"],
    ["a number too large", "256.1.1.1"],
    ["IPv6 without brackets", "::1"],
    ["IPv6 with a zone", "[fe80::1%25lo]"],
    ["IPv4 in brackets", "[127.0.0.1]"],
    ["a name in brackets", "[example.org]"],
  ])("is not %s", (_what, text) => {
    expect(parseHost(text)).toBeUndefined();
  });

  it.each([
    "example.org",
    "example.org:",
    "example.org:0",
    "example.org:080",
    "a.org:65536",
    "a:b:1",
  ])("%j is not a host with a port", (text) => {
    expect(parseTarget(text)).toBeUndefined();
  });
});

describe("network.allow", () => {
  it("takes a domain for its ports 80 and 443, without its subdomains", () => {
    const list = listOf("example.org");
    expect(has(list, "example.org:443")).toBe(true);
    expect(has(list, "EXAMPLE.ORG.:80")).toBe(true);
    expect(has(list, "example.org:8443")).toBe(false);
    expect(has(list, "www.example.org:443")).toBe(false);
    expect(has(list, "badexample.org:443")).toBe(false);
    expect(has(list, "example.org.evil.net:443")).toBe(false);
  });

  it("takes *.domain for the names below it, not the domain itself", () => {
    const list = listOf("*.example.org");
    expect(has(list, "a.example.org:443")).toBe(true);
    expect(has(list, "a.b.example.org:443")).toBe(true);
    expect(has(list, "example.org:443")).toBe(false);
    expect(has(list, "badexample.org:443")).toBe(false);
  });

  it("takes an entry with a port for that port only", () => {
    const list = listOf("host:8443", "*.example.org:22");
    expect(has(list, "host:8443")).toBe(true);
    expect(has(list, "host:443")).toBe(false);
    expect(has(list, "a.example.org:22")).toBe(true);
    expect(has(list, "a.example.org:443")).toBe(false);
  });

  it("takes an address with its port, and no other spelling of the address", () => {
    const list = listOf("10.0.0.5:8080", "[2001:db8::5]:443");
    expect(has(list, "10.0.0.5:8080")).toBe(true);
    expect(has(list, "10.0.0.5:80")).toBe(false);
    expect(has(list, "[::ffff:10.0.0.5]:8080")).toBe(false);
    expect(has(list, "[2001:DB8:0::5]:443")).toBe(true);
  });

  it("accepts names in any script, and compares them as punycode", () => {
    expect(has(listOf("münchen.de"), "xn--mnchen-3ya.de:443")).toBe(true);
  });

  it.each(Object.keys(PRESETS))("has the preset %s", (preset) => {
    const [first] = PRESETS[preset] ?? [];
    expect(has(listOf(preset), `${first}:443`)).toBe(true);
  });

  it.each([
    ["*", "neither"],
    ["*.org", "too broad"],
    ["a.*.org", "neither"],
    ["https://example.org", "neither"],
    ["example.org/path", "neither"],
    ["nmp", "not a preset (npm, "],
    ["10.0.0.5", "add its port"],
    ["::1", "write it in brackets"],
    ["[::1]", "add its port"],
    ["10.0.0.0/8", "neither"],
    ["example.org:99999", "neither"],
    ["0x7f.1:80", "neither"],
    ["constructor", "not a preset"],
    ["", "neither"],
  ])("refuses %j with a reason", (entry, reason) => {
    const list = AllowList.parse(["example.org", entry]);
    expect(list).toMatchObject({ ok: false, error: expect.stringContaining(reason) });
  });

  it("names the narrowest entry for a target", () => {
    expect(entryFor({ host: "example.org", port: 443, isAddress: false })).toBe("example.org");
    expect(entryFor({ host: "example.org", port: 8443, isAddress: false })).toBe(
      "example.org:8443",
    );
    expect(entryFor({ host: "::1", port: 443, isAddress: true })).toBe("[::1]:443");
  });

  it("allows no additional host by another spelling", () => {
    const spelled = fc
      .tuple(
        fc.constantFrom("example.org", "a.example.org", "10.0.0.5", "127.0.0.1", "[::1]"),
        fc.array(
          fc.tuple(
            fc.nat(20),
            fc.constantFrom(
              ...[".", "@", "%2e", "\0", " ", "0", "0x", "x", "-", "。", "ａ", "#", "/", "\\", ":"],
            ),
          ),
          { maxLength: 3 },
        ),
      )
      .map(([host, edits]) =>
        edits.reduce<string>((text, [at, what]) => text.slice(0, at) + what + text.slice(at), host),
      );
    const list = listOf("example.org", "10.0.0.5:443");
    fc.assert(
      fc.property(spelled, (text) => {
        const allowed = has(list, `${text}:443`);
        expect(allowed).toBe(/^(example\.org\.?|10\.0\.0\.5)$/i.test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it("reads a target that it wrote as the same target", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((address) => `[${address}]`),
        ),
        fc.integer({ min: 1, max: 65_535 }),
        (host, port) => {
          const target = parseTarget(`${host}:${port}`);
          if (target === undefined) return;
          expect(parseTarget(targetText(target))).toEqual(target);
          expect(listOf(entryFor(target)).has(target)).toBe(
            target.isAddress || target.host.includes(".") || ![80, 443].includes(port),
          );
        },
      ),
    );
  });
});
