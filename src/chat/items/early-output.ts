import { copied } from "../control-characters.ts";
import { fenced } from "../fences.ts";
import { append, type Draft, insertBelow, noteOmitted, patchState } from "../reducer-context.ts";
import type { OpenCommand } from "../state.ts";
import { growCommand } from "./command-item.ts";
import { wholeOutput } from "./command-output.ts";

/** How many commands' output is kept before they start, and how many characters of each. */
const maxEarlyItems = 20;
const maxEarlyChars = 100_000;

/** Keeps output of a command that has not started yet. */
export function keepEarlyOutput(draft: Draft, id: string, piece: string): void {
  const { earlyOutput } = draft.state;
  const before = earlyOutput.get(id) ?? "";
  if (before === "" && earlyOutput.size >= maxEarlyItems) {
    noteOmitted(draft, { steps: 1 });
    return;
  }
  const fresh = piece.slice(0, maxEarlyChars - before.length);
  if (fresh.length < piece.length) noteOmitted(draft, { chars: piece.length - fresh.length });
  if (fresh === "") return;
  patchState(draft, { earlyOutput: new Map(earlyOutput).set(id, before + copied(fresh)) });
}

/** Adds the kept output of a command that starts now. */
export function showKeptOutput(draft: Draft, id: string, command: OpenCommand): void {
  const output = draft.state.earlyOutput.get(id);
  if (output === undefined) return;
  const earlyOutput = new Map(draft.state.earlyOutput);
  earlyOutput.delete(id);
  patchState(draft, { earlyOutput });
  growCommand(draft, id, command, output);
}

/** Shows the output of commands that never started. */
export function showEarlyOutput(draft: Draft): void {
  for (const output of draft.state.earlyOutput.values()) {
    const summary = append(draft, ["**Ran** a command that Codex did not name"]);
    const fence = insertBelow(draft, summary, fenced(wholeOutput(output), "console output"));
    draft.edits.push({ op: "fold", from: fence, to: fence, label: "output" });
  }
  if (draft.state.earlyOutput.size > 0) patchState(draft, { earlyOutput: new Map() });
}
