import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxNested } from "../limits.ts";
import { feed, finish, newSanitizer, sanitizedLines } from "./stream-sanitizer.ts";

/** The most container marks at the beginning of a line outside of fences. */
function nesting(text: string): number {
  return Math.max(
    ...text.split("\n").map((line) => {
      const marks = /^(?:[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)))*/.exec(line)?.[0] ?? "";
      return marks.match(/>|[-+*]|\d+/g)?.length ?? 0;
    }),
  );
}

const sanitized = (text: string): string => sanitizedLines(text).join("\n");

describe("sanitizedLines", () => {
  it.each([
    [
      "plain markdown",
      "# Title\n\n- a\n- b\n\n1. c\n   ```ts\n   const x: A<B> = `y`;\n   ```\n\n| a |\n|---|\n| `b<c>` |",
    ],
    ["code spans", "Use `Vec<T>` and ``a ` <b>`` here"],
    ["an autolink", "See <https://example.org/a?b=c>."],
    ["a comparison", "a < b and 1<2"],
    ["bold text unlike the host's", "**Important** `x`\n\n**Added** value"],
    ["other headings", "## Your turn\n\n## Codex says\n\n### Notes"],
    ["nested fences", "````md\n```\ninner\n```\n````"],
    ["an indented fence in a list", "10. foo\n    ```\n    <b>\n    ```\n    after"],
  ])("leaves %s as it is", (_, text) => {
    expect(sanitized(text)).toBe(text);
  });

  it.each([
    ["a heading of a section", "## You", "\\## You"],
    ["one with closing hashes and more space", "##   Codex ##", "\\##   Codex ##"],
    ["one of another level", "# You", "\\# You"],
    ["one in emphasis", "## **You**", "\\## **You**"],
    ["one in a list", "- ## You", "- \\## You"],
    ["one in a quotation", "> ## Codex", "> \\## Codex"],
    ["one with letters of another script", "## Yοu", "\\## Yοu"],
    ["one as entities", "## &#89;ou", "\\## &#89;ou"],
    ["an underlined one", "You\n---", "You\n\\---"],
    ["one underlined twice", "You\n---\n===", "You\n\\---\n\\==="],
    ["one that a backslash made a paragraph", "## You\n---", "\\## You\n\\---"],
  ])("escapes %s", (_, text, expected) => {
    expect(sanitized(text)).toBe(expected);
  });

  it.each([
    ["a tag", "<details>", "\\<details>"],
    ["a closing tag", "a</div>", "a\\</div>"],
    ["a comment", "<!-- a", "\\<!-- a"],
    ["a tag between code spans", "`a` <b> `c`", "`a` \\<b> `c`"],
    ["a tag after a backtick that spans lines", "a ` b\nc ` <i> ` d", "a ` b\nc ` \\<i> ` d"],
    ["a tag that a table cell separates from its code span", "`a | <b>` | c", "`a | \\<b>` | c"],
    ["a scheme that is not an address", "<javascript:alert(1)>", "\\<javascript:alert(1)>"],
  ])("turns %s into text", (_, text, expected) => {
    expect(sanitized(text)).toBe(expected);
  });

  it.each([
    ["an approval", "**Asks** to run `rm`", "\\*\\*Asks\\*\\* to run `rm`"],
    ["a command that ran", "**Ran** `make` · exit 0", "\\*\\*Ran\\*\\* `make` · exit 0"],
    ["an error", "> **Error:** no", "> \\*\\*Error:\\*\\* no"],
    ["one with underscores", "__Edited__ `a`", "\\_\\_Edited\\_\\_ `a`"],
  ])("removes the emphasis from text that imitates the host's lines: %s", (_, text, expected) => {
    expect(sanitized(text)).toBe(expected);
  });

  it.each([
    ["at the end", "```sh\nls", "```sh\nls\n```"],
    ["longer than three", "`````\n```", "`````\n```\n`````"],
    ["of tildes", "~~~\na", "~~~\na\n~~~"],
    ["in a list that ends", "1. a\n   ```\n   b\nc", "1. a\n   ```\n   b\n   ```\nc"],
    ["in a quotation that ends", "> ```\n> a\n\nb", "> ```\n> a\n> ```\n\nb"],
  ])("closes a fence left open %s", (_, text, expected) => {
    expect(sanitized(text)).toBe(expected);
  });

  it("escapes a section's heading in code, for readers that ignore fences", () => {
    expect(sanitized("```\n## You\n```")).toBe("```\n\\## You\n```");
  });

  it("drops blank lines at both ends and keeps the others", () => {
    expect(sanitized("\n\n  \na\n\n\nb\n\n")).toBe("a\n\n\nb");
  });

  it("counts a tab after a quotation mark as narrower", () => {
    expect(sanitizedLines("a\n\n\t<details>", "> ")).toEqual(["> a", ">", "> \t\\<details>"]);
    expect(sanitizedLines("a\n\n\t<details>")).toEqual(["a", "", "\t<details>"]);
  });

  it("begins at the margin, so that it cannot continue a list above it", () => {
    expect(sanitizedLines("    <b>\n    c")).toEqual(["\\<b>", "    c"]);
  });

  it("quotes every line with a prefix", () => {
    expect(sanitizedLines("a\n\nb", "> ")).toEqual(["> a", ">", "> b"]);
  });
});

describe("feed", () => {
  it("writes plain text as it arrives", () => {
    const first = feed(newSanitizer(), "The sched");
    const second = feed(first.state, "uler has");
    expect([first.text, second.text]).toEqual(["The sched", "uler has"]);
  });

  it("holds back a line only while it could become one of the host's headings", () => {
    const first = feed(newSanitizer(), "## Yo");
    const second = feed(first.state, "ur turn\n");
    expect([first.text, second.text]).toEqual(["", "## Your turn"]);
  });

  it("holds back a code span until it is closed", () => {
    const first = feed(newSanitizer(), "see `a<b");
    const second = feed(first.state, "` there");
    expect([first.text, second.text]).toEqual(["see ", "`a<b` there"]);
  });

  it("joins a surrogate pair and a line end that were split", () => {
    const first = feed(newSanitizer(), "a\ud83d");
    const second = feed(first.state, "\udc4d\r");
    const third = feed(second.state, "\nb");
    expect(first.text + second.text + third.text + finish(third.state).text).toBe("a👍\nb");
  });

  it("limits nesting to more than any real text needs", () => {
    const [line = ""] = sanitizedLines(`${"> ".repeat(100_000)}## You`);
    expect(line.slice(0, 84)).toBe(`${"> ".repeat(40)}\\> >`);
    expect(sanitizedLines(`${"- ".repeat(41)}x`)).toEqual([`${"- ".repeat(40)}\\- x`]);
  });

  it.each([
    ["a rule", `${"- ".repeat(1200)}`],
    ["numbers that continue a paragraph", `a\n${"2. ".repeat(1200)}x`],
    ["marks behind a space in code", `a\n\n    ${"- ".repeat(1200)}x`],
    ["marks below a quotation", `> a\n${"2. ".repeat(1200)}x`],
  ])("begins no line with more container markers than a parser can handle: %s", (_, text) => {
    expect(nesting(text)).toBeGreaterThan(1000);
    expect(nesting(sanitized(text))).toBeLessThanOrEqual(maxNested);
  });

  it("begins no line with too many markers of any kind", () => {
    const marks = fc.constantFrom(
      "> ",
      ">",
      "- ",
      "* ",
      "+ ",
      "1. ",
      "2) ",
      "    ",
      "\t",
      "\n",
      "a\n",
    );
    const runs = fc.tuple(marks, fc.integer({ min: 1, max: 300 }));
    fc.assert(
      fc.property(fc.array(runs, { maxLength: 6 }), (parts) => {
        const text = `${parts.map(([mark, times]) => mark.repeat(times)).join("")}x`;
        expect(nesting(sanitized(text))).toBeLessThanOrEqual(maxNested);
      }),
    );
  });

  it.each([
    ["tabs", "b\t", 1112],
    ["wide letters", "中", 2500],
    ["pictures", "👍", 5000],
    ["marks over a letter", "a\u0301", 5000],
  ])("breaks a line of %s that is too wide, in any pieces", (_, char, units) => {
    const text = `x${char.repeat(6000)}`;
    const lines = sanitizedLines(text);
    expect(lines[0]?.length).toBeLessThanOrEqual(units + 1);
    expect(lines.join("")).toBe(text);
    let { state, text: written } = feed(newSanitizer(), text.slice(0, 7001));
    for (const piece of [text.slice(7001, 7003), text.slice(7003)]) {
      const fed = feed(state, piece);
      state = fed.state;
      written += fed.text;
    }
    expect(`${written}${finish(state).text}`).toBe(lines.join("\n"));
  });

  it("leaves a long line of narrow letters whole, and breaks it before wide ones", () => {
    expect(sanitizedLines("a".repeat(20_000))).toHaveLength(1);
    expect(sanitizedLines(`${"a".repeat(10_000)}\t`)).toHaveLength(1);
    expect(sanitizedLines(`${"a".repeat(10_000)}\tb`)).toEqual(["a".repeat(10_000), "\tb"]);
  });

  it("shows combining marks by their code if a letter has too many", () => {
    const marks = (n: number) => "\u0301".repeat(n);
    expect(sanitizedLines(`a${marks(8)}b${marks(8)}`)).toEqual([`a${marks(8)}b${marks(8)}`]);
    expect(sanitizedLines(`a${marks(9)}`)).toEqual([`a${marks(8)}⟨U+0301⟩`]);
  });

  it("sanitizes a line the same way in any pieces, even if its kind is long unknown", () => {
    for (const text of ["- ".repeat(60), `[${"a".repeat(1200)}]: b`, `\`${"<b ".repeat(1500)}\``]) {
      let state = newSanitizer();
      let written = "";
      for (const char of `${text}x`) {
        const fed = feed(state, char);
        state = fed.state;
        written += fed.text;
      }
      expect(`${written}${finish(state).text}`).toBe(sanitizedLines(`${text}x`).join("\n"));
    }
  });
});
