import { change, type Draft, oneLine, place } from "./draft.ts";
import { proseLines } from "./prose.ts";

/** A plan as Codex updates it: always whole. */
export type PlanUpdate = {
  readonly explanation?: string | null | undefined;
  readonly plan: readonly { readonly step: string; readonly status: string }[];
};

/**
 * Shows the plan as a list with check marks: below what there is the first time in a turn, in its
 * own place from then on. SECURITY: all of it is the model's words.
 */
export function showPlan(draft: Draft, update: PlanUpdate): void {
  const { turn } = draft.state;
  const done = update.plan.filter((step) => step.status === "completed").length;
  const total = update.plan.length;
  const lines = [`**Plan** · ${total === 0 ? "no steps" : `${done} of ${total} done`}`, ""];
  const why = proseLines(update.explanation ?? "");
  if (why.length > 0) lines.push(...why, "");
  for (const { step, status } of update.plan) {
    const box = status === "completed" ? "[x]" : "[ ]";
    const now = status === "inProgress" ? " · now" : "";
    lines.push(`- ${box} ${oneLine(step, 300)}${now}`.trimEnd());
  }
  while (lines.at(-1) === "") lines.pop();
  if (turn.plan !== undefined) {
    draft.edits.push({ op: "replace", id: turn.plan, lines });
    return;
  }
  const plan = place(draft, lines);
  change(draft, { turn: { ...draft.state.turn, plan } });
}
