import { countOf } from "../fences.ts";
import { maxPlanSteps } from "../limits.ts";
import { sanitizedLines } from "../markdown/index.ts";
import { append, type Draft, oneLine, patchState } from "../reducer-context.ts";

/** A plan update of Codex: always the whole plan. */
export type PlanUpdate = {
  readonly explanation?: string | null | undefined;
  readonly plan: readonly { readonly step: string; readonly status: string }[];
};

/** The most characters of a plan's explanation, which is sent again with every update. */
const maxExplanation = 20_000;

/**
 * Shows the plan as a list with check boxes: the first time in a turn at the end, then in its
 * place. SECURITY: the model wrote all of it.
 */
export function showPlan(draft: Draft, update: PlanUpdate): void {
  const { turn } = draft.state;
  const done = update.plan.filter((step) => step.status === "completed").length;
  const total = update.plan.length;
  const lines = [`**Plan** · ${total === 0 ? "no steps" : `${done} of ${total} done`}`, ""];
  const why = sanitizedLines((update.explanation ?? "").slice(0, maxExplanation));
  if (why.length > 0) lines.push(...why, "");
  for (const { step, status } of update.plan.slice(0, maxPlanSteps)) {
    const box = status === "completed" ? "[x]" : "[ ]";
    const now = status === "inProgress" ? " · now" : "";
    lines.push(`- ${box} ${oneLine(step, 300)}${now}`.trimEnd());
  }
  const left = total - maxPlanSteps;
  if (left > 0) lines.push(`- … ${countOf(left, "more step")} left out …`);
  while (lines.at(-1) === "") lines.pop();
  if (turn.plan !== undefined) {
    draft.edits.push({ op: "replace", id: turn.plan, lines });
    return;
  }
  const plan = append(draft, lines);
  patchState(draft, { turn: { ...draft.state.turn, plan } });
}
