import { rememberClosed } from "../finished-items.ts";
import {
  append,
  type Draft,
  markSection,
  notice,
  oneLine,
  patchState,
  showOmitted,
} from "../reducer-context.ts";
import { idleTurn, type OpenPatch } from "../state.ts";
import type { TurnFailure } from "../turn-error.ts";
import { endCommand } from "./command-item.ts";
import { showEarlyOutput } from "./early-output.ts";
import { endPatch } from "./patch-item.ts";
import { endText, isText } from "./text-item.ts";

/** Shows that the turn failed and what can be done, once per turn. */
export function showFailure(draft: Draft, failure: TurnFailure): void {
  const { turn } = draft.state;
  if (turn.failed) return;
  patchState(draft, { turn: { ...turn, failed: true } });
  const what = oneLine(failure.what);
  const ended = /[.!?…]\)?$/.test(what) ? what : `${what}.`;
  const lines = [notice("Error", ended)];
  if (failure.fix !== "") lines.push(">", `> ${oneLine(failure.fix)}`);
  append(draft, lines, "end");
}

/**
 * Ends the turn: closes what Codex left open, and adds a note if nothing else shows that it is
 * over.
 *
 * After an interrupt or a steer, items may never get `item/completed` (app-server 0.169). Neither
 * of them kills a running command, which continues in the background.
 */
export function completeTurn(draft: Draft, how: "ended" | "interrupted" | "stopped"): void {
  for (const id of draft.state.approvals.keys()) withdraw(draft, id);
  closeItems(draft, how === "stopped");
  showEarlyOutput(draft);
  const { section, turn } = draft.state;
  if (how === "interrupted" && !turn.failed) {
    append(draft, [notice("Note", "stopped before the answer was complete.")], "end");
  } else if (how === "ended" && section?.empty === true) {
    append(draft, [notice("Note", "Codex ended the turn without an answer.")], "end");
  }
  showOmitted(draft);
  markSection(draft, "none");
  patchState(draft, { turn: idleTurn });
}

/** Closes the model's texts that a steer cut off: their items never complete. */
export function closeText(draft: Draft): void {
  for (const [id, item] of draft.state.items) {
    if (isText(item)) rememberClosed(draft, id, endText(draft, id, item, undefined));
  }
}

function closeItems(draft: Draft, serverDied: boolean): void {
  closeText(draft);
  for (const [id, item] of draft.state.items) {
    switch (item.kind) {
      case "message":
      case "reasoning":
      case "proposal":
        break;
      case "command": {
        if (item.phase === "background" && !serverDied) break;
        const runs = (item.phase === "running" || item.phase === "background") && !serverDied;
        const phase = runs ? "background" : item.phase === "declined" ? "declined" : "stopped";
        const end = { phase, exitCode: null, durationMs: null, output: null } as const;
        const ended = endCommand(draft, id, item, end);
        if (!runs) rememberClosed(draft, id, ended);
        break;
      }
      case "patch":
        rememberClosed(draft, id, closePatch(draft, id, item));
        break;
      case "step":
        draft.edits.push({ op: "replace", id: item.block, lines: [item.stopped] });
        draft.edits.push({ op: "mark", id: item.block, mark: "none" });
        rememberClosed(draft, id, item);
        break;
      default:
        item satisfies never;
    }
  }
}

function closePatch(draft: Draft, id: string, item: OpenPatch): OpenPatch {
  const phase = item.phase === "declined" ? "declined" : "stopped";
  return endPatch(draft, id, item, phase, undefined);
}

/** Withdraws an approval that can no longer be answered. */
function withdraw(draft: Draft, id: string): void {
  const approval = draft.state.approvals.get(id);
  const approvals = new Map(draft.state.approvals);
  approvals.delete(id);
  patchState(draft, { approvals });
  if (approval !== undefined && approval.itemId === undefined) {
    const lines = [`${approval.summary} · withdrawn`];
    draft.edits.push({ op: "replace", id: approval.block, lines });
  }
}
