import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backlog } from "../../src/chat/edits/backlog.ts";
import { coalesce } from "../../src/chat/edits/coalesce.ts";
import type { Edit } from "../../src/chat/edits/edits.ts";
import type { ChatEvent } from "../../src/chat/event.ts";
import { readTranscript } from "../../src/chat/format/transcript.ts";
import { noBlocks, scanLine } from "../../src/chat/markdown/block-scanner.ts";
import { reduce } from "../../src/chat/reducer/reduce.ts";
import { initialState } from "../../src/chat/state.ts";
import {
  applyEdits,
  documentOf,
  documentText,
  lastPrompt,
  promptBlock,
  typeLines,
} from "../support/document-model.ts";
import {
  anyEvents,
  cut,
  firstPrompt,
  hostileText,
  sequentialItems,
  turnCompleted,
} from "./arbitrary.ts";
import { newChat, replay, root, type ScenarioEvent, typeAndSend } from "./replay.ts";

// More runs find rarer cases: `PROPERTY_RUNS=5000 npx vitest run test/chat/properties.test.ts`.
const runs = Number(process.env["PROPERTY_RUNS"] ?? 100);
fc.configureGlobal({ numRuns: runs });

/** Plays events and collects their edits into frames that end where `ends` says. */
function replayInFrames(events: readonly ScenarioEvent[], ends: readonly boolean[]): string {
  let { state, document } = newChat();
  let waiting: Edit[] = [];
  for (const [index, event] of events.entries()) {
    if ("type" in event && event.type === "prompt") {
      ({ document } = typeAndSend(document, event));
      const step = reduce(state, {
        type: "sent",
        id: event.id,
        mode: event.mode,
        text: event.text,
      });
      state = step.state;
      waiting.push(...step.edits);
    } else {
      const step = reduce(state, event);
      state = step.state;
      waiting.push(...step.edits);
    }
    if (ends[index % Math.max(1, ends.length)] === true) {
      document = applyEdits(document, coalesce(waiting));
      waiting = [];
    }
  }
  return documentText(applyEdits(document, coalesce(waiting)));
}

describe("the transcript", () => {
  it("is the same however the stream is cut into frames", () => {
    fc.assert(
      fc.property(anyEvents, fc.array(fc.boolean(), { minLength: 1 }), (events, ends) => {
        const all = [firstPrompt, ...events];
        expect(replayInFrames(all, ends)).toBe(documentText(replay(all).document));
      }),
    );
  });

  it("is the same however small the parts are in which a backlog is sent", () => {
    const size = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(anyEvents, fc.array(fc.tuple(size, size), { minLength: 1 }), (events, sizes) => {
        let { state, document } = newChat();
        const backlog = new Backlog();
        let taken = 0;
        const take = (): void => {
          const [edits = 1, chars = 1] = sizes[taken % sizes.length] ?? [];
          document = applyEdits(document, backlog.take(edits, chars));
          taken += 1;
        };
        for (const event of [firstPrompt, ...events]) {
          let chatEvent: ChatEvent;
          if ("type" in event && event.type === "prompt") {
            while (!backlog.isEmpty) take();
            ({ document } = typeAndSend(document, event));
            const { id, mode, text } = event;
            chatEvent = { type: "sent", id, mode, text };
          } else chatEvent = event;
          const step = reduce(state, chatEvent);
          state = step.state;
          for (const edit of step.edits) backlog.push(edit);
          take();
        }
        while (!backlog.isEmpty) take();
        const whole = replay([firstPrompt, ...events]).document;
        expect(documentText(document)).toBe(documentText(whole));
      }),
    );
  });

  it("is the same however the model's text is cut into deltas, even if it never completes", () => {
    fc.assert(
      fc.property(hostileText, fc.array(fc.nat(1000)), fc.boolean(), (text, cuts, ends) => {
        const play = (pieces: readonly string[]): string =>
          documentText(
            replay([
              firstPrompt,
              ...pieces.map((delta) => ({
                method: "item/agentMessage/delta" as const,
                params: { threadId: "t1", turnId: "u1", itemId: "m", delta },
              })),
              turnCompleted(ends ? "completed" : "interrupted"),
            ]).document,
          );
        expect(play(cut(text, cuts))).toBe(play([text]));
      }),
    );
  });

  it("finally shows the completed items, whatever was streamed before", () => {
    fc.assert(
      fc.property(sequentialItems, ({ streams, wholes }) => {
        const streamed = replay([firstPrompt, ...streams, turnCompleted()]);
        const whole = replay([firstPrompt, ...wholes, turnCompleted()]);
        expect(documentText(streamed.document)).toBe(documentText(whole.document));
      }),
    );
  });

  it("keeps its structure whatever the model, its commands and the user write", () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const { document } = replay([firstPrompt, ...events, turnCompleted()]);
        const sent =
          events.filter((event) => "type" in event && event.type === "prompt").length + 1;
        const { sections, prompt } = readTranscript(documentText(document));
        expect(sections.filter((section) => section.role === "user")).toHaveLength(sent);
        expect(prompt).toBe("");
        expect(lastPrompt(document.lines)).toBe(document.blocks.get(promptBlock)?.start);
        const written = sections
          .filter((section) => section.role === "codex")
          .flatMap((section) => [...section.text.split("\n"), ""]);
        expect(rawHtml(written)).toEqual([]);
        expect(written.filter(hasControls)).toEqual([]);
        expect(document.marks.size).toBeLessThanOrEqual(sent);
      }),
      { numRuns: 3 * runs },
    );
  });

  it("leaves what the user types above and below as it is", () => {
    const typed = fc.array(
      fc.tuple(
        fc.boolean(),
        fc.nat(8),
        fc.nat(2),
        fc.array(fc.constantFrom("x", "", "y z"), { maxLength: 3 }),
      ),
    );
    fc.assert(
      fc.property(sequentialItems, typed, ({ streams }, edits) => {
        const old = [
          "---",
          "codex-chat: 1",
          "---",
          "",
          "## You",
          "",
          "old",
          "",
          "## Codex",
          "",
          "answer",
          "",
        ];
        let history = [...old];
        let draft: string[] = [];
        let state = initialState({ root });
        let document = documentOf([...old, "## You", "", ""].join("\n"));
        ({ document } = typeAndSend(document, firstPrompt));
        const machine = replay([firstPrompt, ...streams]).document;
        const events: ScenarioEvent[] = [
          { type: "sent", id: "user:1", mode: "start", text: firstPrompt.text },
          ...streams,
        ];
        for (const [index, event] of events.entries()) {
          if ("type" in event && event.type === "prompt") continue;
          const step = reduce(state, event);
          state = step.state;
          document = applyEdits(document, step.edits);
          const [above, row, count, lines] = edits[index % Math.max(1, edits.length)] ?? [
            true,
            0,
            0,
            [],
          ];
          if (above) {
            // The last line stays: it is the blank line that belongs to the sent query.
            const first = Math.min(row, history.length - 1);
            const last = Math.min(first + count, history.length - 1);
            document = typeLines(document, first, last, lines);
            history = [...history.slice(0, first), ...lines, ...history.slice(last)];
          } else {
            const prompt = document.blocks.get(promptBlock)?.start ?? 0;
            document = typeLines(document, prompt + 2, prompt + 2 + draft.length, lines);
            draft = [...lines];
          }
        }
        const between = machine.lines.slice(7, machine.blocks.get(promptBlock)?.start);
        expect(document.lines).toEqual([
          ...history,
          ...between.slice(between.indexOf("## You")),
          "## You",
          "",
          ...draft,
        ]);
      }),
    );
  });
});

/** Lines outside of code in which a viewer would find a tag. */
function rawHtml(lines: readonly string[]): string[] {
  let blocks = noBlocks;
  return lines.filter((line) => {
    const scanned = scanLine(blocks, line);
    blocks = scanned.after;
    return !["code", "opens", "closes"].includes(scanned.kind) && hasTag(line);
  });
}

/**
 * Whether a tag begins outside of the code spans of a line. If a run of backticks has no partner, the
 * line alone does not decide it: the viewer of commonmark.test.ts parses whole paragraphs.
 */
function hasTag(line: string): boolean {
  const token = /\\[!-/:-@[-`{-~]|(`+)|<[a-z/!?]/gi;
  let found = false;
  for (let match = token.exec(line); match !== null; match = token.exec(line)) {
    if (match[0].startsWith("<")) found = true;
    const ticks = match[1];
    if (ticks === undefined) continue;
    const rest = line.slice(token.lastIndex);
    const partner = [...rest.matchAll(/`+/g)].find((run) => run[0].length === ticks.length);
    if (partner === undefined) return false;
    token.lastIndex += partner.index + ticks.length;
  }
  return found;
}

function hasControls(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
  return /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(line);
}
