import type { ServerNotification, TurnError } from "../../codex/messages/index.ts";
import type { Edit } from "../edits/index.ts";
import type { ChatEvent, LocalEvent } from "../event.ts";
import { codeSpan, duration, shownPath, spaced } from "../fences.ts";
import {
  completeItem,
  completePreknown,
  completeTurn,
  cutOffTexts,
  growItem,
  isNewCompaction,
  reduceApproval,
  showFailure,
  showOtherPatch,
  startItem,
  stopCommands,
} from "../items/index.ts";
import { repairQuery } from "../markdown/index.ts";
import {
  addNotice,
  addNoticeOnce,
  append,
  type Draft,
  markSection,
  noteOmitted,
  notice,
  oneLine,
  openSection,
  patchState,
  resetSpent,
  settleEdits,
  showBusy,
} from "../reducer-context.ts";
import { omittedBlock } from "../spent.ts";
import { type ChatState, idleTurn } from "../state.ts";
import { errorText, turnFailureOf } from "../turn-error.ts";
import { showFailedCall } from "./failed-call.ts";
import { showHostRuns } from "./host-runs.ts";
import { endAutoReview, endHook, showGoal, startAutoReview, startHook } from "./notices.ts";
import { showPlan } from "./plan.ts";
import { mergedLimits, newUsage, noteServer } from "./status.ts";

type ConfigWarning = Extract<ServerNotification, { method: "configWarning" }>["params"];
type EndedTurn = Extract<ServerNotification, { method: "turn/completed" }>["params"]["turn"];

/**
 * Takes one event; returns the next state and the edits that update the document.
 *
 * Pure and total: it reads no clock, does no I/O, and throws for no event; it ignores events that
 * make no sense in the current state.
 */
export function reduce(state: ChatState, event: ChatEvent): { state: ChatState; edits: Edit[] } {
  const draft: Draft = { state, edits: [] };
  if (!("type" in event)) reduceNotification(draft, event);
  else reduceLocal(draft, event);
  const edits = settleEdits(draft, state);
  return { state: draft.state, edits };
}

/** Reduces several events in order. */
export function reduceAll(
  state: ChatState,
  events: Iterable<ChatEvent>,
): { state: ChatState; edits: Edit[] } {
  const edits: Edit[] = [];
  let next = state;
  for (const event of events) {
    const step = reduce(next, event);
    next = step.state;
    edits.push(...step.edits);
  }
  return { state: next, edits };
}

function reduceLocal(draft: Draft, event: LocalEvent): void {
  switch (event.type) {
    case "sent":
      send(draft, event);
      return;
    case "turn_failed":
      showFailure(draft, { what: event.message, fix: event.fix ?? "" });
      completeTurn(draft, "stopped");
      return;
    case "note":
      if (event.once === true) addNoticeOnce(draft, event.text);
      else if (event.byCodex === true) addNotice(draft, event.text);
      else append(draft, [notice("Note", event.text)], "end");
      return;
    case "not_asked":
      if (event.because.kind === "many") noteOmitted(draft, { questions: 1 });
      else addNotice(draft, `a question was declined without asking you: ${event.because.why}`);
      return;
    case "goes_on":
      // The old section's heading has no block, so marks of it are dropped.
      if (draft.state.section === undefined)
        patchState(draft, { section: { heading: omittedBlock, empty: false } });
      return;
    case "commands_stopped":
      stopCommands(draft, event.ids);
      return;
    case "round":
      resetSpent(draft);
      return;
    case "approval_requested":
    case "approval_resolved":
      reduceApproval(draft, event);
      return;
    case "network_refused":
      refuse(draft, event);
      return;
    case "agent_patch":
    case "patch_edited":
      showOtherPatch(draft, event);
      return;
    case "call_failed":
      showFailedCall(draft, event);
      return;
    case "host_runs":
      showHostRuns(draft, event);
      return;
    case "silence":
      showBusy(draft, silenceText(event));
      return;
    case "retry_after":
      patchState(draft, { turn: { ...draft.state.turn, retryAfterMs: event.ms } });
      return;
    case "model_status":
      patchState(draft, { turn: { ...draft.state.turn, status: event.status } });
      return;
    case "thread":
      patchState(draft, { thread: event.id });
      return;
    default:
      event satisfies never;
  }
}

function silenceText({ of, ms }: Extract<LocalEvent, { type: "silence" }>): string {
  const time = duration(ms).replace(".0", "");
  return of === "model"
    ? `no answer for ${time}`
    : `nothing from Codex for ${time}: \`:CodexChat sandbox restart\` if that does not change`;
}

function send(draft: Draft, event: Extract<LocalEvent, { type: "sent" }>): void {
  const { id, mode, text, contextLine } = event;
  const lines = text === undefined ? undefined : repairQuery(text, contextLine);
  if (lines !== undefined) draft.edits.push({ op: "replace", id, lines });
  const steered = draft.state.steered.filter((other) => other !== id);
  switch (mode) {
    case "queue":
      draft.edits.push({ op: "mark", id, mark: "queued" });
      break;
    case "steer":
      resetSpent(draft);
      draft.edits.push({ op: "mark", id, mark: "queued", text: "steering" });
      steered.push(id);
      break;
    case "start":
      // The end of the previous turn was not reported: close what it left open.
      if (draft.state.turn.running && draft.state.section?.empty === false)
        completeTurn(draft, "ended");
      if (event.isAgain !== true) resetSpent(draft);
      begin(draft, id, event.isAbove === true);
      break;
    default:
      mode satisfies never;
  }
  patchState(draft, { steered });
}

/**
 * Starts the answer of a query: below the query, or if it was sent before, below the earlier
 * output, so that the newest is last.
 */
function begin(draft: Draft, id: string, isAbove: boolean): void {
  const { asked, section, tail } = draft.state;
  const isKnown = asked.includes(id);
  if (!isAbove) draft.edits.push({ op: "mark", id, mark: "none" });
  patchState(draft, { turn: { ...idleTurn, running: true, awaitsQuery: true } });
  if (!isAbove && !isKnown) patchState(draft, { asked: [...asked, id] });
  if (!isAbove && !isKnown) openSection(draft, id);
  else if (section === undefined) openSection(draft, tail);
  else markSection(draft, "running");
}

/** SECURITY: the sandbox chooses the host's name. */
function refuse(draft: Draft, event: Extract<LocalEvent, { type: "network_refused" }>): void {
  const host = event.port === undefined ? event.host : `${event.host}:${event.port}`;
  const { turn } = draft.state;
  if (turn.refused.has(host) || turn.refused.size >= 50) return;
  patchState(draft, { turn: { ...turn, refused: new Set([...turn.refused, host]) } });
  append(draft, [
    `> **Note:** network access to ${codeSpan(host, 200)} was refused: ${oneLine(event.reason, 300)}.`,
  ]);
}

function reduceNotification(draft: Draft, event: ServerNotification): void {
  if (event.method === "unknown" || event.method === "invalid") return;
  const about = "threadId" in event.params ? (event.params.threadId ?? undefined) : undefined;
  const { thread, turn } = draft.state;
  if (thread !== undefined && about !== undefined && about !== thread) return;
  switch (event.method) {
    case "turn/started":
      if (!turn.running) {
        patchState(draft, { turn: { ...turn, running: true } });
        markSection(draft, "running");
      }
      return;
    case "turn/completed":
      endTurn(draft, event.params.turn);
      return;
    case "item/started": {
      const { item, turnId, startedAtMs } = event.params;
      showBusy(draft, item.type === "reasoning" ? "thinking" : "");
      startItem(draft, item, {
        turn: turnId,
        atMs: startedAtMs ?? undefined,
        isCut: event.isCut === true,
      });
      return;
    }
    case "item/completed": {
      const { item, turnId, completedAtMs } = event.params;
      showBusy(draft, "");
      completeItem(draft, item, { turn: turnId, atMs: completedAtMs ?? undefined });
      return;
    }
    case "item/agentMessage/delta":
    case "item/plan/delta":
    case "item/commandExecution/outputDelta":
    case "item/reasoning/summaryTextDelta":
    case "item/reasoning/textDelta":
    case "item/reasoning/summaryPartAdded":
    case "item/commandExecution/terminalInteraction":
    case "item/fileChange/patchUpdated":
    case "item/mcpToolCall/progress":
      growItem(draft, event);
      return;
    case "turn/plan/updated":
      showPlan(draft, event.params);
      return;
    case "error":
      if (event.params.willRetry) {
        cutOffTexts(draft);
        showBusy(draft, retryMark(event.params.error));
      } else if (!isFailureShown(draft, event.params.turnId))
        showFailure(draft, turnFailureOf(event.params.error, turn));
      return;
    case "warning":
    case "guardianWarning":
      addNoticeOnce(draft, event.params.message);
      return;
    case "mcpServer/startupStatus/updated": {
      const broken = noteServer(draft, event.params);
      if (broken !== undefined) addNoticeOnce(draft, broken);
      return;
    }
    case "account/rateLimits/updated":
      patchState(draft, { limits: mergedLimits(draft.state.limits, event.params.rateLimits) });
      return;
    case "configWarning":
      // Sent before a thread starts, which is when Codex trusts the project (0.169).
      if (event.params.summary.startsWith("Project-local config, hooks,")) return;
      addNoticeOnce(draft, configWarning(event.params, draft.state.root));
      return;
    case "thread/tokenUsage/updated": {
      patchState(draft, { usage: newUsage(draft.state.usage, event.params.tokenUsage) });
      return;
    }
    case "thread/compacted":
      if (!isNewCompaction(draft, event.params.turnId, "notice")) return;
      append(draft, [
        notice("Note", "the conversation was compacted to fit the model's context window."),
      ]);
      return;
    case "hook/started":
      startHook(draft, event.params.run);
      return;
    case "hook/completed":
      endHook(draft, event.params.run);
      return;
    case "item/autoApprovalReview/started":
      startAutoReview(draft, event.params);
      return;
    case "item/autoApprovalReview/completed":
      endAutoReview(draft, event.params);
      return;
    case "autoApprovalReview/strictReviewRequired":
      addNoticeOnce(draft, "Codex reviews its own requests more strictly from here on.");
      return;
    case "thread/goal/updated":
      showGoal(draft, event.params.goal);
      return;
    case "thread/goal/cleared":
      if (draft.state.goal === undefined) return;
      patchState(draft, { goal: undefined });
      append(draft, [notice("Note", "the goal was cleared.")]);
      return;
    case "model/verification":
      addNoticeOnce(
        draft,
        `the endpoint requires user verification: ${codeSpan(event.params.verifications.join(", "))}.`,
      );
      return;
    case "model/safetyBuffering/updated":
      showBusy(draft, event.params.showBufferingUi ? "held back for a safety check" : "");
      return;
    case "modelProvider/authRecoveryStarted":
      showBusy(draft, beside(event.params.message));
      return;
    case "modelProvider/authRecoveryCompleted":
      showBusy(draft, "");
      return;
    case "model/rerouted": {
      const { fromModel, toModel, reason } = event.params;
      const why = reason == null ? "" : `: ${spaced(reason)}`;
      addNoticeOnce(
        draft,
        `the endpoint answers with ${codeSpan(toModel)} instead of ${codeSpan(fromModel)}${why}.`,
      );
      return;
    }
    case "deprecationNotice":
      addNoticeOnce(draft, [event.params.summary, event.params.details ?? ""].join(" ").trim());
      return;
    case "serverRequest/resolved":
      return;
    default:
      event satisfies never;
  }
}

/** Ends a turn as Codex reports it; a repeated report changes nothing. */
function endTurn(draft: Draft, endedTurn: EndedTurn): void {
  const { turn, section, ended } = draft.state;
  completePreknown(draft, endedTurn.id);
  if (ended?.id === endedTurn.id && !turn.running) {
    completeTurn(draft, "ended");
    return;
  }
  // A message may first be reported at the end of the turn.
  if (section?.empty === true)
    for (const item of endedTurn.items ?? [])
      if (item.type === "agentMessage" || item.type === "plan")
        completeItem(draft, item, { turn: endedTurn.id, atMs: undefined });
  if (endedTurn.error != null) showFailure(draft, turnFailureOf(endedTurn.error, turn));
  else if (endedTurn.status === "failed") showFailure(draft, turnFailureOf({ message: "" }));
  else if (!["completed", "interrupted", "inProgress"].includes(endedTurn.status))
    append(draft, [notice("Note", `the turn ended as ${codeSpan(endedTurn.status, 40)}.`)], "end");
  patchState(draft, { ended: { id: endedTurn.id, failed: draft.state.turn.failed } });
  if (endedTurn.status === "completed") patchState(draft, { asked: [] });
  completeTurn(draft, endedTurn.status === "interrupted" ? "interrupted" : "ended");
}

/** Whether the failure of the ended turn is already shown. */
function isFailureShown(draft: Draft, turn: string): boolean {
  const { ended } = draft.state;
  return !draft.state.turn.running && ended?.id === turn && ended.failed;
}

function configWarning({ summary, details, path }: ConfigWarning, root: string): string {
  const where = path == null || path === "" ? "" : `(${codeSpan(shownPath(path, root), 200)})`;
  return [summary, details ?? "", where].filter((part) => part !== "").join(" ");
}

function retryMark(error: TurnError): string {
  const why = errorText(error.additionalDetails ?? "");
  const text = why === "" ? error.message : `${error.message.slice(0, 1000)}: ${why}`;
  return beside(text);
}

/**
 * A short text beside a heading. SECURITY: controls would act in virtual text, so they are removed.
 */
function beside(text: string): string {
  return codeSpan(text, 100).replaceAll("`", "");
}
