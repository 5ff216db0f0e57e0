import type { Item, ServerNotification } from "../codex/index.ts";
import type { CommandPhase } from "./command.ts";
import { endCommand, growCommand, startCommand } from "./command-item.ts";
import { change, type Draft, keepItem, openSection, place, under } from "./draft.ts";
import { codeSpan } from "./markdown.ts";
import type { PatchPhase } from "./patch.ts";
import { endPatch, startPatch } from "./patch-item.ts";
import type { OpenText } from "./state.ts";
import { type StepItem, stepText } from "./step.ts";
import {
  dropCutOff,
  endText,
  growText,
  isText,
  placeQuestions,
  startText,
  type TextFacts,
} from "./text-item.ts";
import { closeWords } from "./turn.ts";

/** What a notification tells besides its item. */
export type ItemFacts = { readonly turn: string; readonly atMs: number | undefined };

/** Shows an item that begins. One that was begun before is left as it is. */
export function startItem(draft: Draft, item: Item, facts: ItemFacts): void {
  const open = draft.state.items.get(item.id);
  if (open !== undefined) return;
  if (item.type !== "userMessage") dropCutOff(draft);
  switch (item.type) {
    case "userMessage":
      takeSteered(draft, item.clientId ?? undefined);
      return;
    case "agentMessage":
      if (item.text !== "" && item.text === draft.state.turn.review) return;
      grow(draft, item.id, startText(draft, item.id, "message", textFacts(item, facts)), item.text);
      return;
    case "plan":
      grow(draft, item.id, startText(draft, item.id, "proposal"), item.text);
      return;
    case "reasoning":
      startText(draft, item.id, "reasoning", {
        atMs: item.startedAtMs ?? facts.atMs,
      });
      return;
    case "commandExecution":
      startCommand(draft, item.id, item.command, item.cwd);
      return;
    case "fileChange":
      startPatch(draft, item.id, item.changes);
      return;
    default:
      startStep(draft, item, facts.turn);
  }
}

/** Completes an item; one that never began is shown whole. */
export function completeItem(draft: Draft, item: Item, facts: ItemFacts): void {
  startItem(draft, item, { ...facts, atMs: undefined });
  const open = draft.state.items.get(item.id);
  if (item.type === "userMessage" || open === undefined) return;
  switch (item.type) {
    case "agentMessage":
    case "plan":
      if (isText(open)) endText(draft, item.id, open, item.text, textFacts(item, facts));
      if (item.type === "agentMessage") placeQuestions(draft, item.questions ?? []);
      return;
    case "reasoning":
      if (isText(open)) {
        const atMs = item.completedAtMs ?? facts.atMs;
        endText(draft, item.id, open, reasoningText(item, open), { atMs });
      }
      return;
    case "commandExecution":
      if (open.kind !== "command") return;
      endCommand(draft, item.id, open, {
        phase: commandPhase(item.status, item.exitCode ?? null),
        exitCode: item.exitCode ?? null,
        durationMs: item.durationMs ?? null,
        output: item.aggregatedOutput ?? null,
      });
      return;
    case "fileChange":
      if (open.kind === "patch") {
        endPatch(draft, item.id, open, patchPhase(item.status), item.changes);
      }
      return;
    default:
      if (open.kind === "step") endStep(draft, item, open.block);
  }
}

/**
 * Whether a compaction is to be told. Codex tells each by an item and by a notification, in any
 * order (app-server 0.169: the notification is deprecated).
 */
export function isNewCompaction(draft: Draft, turn: string, by: "item" | "notice"): boolean {
  const { compacted } = draft.state;
  if (compacted?.turn === turn && [by, compacted.by].includes("notice")) return false;
  change(draft, { compacted: { turn, by } });
  return true;
}

type Growth = Extract<ServerNotification, { params: { itemId: string } }>;

/** Adds to an item what comes while it runs. Nothing is shown for an item that is over. */
export function growItem(draft: Draft, event: Growth): void {
  const { itemId } = event.params;
  const open = draft.state.items.get(itemId);
  switch (event.method) {
    case "item/agentMessage/delta":
    case "item/plan/delta":
      if (isText(open)) grow(draft, itemId, open, event.params.delta);
      return;
    case "item/reasoning/summaryTextDelta":
      if (isText(open) && open.source !== "content") {
        grow(draft, itemId, { ...open, source: "summary" }, event.params.delta);
      }
      return;
    case "item/reasoning/textDelta":
      if (isText(open) && open.source !== "summary") {
        grow(draft, itemId, { ...open, source: "content" }, event.params.delta);
      }
      return;
    case "item/reasoning/summaryPartAdded":
      if (isText(open) && open.source === "summary" && open.raw !== "") {
        grow(draft, itemId, open, "\n\n");
      }
      return;
    case "item/commandExecution/outputDelta":
      if (open?.kind === "command") growCommand(draft, itemId, open, event.params.delta);
      return;
    case "item/commandExecution/terminalInteraction":
      if (open?.kind === "command" && event.params.stdin !== "") {
        const typed = codeSpan(JSON.stringify(event.params.stdin).slice(1, -1));
        place(draft, [`**Typed** ${typed} into ${codeSpan(open.script, 60)}`]);
      }
      return;
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

/** A steered query that Codex has taken: what comes from now on answers it, below it. */
function takeSteered(draft: Draft, id: string | undefined): void {
  if (id === undefined || !draft.state.steered.includes(id)) return;
  change(draft, { steered: draft.state.steered.filter((other) => other !== id) });
  closeWords(draft);
  draft.edits.push({ op: "mark", id, mark: "none" });
  openSection(draft, id);
}

function textFacts(
  item: Extract<Item, { type: "agentMessage" | "plan" }>,
  facts: ItemFacts,
): TextFacts {
  const phase = item.type === "agentMessage" ? (item.phase ?? undefined) : undefined;
  return { phase, atMs: facts.atMs };
}

function grow(draft: Draft, id: string, open: OpenText, text: string): void {
  if (text !== "") growText(draft, id, open, text);
}

/** The whole text of a reasoning in the stream that is shown; absent where it has none. */
function reasoningText(
  item: Extract<Item, { type: "reasoning" }>,
  open: OpenText,
): string | undefined {
  const summary = item.summary.join("\n\n");
  const content = item.content.join("\n\n");
  if (open.source === "content" && summary === "") return content;
  return summary === "" ? content : summary;
}

function commandPhase(status: string, exitCode: number | null): CommandPhase {
  if (status === "declined") return "declined";
  // Codex reports -1 for a command that it ended itself (app-server 0.169).
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
  if (item.type === "exitedReviewMode")
    change(draft, { turn: { ...draft.state.turn, review: item.review } });
  if (item.type === "contextCompaction" && !isNewCompaction(draft, turn, "item")) return;
  const block = place(draft, [stepText(item, "running", root).summary]);
  draft.edits.push({ op: "mark", id: block, mark: "running" });
  const stopped = stepText(item, "stopped", root).summary;
  keepItem(draft, item.id, { kind: "step", block, stopped });
}

function endStep(draft: Draft, item: StepItem, block: string): void {
  const { summary, details, label } = stepText(item, "done", draft.state.root);
  draft.edits.push({ op: "replace", id: block, lines: [summary] });
  draft.edits.push({ op: "mark", id: block, mark: "none" });
  if (details.length > 0) {
    const below = under(draft, block, details);
    if (label !== undefined) draft.edits.push({ op: "fold", from: below, to: below, label });
  }
  keepItem(draft, item.id, undefined);
}
