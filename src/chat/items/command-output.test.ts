import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countOf } from "../fences.ts";
import { addOutput, latestLine, noOutput, outputLines, wholeOutput } from "./command-output.ts";

const numbered = (n: number): string =>
  Array.from({ length: n }, (_, index) => `line ${index + 1}\n`).join("");

/** What of these lines is to be shown, said once more and simply. */
function shown(raw: readonly string[]): string[] {
  const lines = raw
    .map((line) => wholeOutput(line)[0] ?? "")
    .slice(0, raw.at(-1) === "" ? -1 : undefined);
  let head = 0;
  for (let chars = 0; head < lines.length && head < 200 && chars < 24_000; head += 1)
    chars += lines[head]?.length ?? 0;
  let tail = lines.length;
  for (let chars = 0; tail > head && lines.length - tail < 200; tail -= 1) {
    chars += lines[tail - 1]?.length ?? 0;
    if (chars > 24_000 && tail < lines.length) break;
  }
  const left = tail - head;
  return [
    ...lines.slice(0, head),
    ...(left > 0 ? [`… ${countOf(left, "line")} left out …`] : []),
    ...lines.slice(tail),
  ];
}

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

  it("returns the same lines of a long output, however it is split", () => {
    const lines = fc.array(fc.tuple(fc.nat(400), fc.constantFrom(0, 1, 30, 3000, 70_000)), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(lines, fc.array(fc.nat(9000), { maxLength: 20 }), (groups, cuts) => {
        const all = groups.flatMap(([count, chars]) =>
          Array.from({ length: chars > 3000 ? count % 4 : count }, () => "x".repeat(chars)),
        );
        const numberedLines = all.map((line, n) => `${n}\u001b[1m${line}`);
        let output = noOutput;
        const text = numberedLines.join("\n");
        let at = 0;
        for (const cut of cuts) {
          output = addOutput(output, text.slice(at, at + cut));
          at += cut;
        }
        output = addOutput(output, text.slice(at));
        expect(outputLines(output)).toEqual(shown(numberedLines));
      }),
      { numRuns: 60 },
    );
  });

  it.each([1, 3, 64])("returns the first and last lines of pieces of %i lines", (count) => {
    const all = numbered(1000).trimEnd().split("\n");
    let output = noOutput;
    for (let n = 0; n < all.length; n += count)
      output = addOutput(
        output,
        all
          .slice(n, n + count)
          .map((line) => `${line}\n`)
          .join(""),
      );
    expect(outputLines(output)).toEqual(shown(all));
  });

  it("keeps little of an output of any size", () => {
    let output = noOutput;
    for (let n = 0; n < 3000; n += 1)
      output = addOutput(output, `${"y".repeat(n % 3000)}\n`.repeat(9));
    const { pieces } = output.waiting;
    const kept = pieces.reduce((sum, { text }) => sum + text.length, 0);
    expect(kept).toBeLessThan(140_000);
    expect(pieces.length).toBeLessThan(60);
  });

  it("returns the latest complete line of a long output", () => {
    expect(latestLine(addOutput(addOutput(noOutput, numbered(500)), "## Codex\n"))).toBe(
      "\\## Codex",
    );
  });

  it("returns the latest line while it is being written", () => {
    const output = addOutput(addOutput(noOutput, "done a\n"), "10%\r55%");
    expect(latestLine(output)).toBe("55%");
  });
});
