import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTranscript, writeTranscript } from "../../src/chat/format/transcript.ts";
import { looksLikeRole } from "../../src/chat/markdown/lookalike.ts";
import { documentOf, documentText } from "../support/document-model.ts";
import { readEvent, replay } from "./replay.ts";
import { headings, view } from "./viewer.ts";

const golden = join(import.meta.dirname, "golden");
const scenarios = readdirSync(golden).map((name) => [name.replaceAll("-", " "), name] as const);

function textOf(scenario: string): string {
  const lines = readFileSync(join(golden, scenario, "events.jsonl"), "utf8")
    .trim()
    .split("\n");
  return documentText(replay(lines.map((line) => readEvent(JSON.parse(line)))).document);
}

/** Each folder holds the events, `events.jsonl`, and what the user then sees, `transcript.md`. */
describe("golden transcripts", () => {
  it.each(scenarios)("show %s", async (_, scenario) => {
    await expect(textOf(scenario)).toMatchFileSnapshot(join(golden, scenario, "transcript.md"));
  });

  it.each(scenarios)("are read and written again without a change: %s", (_, scenario) => {
    const text = textOf(scenario);
    expect(writeTranscript(readTranscript(text))).toBe(text);
    expect(documentText(documentOf(text))).toBe(text);
  });

  it.each(scenarios)("have the same structure in any viewer: %s", (_, scenario) => {
    const text = textOf(scenario);
    const { html, images, definitions, blocks } = view(text);
    expect([html, definitions]).toEqual([[], []]);
    expect(images.filter((path) => !path.startsWith("images/"))).toEqual([]);
    const ours = readTranscript(text).sections.map(({ role }) =>
      role === "user" ? "You" : "Codex",
    );
    const found = headings({ html, images, definitions, blocks });
    const sections = found.filter(({ tag, within }) => tag === "h2" && within.length === 0);
    expect(sections.map((heading) => heading.text).filter(looksLikeRole)).toEqual([...ours, "You"]);
    // A fence that is never closed would reach to the end of its container.
    const rows = text.split("\n");
    for (const {
      kind,
      rows: [first, end],
    } of blocks)
      if (kind === "fence")
        expect(rows[end - 1]?.trim(), rows[first]).toMatch(/^(?:> ?)*[`~]{3,}$/);
  });
});
