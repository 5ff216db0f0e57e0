import { describe, expect, it } from "vitest";
import { terminalLine } from "./ansi.ts";

describe("terminalLine", () => {
  it.each([
    ["strips colours", "\u001b[1;32mok\u001b[0m done", "ok done"],
    ["shows other sequences", "\u001b[2Jx\u001b]0;t\u0007", "␛[2Jx␛]0;t␇"],
    ["shows the final state of a progress bar", "10%\r50%\r100%", "100%"],
    ["keeps what a shorter line does not overwrite", "abcdef\rXY", "XYcdef"],
    ["applies the erasure of a line's rest", "abcdef\r\u001b[KXY", "XY"],
    ["applies the erasure of a whole line", "abcdef\r\u001b[2Kx", "x"],
    ["ignores an erasure without a carriage return before it", "secret\u001b[2K", "secret␛[2K"],
    ["drops the carriage return of a CRLF line end", "text\r", "text"],
    ["counts an emoji as one column", "👍b\rx", "xb"],
  ])("%s", (_, raw, expected) => {
    expect(terminalLine(raw)).toBe(expected);
  });

  it("cuts a very long line and says how much is left", () => {
    const line = terminalLine("x".repeat(3234));
    expect(line).toBe(`${"x".repeat(2000)} … 1,234 more characters`);
  });
});
