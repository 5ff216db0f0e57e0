import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { terminalFilter } from "./terminal-filter.ts";

function filtered(...chunks: readonly (string | Uint8Array)[]): string {
  const filter = terminalFilter();
  return Buffer.concat(chunks.map((chunk) => filter(Buffer.from(chunk as string)))).toString(
    "latin1",
  );
}

const text = (chunk: string) => Buffer.from(chunk).toString("latin1");

/** Where strings begin, for a terminal that lets controls stand within a sequence. */
function stringsIn(output: string): number[] {
  const bytes = [...Buffer.from(output, "latin1")];
  return bytes.flatMap((byte, at) => {
    if (byte === 0xc2 && (bytes[at + 1] ?? 0) >= 0x80 && (bytes[at + 1] ?? 0) < 0xa0) return [at];
    if (byte !== 0x1b) return [];
    const next = bytes.slice(at + 1).find((code) => code >= 0x20 && code !== 0x7f) ?? 0;
    return [..."PX]^_"].includes(String.fromCharCode(next)) ? [at] : [];
  });
}

describe("the terminal's filter", () => {
  it.each([
    ["text, umlauts and signs of two bytes", "häßlich © ✓ 🙂\r\n\t"],
    ["colours, cursor, screens and mouse", "\x1b[1;31mred\x1b[0m\x1b[2J\x1b[?1049h\x1b[?1000h"],
    ["character sets and keypad modes", "\x1b(B\x1b=\x1b>\x1b7\x1b8\x1bM\x1b#8"],
    ["a bell", "\x07"],
  ])("passes %s", (_what, chunk) => {
    expect(filtered(chunk)).toBe(text(chunk));
  });

  it.each([
    ["the clipboard (OSC 52)", "a\x1b]52;c;aGk=\x07b"],
    ["the clipboard, ended by ST", "a\x1b]52;c;aGk=\x1b\\b"],
    ["a title", "a\x1b]0;title\x07b"],
    ["a link", "a\x1b]8;;http://x\x1b\\\x1b]8;;\x1b\\b"],
    ["DCS", "a\x1bP$q q\x1b\\b"],
    ["APC", "a\x1b_G\x1b\\b"],
    ["PM", "a\x1b^x\x1b\\b"],
    ["SOS", "a\x1bXx\x1b\\b"],
    ["one with NUL and DEL after its ESC", "a\x1b\r\n]52;c;aGk=\x07b"],
    ["one after an ESC too many", "a\x1b\x1b]52;c;aGk=\x07b"],
    ["one behind an incomplete one", "a\x1b]0;x\x1b]52;c;aGk=\x07b"],
    ["one that begins with a C1 control", "a\u009d\u009cb"],
    ["one behind a cancelled sequence", "a\x1b\x18\x1b]52;c;aGk=\x07b"],
  ])("removes %s", (_what, chunk) => {
    expect(filtered(chunk).replace("\r\n", "")).toBe("ab");
    // In whatever pieces.
    expect(filtered(...chunk).replace("\r\n", "")).toBe("ab");
  });

  it("leaves no ESC before a C1 control that it removes", () => {
    expect(filtered("\x1b\u009d]52;c;aGk=\x07")).toBe("]52;c;aGk=\x07");
  });

  it("lets no control string begin, for any input and any cuts", () => {
    const nasty = fc.constantFrom(0x1b, 0x5d, 0x50, 0x5c, 0x07, 0x00, 0x18, 0x20, 0xc2, 0x9d, 0x7f);
    const bytes = fc.array(fc.oneof({ weight: 4, arbitrary: nasty }, fc.nat(255)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(40), { maxLength: 5 }), (all, cuts) => {
        const whole = filtered(Uint8Array.from(all));
        expect(stringsIn(whole)).toEqual([]);
        const filter = terminalFilter();
        const ends = [0, ...cuts, 40].sort((a, b) => a - b);
        const pieces = ends.map((end, i) => filter(Uint8Array.from(all.slice(end, ends[i + 1]))));
        expect(Buffer.concat(pieces).toString("latin1")).toBe(whole);
      }),
      { numRuns: 3000 },
    );
  });
});
