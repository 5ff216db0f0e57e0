import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { documentText } from "../../src/chat/document.ts";
import { readEvent, replay } from "./replay.ts";

const golden = join(import.meta.dirname, "golden");

/** Each folder holds what happened, `events.jsonl`, and what the user then sees, `transcript.md`. */
describe("golden transcripts", () => {
  for (const scenario of readdirSync(golden)) {
    it(`shows ${scenario.replaceAll("-", " ")}`, async () => {
      const lines = readFileSync(join(golden, scenario, "events.jsonl"), "utf8")
        .trim()
        .split("\n");
      const events = lines.map((line) => readEvent(JSON.parse(line)));
      const { document } = replay(events);
      await expect(documentText(document)).toMatchFileSnapshot(
        join(golden, scenario, "transcript.md"),
      );
    });
  }
});
