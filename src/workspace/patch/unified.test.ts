import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { patched } from "./unified.ts";

const dir = mkdtempSync(join(tmpdir(), "codex-chat-diff-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The diff that git makes, with its header. */
function diffOf(from: string, to: string, context: number): string {
  writeFileSync(join(dir, "from"), from);
  writeFileSync(join(dir, "to"), to);
  try {
    execFileSync("git", ["diff", "--no-index", "--text", `-U${context}`, "from", "to"], {
      cwd: dir,
      stdio: "pipe",
    });
    return "";
  } catch (thrown) {
    return (thrown as { stdout: Buffer }).stdout.toString("utf8");
  }
}

const line = fc.constantFrom(
  "a",
  "b",
  "",
  " ",
  "-c",
  "+d",
  "@@ -1 +1 @@",
  "\\ e",
  "ü",
  "f\r",
  "\r",
);
const text = fc.tuple(fc.array(line, { maxLength: 12 }), fc.boolean()).map(([lines, isBare]) =>
  lines
    .map((each) => `${each}\n`)
    .join("")
    .slice(0, isBare ? -1 : undefined),
);

describe("a file's text by a unified diff", () => {
  it("is the one that the diff was made from, whatever the lines are", () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.constantFrom(0, 1, 3),
        fc.boolean(),
        (from, to, context, isBare) => {
          const diff = diffOf(from, to, context);
          const hunks = diff.slice(Math.max(0, diff.indexOf("\n@@") + 1));
          expect(patched(from, isBare ? hunks : diff)).toBe(to);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is never anything else than what the diff says, wherever it does not fit", () => {
    fc.assert(
      fc.property(text, text, text, (from, to, other) => {
        const diff = diffOf(from, to, 3);
        const found = patched(other, diff);
        if (found === undefined) return;
        // All that the diff removes or keeps stood there: taken back, it is the other text again.
        expect(patched(found, diffOf(to, from, 3))).toBe(other);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ["of other lines", "one\ntwo\n", "@@ -1,2 +1,2 @@\n one\n-2\n+two\n"],
    ["of a file that was longer", "one\n", "@@ -1,2 +1,2 @@\n one\n-2\n+two\n"],
    ["of lines further down", "x\none\n", "@@ -1 +1 @@\n-one\n+two\n"],
    ["whose hunks are in another order", "a\nb\n", "@@ -2 +2 @@\n-b\n+c\n@@ -1 +1 @@\n-a\n+c\n"],
    ["with fewer lines than its head says", "one\n", "@@ -1,2 +1,2 @@\n-one\n+two\n"],
    ["with more lines than its head says", "one\n", "@@ -1 +1 @@\n-one\n+two\n+three\n"],
    ["that is not one", "one\n", "one\n"],
    [
      "that ends a line in the middle",
      "one\ntwo\n",
      `@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n`,
    ],
    ["with a number beyond all lines", "one\n", "@@ -99999999999999999999 +1 @@\n-one\n+two\n"],
  ])("is not made by a diff %s", (_, from, diff) => {
    expect(patched(from, diff)).toBeUndefined();
  });

  it("stays as it is by an empty diff, as of a file that is only moved", () => {
    expect(patched("one\r\ntwo", "")).toBe("one\r\ntwo");
  });
});
