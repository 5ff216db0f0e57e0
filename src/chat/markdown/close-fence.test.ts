import { describe, expect, it } from "vitest";
import { readTranscript } from "../format/transcript.ts";
import { missingLine, wholeText } from "./close-fence.ts";

const chat = (answer: string, prompt = "draft"): string[] =>
  `## You\n\nGo.\n\n## Codex\n\n${answer}\n\n## You\n\n${prompt}`.split("\n");

describe("an answer that is still coming", () => {
  it.each([
    ["```js\nconst a", "```"],
    ["~~~~\n```\n", "~~~~"],
    ["1. A list:\n\n   ```js\n   const a", "   ```"],
    ["```\na\n```\n\n````md\n```", "````"],
  ])("has its fence closed in the file: %j", (answer, closer) => {
    const lines = chat(answer);
    expect(missingLine(lines)?.line).toBe(closer);
    const { sections, prompt } = readTranscript(wholeText(lines));
    expect(sections.map((section) => section.role)).toEqual(["user", "codex"]);
    expect(sections[1]?.text).toBe(`${answer.trimEnd()}\n${closer}`);
    expect(prompt).toBe("draft");
  });

  it.each([
    ["a complete answer", chat("```\na\n```")],
    ["a prompt with an open fence", chat("Yes.", "```\nmine")],
    ["a sent query with an open fence", [...chat("Yes.", "```\nmine"), "", "## You", ""]],
    ["one with a fence in a quotation", chat("> ```\n> a")],
    ["no answer", ["## You", "", "```"]],
    ["no prompt", ["## Codex", "", "```"]],
  ])("is left unchanged if it is %s", (_, lines) => {
    expect(wholeText(lines)).toBe(`${lines.join("\n")}\n`);
  });
});
