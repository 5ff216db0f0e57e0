import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTranscript } from "../../src/chat/format/transcript.ts";
import { looksLikeRole } from "../../src/chat/markdown/lookalike.ts";
import { documentText } from "../support/document-model.ts";
import { anyEvents, firstPrompt, hostileItems, turnCompleted } from "./arbitrary.ts";
import { replay, type ScenarioEvent } from "./replay.ts";
import { headings, view } from "./viewer.ts";

// More runs find rarer cases: `PROPERTY_RUNS=20000 npx vitest run test/chat/commonmark.test.ts`.
const runs = Number(process.env["PROPERTY_RUNS"] ?? 300);

/** The text after some events. */
function written(events: readonly ScenarioEvent[]): string {
  return documentText(replay([firstPrompt, ...events]).document);
}

describe("a conversation in a viewer that does not know the plugin", () => {
  it("has exactly our sections, whatever the model, its commands and the user write", () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const text = written([...events, turnCompleted()]);
        const ours = [
          ...readTranscript(text).sections.map(({ role }) => (role === "user" ? "You" : "Codex")),
          "You",
        ];
        const found = headings(view(text));
        // The user may write headings of other levels, and quote ours.
        const sections = found.filter(
          (heading) => heading.tag === "h2" && heading.within.length === 0,
        );
        expect(sections.map((heading) => heading.text).filter(looksLikeRole)).toEqual(ours);
      }),
      { numRuns: runs },
    );
  });

  it("keeps the text below each item outside of it", () => {
    fc.assert(
      fc.property(hostileItems, ({ events, ended }) => {
        const after: ScenarioEvent = { type: "note", text: "After [x], [1] and [a]." };
        const text = written([...events, ...(ended ? [] : [turnCompleted("interrupted")]), after]);
        const viewed = view(text);
        const index = viewed.blocks.findLastIndex((block) => block.text.includes("After [x]"));
        expect(viewed.blocks[index]).toMatchObject({
          within: ["blockquote", "paragraph"],
          text: "Note: After [x], [1] and [a].",
        });
        expect(viewed.blocks[index]?.rows[0]).toBe(
          text.split("\n").findLastIndex((line) => line.includes("After [x]")),
        );
        expect(
          headings(viewed)
            .filter((heading) => looksLikeRole(heading.text))
            .map((heading) => heading.text),
        ).toEqual(["You", "Codex", "You"]);
        expect(viewed.html).toEqual([]);
        expect(viewed.images).toEqual([]);
        expect(viewed.definitions).toEqual([]);
      }),
      { numRuns: runs },
    );
  });
});
