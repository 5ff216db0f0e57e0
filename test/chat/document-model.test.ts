import { describe, expect, it } from "vitest";
import type { Edit } from "../../src/chat/edits/edits.ts";
import {
  applyEdits,
  documentOf,
  documentText,
  lastPrompt,
  sendPrompt,
  typeLines,
} from "../support/document-model.ts";

const start = "---\ncodex-chat: 1\n---\n\n## You\n\n";

/** The text after edits of a document whose prompt held `hi` and was sent as `user:1`. */
function textAfter(...edits: Edit[]): string {
  const typed = typeLines(documentOf(start), 6, 6, ["hi", "", ""]);
  const { document } = sendPrompt(typed, "user:1");
  return documentText(applyEdits(document, edits)).slice(start.length - "## You\n\n".length);
}

describe("applyEdits", () => {
  it("inserts below a block, with and without a blank line", () => {
    expect(
      textAfter(
        { op: "insert", id: "a", after: "user:1", lines: ["## Codex"], gap: 1 },
        { op: "insert", id: "c", after: "a", lines: ["c"], gap: 1 },
        { op: "insert", id: "b", after: "a", lines: ["b"], gap: 0 },
      ),
    ).toBe("## You\n\nhi\n\n## Codex\nb\n\nc\n\n## You\n\n");
  });

  it("inserts the continuation of history directly above the prompt", () => {
    const document = documentOf("## You\n\na\n\n## Codex\n\nb\n\n## You\n\n");
    const edit: Edit = { op: "insert", id: "x", after: "history", lines: ["x"], gap: 1 };
    expect(documentText(applyEdits(document, [edit]))).toBe(
      "## You\n\na\n\n## Codex\n\nb\n\nx\n\n## You\n\n",
    );
  });

  it("leaves a blank line above the prompt of an empty document", () => {
    const edit: Edit = { op: "insert", id: "x", after: "history", lines: ["x"], gap: 1 };
    expect(documentText(applyEdits(documentOf(""), [edit]))).toBe("x\n\n## You\n\n");
  });

  it("appends text with line ends, replaces and removes", () => {
    expect(
      textAfter(
        { op: "insert", id: "a", after: "user:1", lines: ["one"], gap: 1 },
        { op: "insert", id: "b", after: "a", lines: ["gone"], gap: 1 },
        { op: "append", id: "a", text: " two\nthree" },
        { op: "remove", id: "b" },
        { op: "replace", id: "user:1", lines: ["## You", "", "HI"] },
      ),
    ).toBe("## You\n\nHI\n\none two\nthree\n\n## You\n\n");
  });

  it("throws for a block that is not there", () => {
    expect(() => textAfter({ op: "append", id: "nope", text: "x" })).toThrow('no block "nope"');
  });
});

describe("sendPrompt", () => {
  it("returns the text without the blank lines around it", () => {
    const typed = typeLines(documentOf(start), 6, 6, ["", "  a", "", "b", " ", ""]);
    expect(sendPrompt(typed, "user:1").text).toBe("  a\n\nb");
  });
});

it("puts a blank line below the heading where the user typed there", () => {
  const { document } = sendPrompt(documentOf("## You\nhi\n"), "user:1");
  expect(documentText(document)).toBe("## You\n\nhi\n\n## You\n\n");
});

describe("lastPrompt", () => {
  it("ignores headings in fences and in quotations", () => {
    const lines = ["## You", "", "```", "## You", "```", "> ## You", "- x", "  ## You"];
    expect(lastPrompt(lines)).toBe(0);
  });
});
