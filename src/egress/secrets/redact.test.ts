import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Redactor, secretsOf } from "./redact.ts";

const KEY = "sk-canary-0123456789/+abc";
const BASE = new URL("https://api.example/v1");
const SECRETS = secretsOf([["authorization", `Bearer ${KEY}`]], BASE);

/** Sends a text through a redactor in the given pieces. */
function redact(secrets: readonly string[], pieces: readonly Buffer[]): string {
  const redactor = new Redactor(secrets);
  const out = pieces.map((piece) => redactor.push(piece));
  return Buffer.concat([...out, redactor.end()]).toString();
}

/** Cuts bytes at the given places, in any order and any number. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length));
}

/** A key, or a part of one, in a text that contains its letters as well. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        KEY,
        `Bearer ${KEY}`,
        encodeURIComponent(KEY),
        "Bearer ",
        "sk-",
        "\n\n",
        "模",
      ),
      fc.nat({ max: KEY.length }).map((length) => KEY.slice(0, length)),
      fc.nat({ max: KEY.length }).map((from) => KEY.slice(from)),
      fc.string({ unit: fc.constantFrom(..."sk-canary01"), maxLength: 6 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

describe("Redactor", () => {
  it("lets no key through, and returns the same text, however the stream is split", () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.nat()), (text, places) => {
        const bytes = Buffer.from(text);
        const split = redact(SECRETS, cut(bytes, places));
        expect(split).not.toContain(KEY);
        expect(split).not.toContain(encodeURIComponent(KEY));
        expect(split).toBe(redact(SECRETS, [bytes]));
      }),
      { numRuns: 2000 },
    );
  });

  it("changes nothing in bytes without a key", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
        const redactor = new Redactor(SECRETS);
        const pieces = chunks.map((chunk) => Buffer.from(chunk));
        const out = Buffer.concat([...pieces.map((piece) => redactor.push(piece)), redactor.end()]);
        expect(out).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  it("finds keys with a common beginning, and keys that contain one another", () => {
    const anyKey = fc.string({ unit: fc.constantFrom("1", "2"), minLength: 16, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.array(anyKey, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat({ max: 3 })),
        fc.array(fc.nat()),
        (keys, order, places) => {
          const text = order.map((n) => keys[n % keys.length]).join("-");
          const clean = redact(keys, cut(Buffer.from(text), places));
          for (const key of keys) expect(clean).not.toContain(key);
        },
      ),
    );
  });

  it("holds back only what could be the beginning of a key", () => {
    const redactor = new Redactor(SECRETS);
    expect(redactor.push(Buffer.from("data: one\n\n")).toString()).toBe("data: one\n\n");
    expect(redactor.push(Buffer.from("data: sk-can")).toString()).toBe("data: ");
    expect(redactor.push(Buffer.from("teen\n\n")).toString()).toBe("sk-canteen\n\n");
  });

  it("treats the greater part of a key at the very end as the key", () => {
    expect(redact(SECRETS, [Buffer.from(`x ${KEY.slice(0, 20)}`)])).toBe("x [redacted]");
    expect(redact(SECRETS, [Buffer.from("x sk-can")])).toBe("x sk-can");
  });

  it.each<[string, string]>([
    ["as it is", KEY],
    ["in JSON", JSON.stringify({ a: KEY })],
    ["in JSON that escapes slashes", KEY.replaceAll("/", "\\/")],
    ["in an address", encodeURIComponent(KEY)],
    ["in base64", Buffer.from(KEY).toString("base64")],
    [
      "in JSON that escapes signs by their numbers",
      KEY.replace("+", "\\u002B").replace("/", "\\u002F"),
    ],
    [
      "in JSON that escapes signs in lower case",
      KEY.replace("+", "\\u002b").replace("/", "\\u002f"),
    ],
    ["in HTML", KEY.replace("/", "&#x2F;")],
    ["in an address in lower case", encodeURIComponent(KEY).toLowerCase()],
    ["in hexadecimal", Buffer.from(KEY).toString("hex")],
    ["in upper-case hexadecimal", Buffer.from(KEY).toString("hex").toUpperCase()],
    ["in base64 for addresses", Buffer.from(KEY).toString("base64url")],
    ["in base64 of a text around it", Buffer.from(`{"a":"${KEY}"}`).toString("base64")],
    ["in base64 of a text a letter longer", Buffer.from(`{"ab":"${KEY}"}`).toString("base64")],
    ["in base64 of a text two letters longer", Buffer.from(`{"abc":"${KEY}"}`).toString("base64")],
    ["in base64 with its scheme", Buffer.from(`Bearer ${KEY}`).toString("base64")],
  ])("recognizes a key %s", (_name, text) => {
    expect(redact(SECRETS, [Buffer.from(text)])).toContain("[redacted]");
    expect(new Redactor(SECRETS).text(text)).toContain("[redacted]");
  });

  it("leaves nothing of a key in base64, at any place in the text", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.nat()), (before, after, places) => {
        const text = Buffer.from(`${before}${KEY}${after}`).toString("base64");
        const clean = redact(SECRETS, cut(Buffer.from(text), places));
        // The rest decodes to no more than one or two letters at the key's ends.
        for (const part of clean.split("[redacted]"))
          for (let offset = 0; offset < 4; offset++)
            expect(Buffer.from(part.slice(offset), "base64").toString()).not.toContain(
              KEY.slice(3, 11),
            );
        expect(clean).toContain("[redacted]");
      }),
    );
  });

  it("does not treat short values as keys", () => {
    expect(redact(["x", "none"], [Buffer.from("x is none")])).toBe("x is none");
  });
});

describe("a secret of an upstream", () => {
  it.each<[string, string, string]>([
    ["a password", "https://name:pass-word-1@api.example/v1", "pass-word-1"],
    ["a password that is escaped", "https://name:pass%2Fword-1@api.example/v1", "pass/word-1"],
    ["a password that is escaped wrongly", "https://n:pass%zzword@api.example/v1", "pass%zzword"],
    ["a name without a password", "https://token-0123@api.example/v1", "token-0123"],
    [
      "both as they go out",
      "https://name:pass-word-1@api.example/v1",
      Buffer.from("name:pass-word-1").toString("base64"),
    ],
    ["a parameter with the name of a key", "https://api.example/?api_key=0123456789", "0123456789"],
  ])("is %s in its address", (_name, address, secret) => {
    const echoed = Buffer.from(`you sent ${secret}.`);
    const clean = redact(secretsOf([], new URL(address)), [echoed]);
    expect(clean).toMatch(/^you sent \[redacted\]=*\.$/);
  });

  it("is not a parameter with another name", () => {
    expect(secretsOf([], new URL("https://api.example/?api-version=2025-04-01"))).toEqual([]);
  });
});

describe("a key that may be an ordinary word", () => {
  const words = ["anything", "lm-studio", "not-needed", "password", "changeme"];
  const remote = new URL("https://api.example/v1");

  it.each(words)("for a server on this machine damages no answer: %s", (key) => {
    for (const address of ["http://127.0.0.1:1234/v1", "http://localhost/v1", "http://[::1]/v1"])
      expect(secretsOf([["authorization", `Bearer ${key}`]], new URL(address))).toEqual([]);
  });

  it.each(words)("for another server is removed only as a whole word: %s", (key) => {
    const secrets = secretsOf([["authorization", `Bearer ${key}`]], remote);
    const upper = key.toUpperCase();
    const innocent = `${upper} my${key} ${key}s x-${key} ${Buffer.from(key).toString("base64")}`;
    const text = `${innocent} "Bearer ${key}", ${key}`;
    const clean = `${innocent} "Bearer [redacted]", [redacted]`;
    expect(new Redactor(secrets).text(text)).toBe(clean);
    for (let size = 1; size < text.length; size++) {
      const redactor = new Redactor(secrets);
      const parts: Buffer[] = [];
      for (let at = 0; at < text.length; at += size)
        parts.push(redactor.push(Buffer.from(text.slice(at, at + size))));
      expect(Buffer.concat([...parts, redactor.end()]).toString()).toBe(clean);
    }
  });

  it("is removed if the server's name might lead to another machine", () => {
    const base = new URL("http://llm.localhost/v1");
    expect(secretsOf([["authorization", "Bearer password"]], base)).toEqual(["password"]);
  });

  it("for a server on this machine is removed if it is not a word", () => {
    const base = new URL("http://localhost/v1");
    expect(secretsOf([["authorization", "Bearer sk-0123456789abcdef"]], base)).toHaveLength(1);
  });
});

describe("a key that is cut in the middle of a text", () => {
  const key = "sk-proj-Ab3dEf9hIjKlMnOpQrStUvWxYz0123456789abcd";
  const secrets = secretsOf([["authorization", `Bearer ${key}`]], new URL("https://h.example/v1"));

  it.each([
    ["before dots", `{"m":"bad header: Bearer ${key.slice(0, -2)}... (truncated)"}`],
    ["in its middle", `key ${key.slice(0, 24)}****${key.slice(-2)}`],
    ["in base64", `${Buffer.from(`x: ${key}`).toString("base64").slice(0, 56)}!... and so on`],
    ["in front of the whole key", `${key.slice(0, 30)} ${key}`],
  ])("is removed %s", (_, text) => {
    for (const size of [1, 7, 1000]) {
      const redactor = new Redactor(secrets);
      const parts: Buffer[] = [];
      for (let at = 0; at < text.length; at += size)
        parts.push(redactor.push(Buffer.from(text.slice(at, at + size))));
      const clean = Buffer.concat([...parts, redactor.end()]).toString();
      expect(clean).toContain("[redacted]");
      expect(clean).not.toContain(key.slice(4, 20));
      expect(clean).not.toContain(Buffer.from(`x: ${key}`).toString("base64").slice(4, 40));
    }
  });

  it("is left if the part is too short to reveal anything", () => {
    const text = `the key that begins with ${key.slice(0, 10)}... is refused`;
    expect(new Redactor(secrets).text(text)).toBe(text);
  });
});
