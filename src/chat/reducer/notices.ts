import type { ServerNotification } from "../../codex/messages/index.ts";
import { unwrapShell } from "../command-text.ts";
import { codeSpan, countOf, duration, fenced, shownPath, spaced } from "../fences.ts";
import { wholeOutput } from "../items/index.ts";
import { sanitizedLines } from "../markdown/index.ts";
import {
  append,
  type Draft,
  insertBelow,
  keepItem,
  mayOpen,
  oneLine,
  patchState,
} from "../reducer-context.ts";
import type { OpenStep } from "../state.ts";

type ParamsOf<M extends ServerNotification["method"]> = Extract<
  ServerNotification,
  { method: M; params: unknown }
>["params"];

/** A run of a hook, as Codex reports it. */
export type HookRun = ParamsOf<"hook/started">["run"];
/** Codex's own review of a request. */
export type AutoReview = ParamsOf<"item/autoApprovalReview/started">;
/** The thread's goal, as Codex reports it. */
export type ReportedGoal = ParamsOf<"thread/goal/updated">["goal"];

/** Shows a hook that runs. SECURITY: its file and its output come from the project. */
export function startHook(draft: Draft, run: HookRun): OpenStep | undefined {
  const { root } = draft.state;
  return begin(draft, `hook:${run.id}`, hookLine(run, root), hookLine(run, root, "stopped"));
}

/** Shows how a hook ended, with its output in a fold. */
export function endHook(draft: Draft, run: HookRun): void {
  const open = draft.state.items.get(`hook:${run.id}`);
  const step = open?.kind === "step" ? open : startHook(draft, run);
  if (step === undefined) return;
  const output = run.entries.map(({ kind, text }) => `${kind}: ${text}`);
  if (run.statusMessage != null && run.statusMessage !== "") output.unshift(run.statusMessage);
  const details = output.length === 0 ? [] : fenced(wholeOutput(output.join("\n")), "text hook");
  finish(draft, `hook:${run.id}`, step.block, hookLine(run, draft.state.root, run.status), details);
}

function hookLine(run: HookRun, root: string, status?: string): string {
  const of = run.sourcePath === "" ? "" : ` of ${codeSpan(shownPath(run.sourcePath, root))}`;
  const statusText = status === undefined ? "" : ` · ${oneLine(status, 40)}`;
  const time = status === undefined || run.durationMs == null ? "" : duration(run.durationMs);
  return `**Hook** ${codeSpan(run.eventName)}${of}${statusText}${time === "" ? "" : ` · ${time}`}`;
}

/** Shows that Codex itself reviews a request instead of asking the user. */
export function startAutoReview(draft: Draft, review: AutoReview): OpenStep | undefined {
  const what = requested(review.action, draft.state.root);
  const stopped = `**Reviewed** ${what} · stopped`;
  return begin(draft, `review:${review.reviewId}`, `**Reviewing** ${what}`, stopped);
}

/** Shows what Codex decided about a request, and why. */
export function endAutoReview(draft: Draft, review: AutoReview): void {
  const id = `review:${review.reviewId}`;
  const open = draft.state.items.get(id);
  const step = open?.kind === "step" ? open : startAutoReview(draft, review);
  if (step === undefined) return;
  const { status, riskLevel, rationale } = review.review;
  const risk = riskLevel == null ? "" : ` · ${oneLine(riskLevel, 40)} risk`;
  const what = requested(review.action, draft.state.root);
  const decided = oneLine(spaced(status), 40);
  const statusText = ["approved", "denied"].includes(status)
    ? `${decided} by Codex itself`
    : decided;
  const summary = `**Reviewed** ${what} · ${statusText}${risk}`;
  finish(draft, id, step.block, summary, sanitizedLines(rationale ?? "", "> "));
}

/** The subject of a request, in a few words. SECURITY: all of it comes from the model. */
function requested(action: AutoReview["action"], root: string): string {
  switch (action?.type) {
    case "command":
      return codeSpan(unwrapShell(action.command ?? ""));
    case "execve":
      return codeSpan((action.argv ?? [action.program ?? ""]).slice(0, 200).join(" "));
    case "writeStdin":
      return `typing ${codeSpan(JSON.stringify(action.stdin ?? "").slice(1, -1))}`;
    case "applyPatch": {
      const files = action.files ?? [];
      const named = files.slice(0, 5).map((file) => codeSpan(shownPath(file, root)));
      const more = files.length > 5 ? ` and ${countOf(files.length - 5, "more file")}` : "";
      return `a change of ${named.join(", ")}${more}`;
    }
    case "networkAccess":
      return `access to ${codeSpan(action.target ?? action.host ?? "")}`;
    case "mcpToolCall":
      return codeSpan(`${action.server ?? ""}.${action.toolName ?? ""}`);
    case "requestPermissions":
      return "a request for more permissions";
    default:
      return "a request";
  }
}

/** Shows a new goal, and changes of its status; its progress alone is not shown. */
export function showGoal(draft: Draft, goal: ReportedGoal): void {
  const { objective, status } = goal;
  const known = draft.state.goal;
  if (known?.objective === objective && known.status === status) return;
  patchState(draft, { goal: { objective, status } });
  const budget = goal.tokenBudget == null ? "" : ` of ${goal.tokenBudget.toLocaleString("en-US")}`;
  const used = goal.tokensUsed;
  const tokens = used > 0 ? ` · ${used.toLocaleString("en-US")}${budget} tokens` : "";
  const time = goal.timeUsedSeconds > 0 ? ` · ${duration(goal.timeUsedSeconds * 1000)}` : "";
  const lines = [`**Goal** · ${oneLine(spaced(status), 40)}${tokens}${time}`];
  if (known?.objective !== objective) lines.push(...sanitizedLines(objective, "> "));
  append(draft, lines);
}

function begin(draft: Draft, id: string, summary: string, stopped: string): OpenStep | undefined {
  const open = draft.state.items.get(id);
  if (open?.kind === "step") return open;
  if (!mayOpen(draft, id)) return undefined;
  const block = append(draft, [summary]);
  draft.edits.push({ op: "mark", id: block, mark: "running" });
  const step: OpenStep = { kind: "step", block, stopped };
  keepItem(draft, id, step);
  return step;
}

function finish(
  draft: Draft,
  id: string,
  block: string,
  summary: string,
  details: readonly string[],
): void {
  draft.edits.push({ op: "replace", id: block, lines: [summary] });
  draft.edits.push({ op: "mark", id: block, mark: "none" });
  if (details.length > 0) {
    const below = insertBelow(draft, block, details);
    draft.edits.push({ op: "fold", from: below, to: below, label: "details" });
  }
  keepItem(draft, id, undefined);
}
