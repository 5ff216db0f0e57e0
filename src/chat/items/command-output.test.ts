import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addOutput, latestLine, noOutput, outputLines, wholeOutput } from "./command-output.ts";

const numbered = (n: number): string =>
  Array.from({ length: n }, (_, index) => `line ${index + 1}\n`).join("");

describe("wholeOutput", () => {
  it("keeps a short output as it is", () => {
    expect(wholeOutput("a\n\n  b\n")).toEqual(["a", "", "  b"]);
  });

  it("keeps the last line without a line end", () => {
    expect(wholeOutput("a\nb")).toEqual(["a", "b"]);
  });

  it("keeps the first and last 200 lines of a long one and says how many are left out", () => {
    const lines = wholeOutput(numbered(1000));
    expect(lines).toHaveLength(401);
    expect(lines.slice(199, 202)).toEqual(["line 200", "… 600 lines left out …", "line 801"]);
  });

  it("keeps a MiB of long lines small", () => {
    const text = `${"x".repeat(1500)}\n`.repeat(700);
    expect(wholeOutput(text).join("\n").length).toBeLessThan(60_000);
  });

  it("escapes lines that a simple reader would take for a section", () => {
    expect(wholeOutput("## You\n")).toEqual(["\\## You"]);
  });
});

describe("addOutput", () => {
  it("returns the same lines however the output is split", () => {
    const piece = fc.constantFrom(
      "a",
      "\n",
      "\r",
      "\r\n",
      "\u001b[1m",
      "\u001b[K",
      "`".repeat(4),
      "é",
      "👍",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.array(fc.nat(12)), (pieces, cuts) => {
        const text = pieces.join("");
        let output = noOutput;
        let at = 0;
        for (const cut of cuts) {
          output = addOutput(output, text.slice(at, at + cut));
          at += cut;
        }
        output = addOutput(output, text.slice(at));
        expect(outputLines(output)).toEqual(wholeOutput(text));
      }),
    );
  });

  it("returns the latest line while it is being written", () => {
    const output = addOutput(addOutput(noOutput, "done a\n"), "10%\r55%");
    expect(latestLine(output)).toBe("55%");
  });
});
