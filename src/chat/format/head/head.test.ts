import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFrontMatter } from "../front-matter.ts";
import { bodyStart } from "../marks/index.ts";
import { readHead } from "./head.ts";

const text = (...lines: readonly string[]) => `${lines.join("\n")}\n`;

describe("the head of a conversation", () => {
  it.each([
    ["nothing", "", { query: "", turns: 0 }],
    [
      "front matter, a query and answers",
      text("---", "codex-chat: 1", "thread: t-1", "---", "", "## You", "", "Why?", "", "## Codex"),
      { thread: "t-1", query: "Why?", turns: 1 },
    ],
    [
      "line ends of Windows and a byte order mark",
      "\ufeff---\r\nname: 'It''s' # so\r\n---\r\n## You\r\n\r\nWhy?\r\n## Codex \r\n",
      { name: "It's", query: "Why?", turns: 1 },
    ],
    [
      "a heading in a fence",
      text("## You", "````", "## Codex", "```", "````", "Fenced?", "## Codex"),
      { query: "Fenced?", turns: 1 },
    ],
    [
      "an inline span of three backticks at the start of a line",
      text("## You", "``` x ``` is code", "## Codex"),
      { query: "x is code", turns: 1 },
    ],
    [
      "front matter without an end",
      text("---", "name: no", "## You", "Q"),
      { query: "Q", turns: 0 },
    ],
    [
      "front matter that is not YAML",
      text("---", "name: [a", "- : {", "---", "## You", "Q"),
      { query: "Q", turns: 0 },
    ],
    [
      "an alias that nothing defines",
      text("---", "name: *x", "a: [", "---", "## You", "Q"),
      { query: "Q", turns: 0 },
    ],
    [
      "an empty first query",
      text("## You", "", "## Codex", "## You", "B"),
      { query: "B", turns: 1 },
    ],
    [
      "a query only after its 40th line",
      text("## You", ..."\n".repeat(50).split("\n"), "late"),
      {
        query: "",
        turns: 0,
      },
    ],
    [
      "a line separator before a heading",
      text("## You", "a\u2028## Codex"),
      { query: "a## Codex", turns: 0 },
    ],
  ])("is read from %s", (_, whole, head) => {
    expect(readHead(whole)).toEqual(head);
  });

  it("has the front matter that the YAML library reads, for any text", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "true",
        "1",
        "0x1f",
        "1e3",
        "null",
        "~",
        "- a",
        "a: b",
        "a #b",
        "#",
        "|",
        "*a",
      ),
      fc.constantFrom(
        "Why?",
        "/a/b",
        "a b",
        "Null",
        "NO",
        ".5",
        "a:",
        "'a'",
        '"b"',
        "{a}",
        "2026-01-01",
      ),
      fc.string({ maxLength: 12 }),
    );
    const line = fc
      .tuple(fc.constantFrom("name", "thread", "project", "codex-chat", "tags", "- x"), word)
      .map(([key, value]) => `${key}: ${value}`);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        const whole = text("---", ...lines, "---", "## You");
        const { name, thread, project } = readFrontMatter(whole.split("\n")).meta;
        expect(readHead(whole)).toEqual({
          ...defined({ name, thread, project }),
          query: "",
          turns: 0,
        });
      }),
      { numRuns: 2000 },
    );
  });

  it("ends where the body starts, in characters and in bytes", () => {
    const whole = `\ufeff${text("---", "name: ü", "---", "## You")}`;
    expect(whole.slice(bodyStart(whole))).toBe("## You\n");
    const bytes = Buffer.from(whole).toString("latin1");
    expect(bytes.slice(bodyStart(bytes))).toBe("## You\n");
    expect(bodyStart(text("---", "rule", "a".repeat(10)))).toBe(0);
  });
});

function defined(meta: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(meta).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
