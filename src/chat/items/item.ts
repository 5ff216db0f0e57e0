import type { Item, ServerNotification } from "../../codex/messages/index.ts";
import { bounded } from "../bounded.ts";
import type { LocalEvent } from "../event.ts";
import { codeSpan, spaced } from "../fences.ts";
import {
  closedAs,
  forgetFinished,
  isFinished,
  isRepeated,
  rememberCompleted,
} from "../finished-items.ts";
import { maxItemChars, maxOpenItemChars, maxUpdateChars } from "../limits.ts";
import {
  append,
  type Draft,
  insertBelow,
  keepItem,
  mayOpen,
  noteOmitted,
  oneLine,
  patchState,
} from "../reducer-context.ts";
import type { CommandPhase, OpenItem, OpenText, PatchPhase } from "../state.ts";
import { endCommand, growCommand, startCommand } from "./command-item.ts";
import { keepEarlyOutput, showKeptOutput } from "./early-output.ts";
import { endPatch, growPatch, startPatch } from "./patch-item.ts";
import {
  amendText,
  dropCutOff,
  dropText,
  endText,
  growText,
  isText,
  placeQuestions,
  startText,
  type TextFacts,
} from "./text-item.ts";
import { type StepItem, stepText } from "./tool-item.ts";
import { onUserMessage } from "./user-message-item.ts";

/** What a notification contains besides its item. */
export type ItemFacts = {
  readonly turn: string;
  readonly atMs: number | undefined;
  /** Whether the item was cut. */
  readonly isCut?: boolean;
};

/** Shows an item that starts. An item that is open already is only completed with new facts. */
export function startItem(draft: Draft, reported: Item, facts: ItemFacts): void {
  const { value: item, omitted, size } = bounded(reported, maxOpenItemChars);
  const isCut = omitted > 0 || facts.isCut === true;
  if (item.type === "userMessage") {
    onUserMessage(draft, item);
    return;
  }
  const open = draft.state.items.get(item.id);
  if (open !== undefined) {
    mergeStart(draft, item, open, isCut);
    return;
  }
  forgetFinished(draft, item.id);
  if (!mayOpen(draft, item.id, size)) return;
  if (omitted > 0) noteOmitted(draft, { chars: omitted });
  if (isCompleteAtStart(item)) keepCompleteAtStart(draft, item.id, item);
  dropCutOff(draft);
  switch (item.type) {
    case "agentMessage":
      if (item.text !== "" && item.text === draft.state.turn.review) return;
      appendIfAny(
        draft,
        item.id,
        startText(draft, item.id, "message", textFacts(item, facts)),
        item.text,
      );
      return;
    case "plan":
      appendIfAny(draft, item.id, startText(draft, item.id, "proposal"), item.text);
      return;
    case "reasoning":
      startText(draft, item.id, "reasoning", {
        atMs: item.startedAtMs ?? facts.atMs,
      });
      return;
    case "commandExecution":
      showKeptOutput(draft, item.id, startCommand(draft, item.id, item.command, item.cwd, isCut));
      return;
    case "fileChange":
      startPatch(draft, item.id, item.changes, isCut);
      return;
    default:
      startStep(draft, item, facts.turn);
  }
}

/** Completes an item; one that never started is shown all at once. */
export function completeItem(draft: Draft, reported: Item, facts: ItemFacts): void {
  const { value: item, omitted } = bounded(reported, maxItemChars);
  if (omitted > 0) noteOmitted(draft, { chars: omitted });
  if (item.type === "userMessage") {
    onUserMessage(draft, item);
    return;
  }
  if (isRepeated(draft.state, item)) return;
  const closed = closedAs(draft.state, item.id);
  if (closed === undefined) startItem(draft, item, { ...facts, atMs: undefined });
  const open = closed ?? draft.state.items.get(item.id);
  if (open !== undefined) endItem(draft, item, open, facts, closed !== undefined);
  keepCompleteAtStart(draft, item.id, undefined);
  if (!draft.state.items.has(item.id)) rememberCompleted(draft, item);
}

/** Completes items that a turn leaves open although their start already contained everything. */
export function completePreknown(draft: Draft, turn: string): void {
  for (const [id, item] of draft.state.completeAtStart)
    if (draft.state.items.has(id)) completeItem(draft, item, { turn, atMs: undefined });
    else keepCompleteAtStart(draft, id, undefined);
}

function keepCompleteAtStart(draft: Draft, id: string, item: Item | undefined): void {
  const { completeAtStart } = draft.state;
  if (item === undefined && !completeAtStart.has(id)) return;
  const next = new Map(completeAtStart);
  if (item === undefined) next.delete(id);
  else next.set(id, item);
  patchState(draft, { completeAtStart: next });
}

/** Whether the start of an item already contains its end, or its kind has no separate end. */
function isCompleteAtStart(item: Item): boolean {
  if ("status" in item) return !["inProgress", "in_progress", ""].includes(item.status);
  if (item.type === "reasoning") return item.summary.length + item.content.length > 0;
  return ["functionCallOutput", "hookPrompt", "exitedReviewMode", "imageView", "unknown"].includes(
    item.type,
  );
}

/** Shows the files that a sub-agent has changed, or a patch as the user has changed it. */
export function showOtherPatch(
  draft: Draft,
  event: Extract<LocalEvent, { type: "agent_patch" | "patch_edited" }>,
): void {
  const { id, changes } = event;
  const isOwn = event.type === "patch_edited";
  const phase = isOwn ? "done" : patchPhase(event.status);
  const { value, omitted } = bounded(changes, maxItemChars);
  if (omitted > 0) noteOmitted(draft, { chars: omitted });
  const by = isOwn ? "as you changed it" : "by a sub-agent";
  endPatch(draft, id, startPatch(draft, id, value), phase, value, by);
}

/** Ends an item; `isLate` if its turn was already over, or a steer had cut it off. */
function endItem(
  draft: Draft,
  item: Exclude<Item, { type: "userMessage" }>,
  open: OpenItem,
  facts: ItemFacts,
  isLate: boolean,
): void {
  switch (item.type) {
    case "agentMessage":
    case "plan":
      if (!isText(open)) return;
      if (isLate) amendText(draft, open, item.text, {});
      else if (item.text !== "" && item.text === draft.state.turn.review)
        dropText(draft, item.id, open);
      else endText(draft, item.id, open, item.text, textFacts(item, facts));
      if (item.type === "agentMessage") placeQuestions(draft, item.questions ?? []);
      return;
    case "reasoning": {
      if (!isText(open)) return;
      const atMs = item.completedAtMs ?? facts.atMs;
      if (isLate) amendText(draft, open, reasoningText(item), { atMs });
      else endText(draft, item.id, open, reasoningText(item), { atMs });
      return;
    }
    case "commandExecution":
      if (open.kind !== "command") return;
      endCommand(draft, item.id, open, {
        phase: commandPhase(item.status, item.exitCode ?? null),
        exitCode: item.exitCode ?? null,
        durationMs: item.durationMs ?? null,
        output: item.aggregatedOutput ?? null,
        status: oddStatus(item.status),
      });
      return;
    case "fileChange":
      if (open.kind === "patch") {
        const phase = patchPhase(item.status);
        endPatch(draft, item.id, open, phase, item.changes, oddStatus(item.status));
      }
      return;
    default:
      if (open.kind === "step") endStep(draft, item, open.block);
  }
}

/** Merges an item's start into one that was opened by its first delta. */
function mergeStart(draft: Draft, item: Item, open: OpenItem, isCut: boolean): void {
  if (item.type === "fileChange" && open.kind === "patch" && open.phase === "running")
    growPatch(draft, item.id, { ...open, isCut }, item.changes);
  if (item.type === "agentMessage" && open.kind === "message" && open.phase === undefined)
    keepItem(draft, item.id, { ...open, phase: item.phase ?? undefined });
}

/**
 * Whether a compaction must be shown. Codex reports each one by an item and by a notification, in
 * any order (app-server 0.169; the notification is deprecated).
 */
export function isNewCompaction(draft: Draft, turn: string, by: "item" | "notice"): boolean {
  const { compacted } = draft.state;
  if (compacted?.turn === turn && [by, compacted.by].includes("notice")) return false;
  patchState(draft, { compacted: { turn, by } });
  return true;
}

type Growth = Extract<ServerNotification, { params: { itemId: string } }>;

/** Notifications that may be the first for an item. */
const STARTING_METHODS: ReadonlySet<string> = new Set([
  "item/agentMessage/delta",
  "item/plan/delta",
  "item/reasoning/summaryTextDelta",
  "item/reasoning/textDelta",
  "item/fileChange/patchUpdated",
]);

/** Adds a delta to a running item. Deltas of finished items are ignored. */
export function growItem(draft: Draft, event: Growth): void {
  const { itemId } = event.params;
  if (isFinished(draft.state, itemId)) return;
  const open = draft.state.items.get(itemId);
  if (open === undefined && STARTING_METHODS.has(event.method) && !mayOpen(draft, itemId)) return;
  switch (event.method) {
    case "item/agentMessage/delta":
      appendText(
        draft,
        itemId,
        open ?? startStreamedText(draft, itemId, "message"),
        event.params.delta,
      );
      return;
    case "item/plan/delta":
      appendText(
        draft,
        itemId,
        open ?? startStreamedText(draft, itemId, "proposal"),
        event.params.delta,
      );
      return;
    case "item/reasoning/summaryTextDelta": {
      const { delta, summaryIndex } = event.params;
      const thought = open ?? startStreamedText(draft, itemId, "reasoning");
      appendReasoning(draft, itemId, thought, "summary", summaryIndex, delta);
      return;
    }
    case "item/reasoning/textDelta": {
      const { delta, contentIndex } = event.params;
      const thought = open ?? startStreamedText(draft, itemId, "reasoning");
      appendReasoning(draft, itemId, thought, "content", contentIndex, delta);
      return;
    }
    case "item/reasoning/summaryPartAdded":
      if (isText(open) && open.source === "summary")
        appendReasoning(draft, itemId, open, "summary", event.params.summaryIndex, "");
      return;
    case "item/commandExecution/outputDelta":
      if (open?.kind === "command") growCommand(draft, itemId, open, event.params.delta);
      else if (open === undefined) keepEarlyOutput(draft, itemId, event.params.delta);
      return;
    case "item/commandExecution/terminalInteraction":
      if (event.params.stdin !== "") {
        const typed = codeSpan(JSON.stringify(event.params.stdin.slice(0, 2000)).slice(1, -1));
        const into = open?.kind === "command" ? codeSpan(open.script, 60) : "a command";
        append(draft, [`**Typed** ${typed} into ${into}`]);
      }
      return;
    case "item/fileChange/patchUpdated": {
      const { value: changes, omitted } = bounded(event.params.changes, maxUpdateChars);
      if (open === undefined) startPatch(draft, itemId, changes, omitted > 0);
      else if (open.kind === "patch" && open.phase === "running")
        growPatch(draft, itemId, { ...open, isCut: omitted > 0 }, changes);
      return;
    }
    case "item/mcpToolCall/progress":
      if (open?.kind === "step") {
        const text = codeSpan(event.params.message, 60).replaceAll("`", "");
        draft.edits.push({ op: "mark", id: open.block, mark: "running", text });
      }
      return;
    default:
      event satisfies never;
  }
}

/** Starts a text whose first delta comes before its item. */
function startStreamedText(draft: Draft, id: string, kind: OpenText["kind"]): OpenText {
  dropCutOff(draft);
  return startText(draft, id, kind);
}

function appendText(draft: Draft, id: string, open: OpenItem, piece: string): void {
  if (isText(open)) appendIfAny(draft, id, open, piece);
}

/** Adds to a reasoning: only from the stream that is shown, and each part as its own paragraph. */
function appendReasoning(
  draft: Draft,
  id: string,
  open: OpenItem,
  source: "summary" | "content",
  part: number,
  piece: string,
): void {
  if (!isText(open) || (open.source ?? source) !== source) return;
  const apart = open.raw !== "" && open.part !== part ? "\n\n" : "";
  const thought = { ...open, source, part };
  keepItem(draft, id, thought);
  appendIfAny(draft, id, thought, apart + piece);
}

function textFacts(
  item: Extract<Item, { type: "agentMessage" | "plan" }>,
  facts: ItemFacts,
): TextFacts {
  const phase = item.type === "agentMessage" ? (item.phase ?? undefined) : undefined;
  return { phase, atMs: facts.atMs };
}

function appendIfAny(draft: Draft, id: string, open: OpenText, text: string): void {
  if (text !== "") growText(draft, id, open, text);
}

/** The whole text of a reasoning: its summary, or its raw content if it has none. */
function reasoningText(item: Extract<Item, { type: "reasoning" }>): string {
  const summary = item.summary.join("\n\n");
  return summary === "" ? item.content.join("\n\n") : summary;
}

/** A status that this version does not know, for display; undefined for a known one. */
function oddStatus(status: string): string | undefined {
  const isKnown = ["inProgress", "completed", "failed", "declined"].includes(status);
  return isKnown || status === "" ? undefined : oneLine(spaced(status), 40);
}

function commandPhase(status: string, exitCode: number | null): CommandPhase {
  if (status === "declined") return "declined";
  // Codex reports -1 for a command that it killed (app-server 0.169).
  if (exitCode === -1) return "stopped";
  if (status === "inProgress") return "background";
  return status === "failed" || (exitCode !== null && exitCode !== 0) ? "failed" : "ran";
}

function patchPhase(status: string): PatchPhase {
  switch (status) {
    case "declined":
      return "declined";
    case "failed":
      return "failed";
    case "inProgress":
      return "stopped";
    default:
      return "done";
  }
}

function startStep(draft: Draft, item: StepItem, turn: string): void {
  const { root } = draft.state;
  if (item.type === "enteredReviewMode")
    patchState(draft, { turn: { ...draft.state.turn, reviewing: true } });
  if (item.type === "exitedReviewMode")
    patchState(draft, { turn: { ...draft.state.turn, review: item.review } });
  if (item.type === "contextCompaction" && !isNewCompaction(draft, turn, "item")) return;
  const block = append(draft, [stepText(item, "running", root).summary]);
  draft.edits.push({ op: "mark", id: block, mark: "running" });
  const stopped = stepText(item, "stopped", root).summary;
  keepItem(draft, item.id, { kind: "step", block, stopped });
}

function endStep(draft: Draft, item: StepItem, block: string): void {
  const { summary, details, label } = stepText(item, "done", draft.state.root);
  draft.edits.push({ op: "replace", id: block, lines: [summary] });
  draft.edits.push({ op: "mark", id: block, mark: "none" });
  if (details.length > 0) {
    const below = insertBelow(draft, block, details);
    if (label !== undefined) draft.edits.push({ op: "fold", from: below, to: below, label });
  }
  keepItem(draft, item.id, undefined);
}
