/** The key in every spelling in which it might be echoed, and split over the texts of a stream. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Redactor, secretsOf } from "./redact.ts";

const KEY = "sk-Canary-0123456789/+abc_XYZ=~";
const SECRETS = secretsOf([["authorization", `Bearer ${KEY}`]], new URL("https://api.example/v1"));

function redact(pieces: readonly Buffer[], events = false): Buffer {
  const redactor = new Redactor(SECRETS);
  if (events) redactor.readEvents();
  return Buffer.concat([...pieces.map((piece) => redactor.push(piece)), redactor.end()]);
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length));
}

type Spell = (text: string) => string | Buffer;
const each =
  (spell: (code: number, n: number) => string, between = ""): Spell =>
  (text) =>
    [...Buffer.from(text)].map(spell).join(between);
const hex = (code: number, digits = 2) => code.toString(16).padStart(digits, "0");
const inJson = (text: string) => JSON.stringify(text).slice(1, -1);

function base32(text: string): string {
  const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? [])
    .map((digits) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(digits.padEnd(5, "0"), 2)])
    .join("");
}
const unicode = each((code) => `\\u00${hex(code)}`);

const SPELLINGS: Readonly<Record<string, Spell>> = {
  "as it is": (text) => text,
  "in capitals": (text) => text.toUpperCase(),
  backwards: (text) => [...text].reverse().join(""),
  "\\u00xx for every letter": unicode,
  "\\u00XX for every other letter": each((code, n) =>
    n % 2 === 0 ? `\\u00${hex(code).toUpperCase()}` : String.fromCharCode(code),
  ),
  "\\u{xx}": each((code) => `\\u{${code.toString(16)}}`),
  "\\xhh": each((code) => `\\x${hex(code)}`),
  "octal numbers": each((code) => `\\${code.toString(8).padStart(3, "0")}`),
  "JSON in JSON": (text) => inJson(inJson(String(unicode(text)))),
  "percent for every letter": each((code) => `%${hex(code)}`),
  "percent for some letters": each((code, n) =>
    n % 3 === 0 ? String.fromCharCode(code) : `%${hex(code).toUpperCase()}`,
  ),
  "percent of percent": (text) => encodeURIComponent(String(each((code) => `%${hex(code)}`)(text))),
  "HTML's decimal numbers": each((code) => `&#${code};`),
  "HTML's decimal numbers without an end": each((code) => `&#${code}`),
  "HTML's hexadecimal numbers": each((code) => `&#x${hex(code, 4)};`),
  "HTML's numbers in JSON": (text) => inJson(String(each((code) => `&#${code};`)(text))),
  "UTF-16, the small end first": (text) => Buffer.from(text, "utf16le"),
  "UTF-16, the big end first": (text) => Buffer.from(text, "utf16le").swap16(),
  hexadecimal: (text) => Buffer.from(text).toString("hex"),
  "hexadecimal in capitals": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  "hexadecimal with spaces": each((code) => hex(code), " "),
  "hexadecimal with colons": each((code) => hex(code), ":"),
  "hexadecimal in lines": (text) =>
    (
      Buffer.from(text)
        .toString("hex")
        .match(/.{1,20}/g) ?? []
    ).join("\n"),
  "hexadecimal numbers": each((code) => `0x${hex(code)}`, ", "),
  "quoted printable": each((code) => `=${hex(code).toUpperCase()}`),
  "a list of bytes": (text) => JSON.stringify([...Buffer.from(text)]),
  "a list of bytes in lines": (text) => JSON.stringify([...Buffer.from(text)], null, 4),
  "a buffer of Node's": (text) => JSON.stringify(Buffer.from(text)),
  base64: (text) => Buffer.from(text).toString("base64"),
  "base64 for addresses": (text) => Buffer.from(text).toString("base64url"),
  "base64 in JSON": (text) =>
    JSON.stringify(Buffer.from(text).toString("base64")).replaceAll("/", "\\/"),
  "base64 in an address": (text) => encodeURIComponent(Buffer.from(text).toString("base64")),
  "base64 in lines": (text) =>
    (
      Buffer.from(text)
        .toString("base64")
        .match(/.{1,12}/g) ?? []
    ).join("\r\n"),
  "base64 of base16": (text) => Buffer.from(text).toString("hex"),
  base32,
  "base32 in small letters": (text) => base32(text).toLowerCase(),
};

const anySpelling = fc.constantFrom(...Object.keys(SPELLINGS));
/** Text that may surround a key and is encoded together with it. */
const anyNeighbour = fc.string({ unit: fc.constantFrom(...'aZ3 {":/'), maxLength: 7 });

describe("the key does not come back", () => {
  it.each(Object.entries(SPELLINGS))("as %s", (_name, spell) => {
    const out = redact([Buffer.from(spell(KEY))]);
    expect(out.toString()).toContain("[redacted]");
    expect(out.length).toBeLessThan(60);
  });

  it("in any spelling, with any text around it and however the stream is split", () => {
    fc.assert(
      fc.property(
        anySpelling,
        anyNeighbour,
        anyNeighbour,
        fc.array(fc.nat(), { maxLength: 12 }),
        (name, before, after, places) => {
          const spell = SPELLINGS[name] as Spell;
          const bytes = Buffer.from(spell(`${before}${KEY}${after}`));
          const out = redact(cut(bytes, places));
          expect(out.toString("latin1").replaceAll("\0", "")).toContain("[redacted]");
          // Only a few of the key's letters may be left at its ends.
          const left = bytes.length - Buffer.from(spell(KEY)).length;
          const few = Math.ceil((Buffer.from(spell(KEY)).length * 5) / KEY.length);
          expect(out.length).toBeLessThan(left + few + 40);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("in pieces that are spread over several events of a stream", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("as it is", "\\u00xx for every letter", "base64", "a list of bytes"),
        fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.boolean(),
        (name, places, chunks, isMixed) => {
          const spell = SPELLINGS[name] as Spell;
          const text = `The key is ${spell(KEY)} here.`;
          const events = cut(Buffer.from(text), places).flatMap((piece, n) => [
            ...(isMixed ? [event("msg_2", `other ${n} `)] : []),
            event("msg_1", piece.toString()),
          ]);
          const out = redact(cut(Buffer.from(events.join("")), chunks), true).toString();
          const said = textOf(out, "msg_1");
          expect(said).toMatch(/^The key is .{0,24}\[redacted\].{0,3} here\.$/s);
          if (name === "as it is") expect(said).toMatch(/^The key is .{0,3}\[redacted\] here\.$/);
          if (isMixed) expect(textOf(out, "msg_2")).toBe(textOf(events.join(""), "msg_2"));
        },
      ),
      { numRuns: 500 },
    );
  });
});

function event(item_id: string, delta: string): string {
  return `event: x\ndata: ${JSON.stringify({ type: "response.output_text.delta", item_id, delta })}\n\n`;
}

/** The text that a reader of the stream ends up with. */
function textOf(stream: string, id: string): string {
  return stream
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => JSON.parse(line.slice(5)) as { item_id: string; delta: string })
    .filter((event) => event.item_id === id)
    .map((event) => event.delta)
    .join("");
}

describe("a stream of events", () => {
  it("passes every event at once and unchanged if there is no key", () => {
    const redactor = new Redactor(SECRETS);
    redactor.readEvents();
    const words = "All work and no play makes Jack a dull boy, said Sk. He has a task. ".split("");
    for (const word of words) {
      const line = event("msg_1", word);
      expect(redactor.push(Buffer.from(line)).toString()).toBe(line);
    }
    expect(redactor.end().toString()).toBe("");
  });

  it("holds back an event that ends with the beginning of a key until the next one", () => {
    const redactor = new Redactor(SECRETS);
    redactor.readEvents();
    expect(redactor.push(Buffer.from(event("m", "a sk-Cana"))).toString()).toBe("event: x\n");
    const next = redactor.push(Buffer.from(event("m", "da"))).toString();
    expect(textOf(next, "m")).toBe("a sk-Canada");
  });

  it("passes at once at the end of a text", () => {
    const done = (type: string) => `event: ${type}\ndata: ${JSON.stringify({ type })}\n\n`;
    for (const type of ["response.output_text.done", "response.completed"]) {
      const redactor = new Redactor(SECRETS);
      redactor.readEvents();
      expect(redactor.push(Buffer.from(event("m", "It is a polar bear"))).toString()).toContain(
        "polar bear",
      );
      redactor.push(Buffer.from(event("m", "a sk-Cana")));
      expect(redactor.push(Buffer.from(done(type))).toString()).toContain(`{"type":"${type}"}\n\n`);
    }
    const redactor = new Redactor(SECRETS);
    redactor.readEvents();
    const first = redactor.push(Buffer.from(event("m", KEY.slice(0, -3))));
    const rest = redactor.push(Buffer.from(done("response.completed")));
    expect(Buffer.concat([first, rest]).toString()).not.toContain(KEY.slice(0, 12));
  });

  it("buffers nothing of a line that does not end", () => {
    const redactor = new Redactor(SECRETS);
    redactor.readEvents();
    let out = 0;
    for (let n = 0; n < 100; n++) out += redactor.push(Buffer.alloc(65536, "data: x")).length;
    expect(out).toBeGreaterThan(90 * 65536);
  });
});

describe("looking for the key", () => {
  it.each<[string, string]>([
    ["prose", "All work and no play makes Jack a dull boy. "],
    ["beginnings of the key", "sk-Canary-0123456789/+abc_XYZ"],
    ["openings of spellings", "\\%&\\u00%4&#1"],
    ["base64", Buffer.from("sk-Canary-0123456789/+abc_XY").toString("base64")],
    ["numbers", "115, 107, 45, "],
  ])("takes time in proportion to %s", (_name, words) => {
    const time = (bytes: number) => {
      const redactor = new Redactor(SECRETS);
      const chunk = Buffer.alloc(64 * 1024, words);
      const started = process.cpuUsage();
      for (let n = 0; n < bytes / chunk.length; n++) redactor.push(chunk);
      return process.cpuUsage(started).user / 1000;
    };
    time(256 * 1024);
    const small = time(512 * 1024);
    // Eight times the text takes about eight times as long, not sixty-four times.
    expect(time(4 * 1024 * 1024)).toBeLessThan(Math.max(small, 5) * 8 * 3);
  });
});
