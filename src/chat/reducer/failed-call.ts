import { unwrapShell } from "../command-text.ts";
import type { LocalEvent } from "../event.ts";
import { codeSpan, countOf, fenced, shownPath } from "../fences.ts";
import { isFinished, rememberGone } from "../finished-items.ts";
import { wholeOutput } from "../items/index.ts";
import { append, type Draft, insertBelow, oneLine } from "../reducer-context.ts";

type FailedCall = Extract<LocalEvent, { type: "call_failed" }>["call"];

/** How many files of a patch are named in its summary. */
const MAX_NAMED = 3;
/** How much of the reason is in the summary; for a patch, none is. */
const MAX_REASON = 100;

/**
 * Shows a failed tool call: a summary line, and Codex's reason with the patch in a fold. A call
 * that is shown as an item is not shown again.
 *
 * SECURITY: all of it comes from the model, or from a program that pretends to be Codex.
 */
export function showFailedCall(
  draft: Draft,
  { call, byAgent }: Extract<LocalEvent, { type: "call_failed" }>,
): void {
  const { state } = draft;
  if (state.items.has(call.id) || isFinished(state, call.id)) return;
  const summary = append(draft, [
    `${summaryOf(call, state.root)}${byAgent ? " · by a sub-agent" : ""}`,
  ]);
  rememberGone(draft, call.id);
  const why = call.reason.trim();
  if (call.kind !== "patch" && why === oneLine(why, MAX_REASON)) return;
  const lines = wholeOutput(why);
  if (call.patch !== "") lines.push("", ...wholeOutput(call.patch.trim()));
  const reason = insertBelow(draft, summary, fenced(lines, "text reason"));
  draft.edits.push({ op: "fold", from: reason, to: reason, label: "reason" });
}

function summaryOf({ kind, name, files, reason }: FailedCall, root: string): string {
  switch (kind) {
    case "patch": {
      const named = files.slice(0, MAX_NAMED).map((file) => codeSpan(shownPath(file, root), 200));
      if (files.length > MAX_NAMED) named.push(countOf(files.length - MAX_NAMED, "more file"));
      return ["**Patch did not apply**", named.join(", ")]
        .filter((part) => part !== "")
        .join(" · ");
    }
    case "command":
      return name === ""
        ? `**Refused** a command · ${oneLine(reason, MAX_REASON)}`
        : `**Refused** ${codeSpan(unwrapShell(name), 100)} · ${oneLine(reason, MAX_REASON)}`;
    case "tool":
      return `**Failed** ${codeSpan(name, 60)} · ${oneLine(reason, MAX_REASON)}`;
    default:
      return kind satisfies never;
  }
}
