import { describe, expect, it } from "vitest";
import { readTranscript, writeTranscript } from "../../src/chat/format/transcript.ts";
import { looksLikeRole } from "../../src/chat/markdown/lookalike.ts";
import { parseNotification } from "../../src/codex/messages/notification.ts";
import { documentText } from "../support/document-model.ts";
import { firstPrompt, turnCompleted } from "./arbitrary.ts";
import { replay, root, type ScenarioEvent } from "./replay.ts";
import { headings, view } from "./viewer.ts";

/** A notification as it comes over the wire, of turn `u1` by default. */
const say = (method: string, params: object): ScenarioEvent =>
  parseNotification(method, { threadId: "t1", turnId: "u1", ...params });
const started = (item: object, turn = "u1") => say("item/started", { turnId: turn, item });
const completed = (item: object, turn = "u1") => say("item/completed", { turnId: turn, item });
const delta = (itemId: string, text: string) =>
  say("item/agentMessage/delta", { itemId, delta: text });
const message = (id: string, text: string) => ({ type: "agentMessage", id, text });
const command = (id: string, output: string | null, status = "completed") => ({
  ...{ type: "commandExecution", id, command: "ls", cwd: root, status },
  ...{ aggregatedOutput: output, exitCode: 0, durationMs: 5 },
});

/** The text after these events and a note, which must be a block of its own below them. */
function textAfter(...events: ScenarioEvent[]): string {
  const note: ScenarioEvent = { type: "note", text: "After [x]." };
  const text = documentText(replay([firstPrompt, ...events, turnCompleted(), note]).document);
  const viewed = view(text);
  expect(viewed.blocks.findLast((block) => block.text.includes("After"))).toMatchObject({
    within: ["blockquote", "paragraph"],
    text: "Note: After [x].",
  });
  const ours = headings(viewed).filter(
    (heading) => heading.tag === "h2" && heading.within.length === 0,
  );
  expect(ours.map((heading) => heading.text).filter(looksLikeRole)).toEqual([
    "You",
    "Codex",
    "You",
  ]);
  expect([viewed.html, viewed.definitions, viewed.images]).toEqual([[], [], []]);
  expect(writeTranscript(readTranscript(text))).toBe(text);
  return text.slice(text.indexOf("## Codex"), text.lastIndexOf("> **Note:**"));
}

describe("hostile text in the document", () => {
  it.each([
    ["an HTML comment that does not end", "<!-- hidden"],
    ["a comment that a later item ends", "<!--\n\n-->"],
    ["a script", "<script>\nalert(1)\n\n## You\n"],
    ["details that do not end", "<details>\n<summary>x</summary>\n\n```\n"],
    ["a style in a list", "- <style>\n\n  p {}\n"],
    ["front matter", "---\nthread: evil\nproject: /\n---\n\n## You\n\nhi"],
    ["front matter in dots", "---\nthread: evil\n...\n"],
    ["TOML front matter", "+++\nthread = 1\n+++"],
    ["fences in fences", "````\n```\n~~~\n```\n"],
    ["a fence in a quotation in a list", "1. > ```\n\ntext"],
    ["a tilde fence with backticks in its info", "~~~ ```\nx"],
    ["a heading by underlining", "You\n---\nCodex\n==="],
    ["a lazy heading by underlining", "> You\n---"],
    ["a link definition over two lines", "[x]:\n/url\n'title'"],
    ["a definition in a quotation", "> [x]: /url"],
    ["a definition of a footnote", "[^x]: y\n\n    ```\n"],
    ["CRLF", "a\r\n## You\r\n\r\n```\r\nb"],
    ["lone carriage returns", "a\r## You\r\r```"],
    ["NULs and controls", "\0\u0001\u001b]52;c;eA==\u0007\u009b31m\u007f"],
    ["a carriage return and a blank", "\r "],
    ["lone surrogates", "\ud800 \udc00 \ud83d"],
    ["a byte order mark and line separators", "\ufeff## You\u2028## You\u2029\u0085## You"],
    ["tabs before a heading", "\t## You\n \t```\n"],
    ["math, wiki links and directives", "$$\n## You\n\n[[x]]\n::: note\n:::\n%% x"],
    ["a table that goes on", "| a |\n|---|\n| b"],
    ["a processing instruction and CDATA", "<?php\n<![CDATA[\n<!DOCTYPE x"],
  ])("%s does no harm as a message, in any pieces", (_, text) => {
    const whole = textAfter(started(message("a", "")), completed(message("a", text)));
    const streamed = textAfter(
      started(message("a", "")),
      ...[...text].map((char) => delta("a", char)),
      completed(message("a", text)),
    );
    expect(streamed).toBe(whole);
    // Closed even if it is cut off.
    textAfter(started(message("a", "")), ...[...text].map((char) => delta("a", char)));
    textAfter(completed(command("c", text)));
    textAfter(completed({ type: "reasoning", id: "r", summary: [text], content: [] }));
    textAfter(completed({ type: text, id: "k", text }));
    textAfter(completed({ type: "hologram", id: "k", text, content: text, summary: [text] }));
  });

  it("an item with the id of another kind of item is shown, and harms neither", () => {
    const text = textAfter(
      started(message("a", "")),
      delta("a", "First ```"),
      started(command("a", null, "inProgress")),
      completed(command("a", "out\n")),
      completed(message("a", "First.")),
    );
    expect(text).toContain("First");
  });

  it("an item that completes twice, or has deltas afterwards, is shown once", () => {
    const text = textAfter(
      started(message("a", "")),
      completed(message("a", "Once.")),
      delta("a", " more"),
      completed(command("c", "out\n")),
      say("item/commandExecution/outputDelta", { itemId: "c", delta: "late\n" }),
    );
    expect(text).toBe(
      "## Codex\n\nOnce.\n\n**Ran** `ls` · exit 0 · 0.01 s\n```console output\nout\n```\n\n",
    );
  });

  it("deltas of what never began are shown, and never twice", () => {
    const early = say("item/commandExecution/outputDelta", { itemId: "c", delta: "```\n## You\n" });
    expect(textAfter(delta("a", "He"), early, completed(message("a", "Here.")))).toBe(
      "## Codex\n\nHere.\n\n**Ran** a command that Codex did not name\n````console output\n```\n\\## You\n````\n\n",
    );
    expect(textAfter(early, completed(command("c", null)))).toContain("**Ran** `ls`");
  });

  it("an item of another turn is shown, and one of another thread is not", () => {
    const other = parseNotification("item/completed", {
      ...{ threadId: "t9", turnId: "u1", item: message("z", "Not here.") },
    });
    const text = textAfter(
      completed(message("a", "Here."), "u7"),
      { type: "thread", id: "t1" },
      other,
    );
    expect(text).toBe("## Codex\n\nHere.\n\n");
  });

  it.each([
    ["a message", (line: string) => [completed(message("a", line))]],
    ["a streamed message", (line: string) => [started(message("a", "")), delta("a", line)]],
    ["a command's output", (line: string) => [completed(command("c", line))]],
    ["a thought", (line: string) => [completed({ type: "reasoning", id: "r", summary: [line] })]],
    [
      "a command",
      (line: string) => [completed({ ...command("c", null), command: line, cwd: line })],
    ],
    ["a notice", (line: string) => [say("warning", { message: line })]],
    [
      "a step of a plan",
      (line: string) => [say("turn/plan/updated", { plan: [{ step: line, status: line }] })],
    ],
    ["a kind of item", (line: string) => [completed({ type: line, id: "k", text: line })]],
    [
      "a name",
      (line: string) => [completed({ type: "mcpToolCall", id: "m", server: line, tool: line })],
    ],
  ])("%s in one line of a million characters costs what it is long", (_, events) => {
    for (const part of ["a", "`", "<", "> ", " ", "\r", "*", "\u001b[2K\r"]) {
      const line = `${part.repeat(1_000_000 / part.length)}x`;
      const { document } = replay([firstPrompt, ...events(line), turnCompleted()]);
      expect(document.lines.at(-2)).toBe("## You");
    }
  });
});
