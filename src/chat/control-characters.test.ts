import { describe, expect, it } from "vitest";
import { cutAt, visible } from "./control-characters.ts";

describe("visible", () => {
  it.each([
    ["an escape sequence", "\u001b[31mred", "␛[31mred"],
    ["a bell and a NUL", "a\u0007b\u0000", "a␇b␀"],
    ["delete", "a\u007f", "a␡"],
    ["a C1 control", "\u009b31m", "⟨U+009B⟩31m"],
    ["a directional override", "\u202etxt.exe", "⟨U+202E⟩txt.exe"],
    ["a zero-width space", "Yo\u200bu", "Yo⟨U+200B⟩u"],
    ["a line separator", "a\u2028b", "a⟨U+2028⟩b"],
    ["a tag character", "a\u{e0041}", "a⟨U+E0041⟩"],
    ["half a surrogate pair", "a\ud83d", "a\ufffd"],
    ["a lone carriage return", "a\rb", "a␍b"],
  ])("shows %s", (_, text, expected) => {
    expect(visible(text)).toBe(expected);
  });

  it("leaves tabs, line ends, emoji and their joiners alone", () => {
    const text = "a\tb\nc 👩‍💻 é नमस्‍ते";
    expect(visible(text)).toBe(text);
  });

  it("does not cut a surrogate pair in two", () => {
    expect(cutAt("ab👍", 3)).toBe("ab");
  });
});
