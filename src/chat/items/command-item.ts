import {
  commandLines,
  commandSummary,
  consoleFence,
  fitsSummary,
  ticksIn,
  unwrapShell,
} from "../command-text.ts";
import { maxCommandChars } from "../limits.ts";
import { sanitizedLines } from "../markdown/index.ts";
import { append, type Draft, insertBelow, keepItem, type Rank } from "../reducer-context.ts";
import type { CommandPhase, Fence, OpenCommand } from "../state.ts";
import { addOutput, latestLine, noOutput, outputLines, wholeOutput } from "./command-output.ts";

/** The end of a command, as its completed item reports it. */
export type CommandEnd = {
  readonly phase: CommandPhase;
  readonly exitCode: number | null;
  readonly durationMs: number | null;
  /** The whole output, or `null` if Codex kept none; then the streamed output stays. */
  readonly output: string | null;
  /** Codex's status of an end that has no phase. */
  readonly status?: string | undefined;
};

/** Shows a command that starts to run; one of several lines is shown in full in its fence. */
export function startCommand(
  draft: Draft,
  id: string,
  command: string,
  cwd: string,
  isCut = false,
  rank: Rank = "steps",
): OpenCommand {
  const script = unwrapShell(command);
  let item: OpenCommand = {
    kind: "command",
    block: "",
    anchor: "",
    fence: undefined,
    script,
    cwd,
    phase: "running",
    isStopped: false,
    answer: undefined,
    prompt: fitsSummary(script) ? [] : briefLines(script),
    isCut,
    output: noOutput,
    mark: "",
  };
  const block = append(draft, [summaryOf(draft, item)], rank);
  draft.edits.push({ op: "mark", id: block, mark: "running" });
  item = { ...item, block, anchor: block };
  return keep(draft, id, item);
}

/** Adds output as it comes. SECURITY: it is whatever a program in the sandbox prints. */
export function growCommand(draft: Draft, id: string, item: OpenCommand, piece: string): void {
  const output = addOutput(item.output, piece);
  const fresh = output.head.lines.slice(item.output.head.lines.length);
  const open = show(draft, { ...item, output }, fresh);
  const mark = latestLine(output);
  if (mark !== open.mark) draft.edits.push(running(open.block, mark));
  keep(draft, id, { ...open, mark });
}

/** Asks whether the command may run; shows it in full and unfolded, with the reason. */
export function askCommand(
  draft: Draft,
  id: string,
  item: OpenCommand,
  reason: string | undefined,
): OpenCommand {
  let open: OpenCommand = { ...item, phase: "asks" };
  draft.edits.push({ op: "mark", id: open.block, mark: "none" });
  replaceSummary(draft, open);
  const lines = reason === undefined ? [] : sanitizedLines(reason, "> ");
  if (lines.length > 0) open = { ...open, anchor: insertBelow(draft, open.anchor, lines) };
  const prompt = commandLines(open.script);
  if (open.fence === undefined) {
    open = makeFence(draft, { ...open, prompt }, []);
  } else if (isBrief(open.script)) {
    open = rewriteBody(draft, { ...open, prompt }, open.fence, open.output.head.lines);
  }
  return keep(draft, id, open);
}

/** Shows the answer to `askCommand`; the command then runs, or has ended. */
export function answerCommand(
  draft: Draft,
  id: string,
  item: OpenCommand,
  phase: "running" | "declined" | "stopped",
  answer: string | undefined,
): void {
  const open = fold(draft, { ...item, phase, answer });
  replaceSummary(draft, open);
  if (phase === "running") draft.edits.push({ op: "mark", id: open.block, mark: "running" });
  keep(draft, id, open);
}

/** Notes that the user ends these commands, before Codex tells how they ended. */
export function stopCommands(draft: Draft, ids: readonly string[]): void {
  for (const id of ids) {
    const item = draft.state.items.get(id);
    if (item?.kind === "command") keep(draft, id, { ...item, isStopped: true });
  }
}

/** The exit code of a command that was ended by SIGKILL. */
const KILLED = 137;

/**
 * Shows how the command ended, and returns its final state. Removes it from the open items unless
 * it continues in the background.
 */
export function endCommand(
  draft: Draft,
  id: string,
  item: OpenCommand,
  end: CommandEnd,
): OpenCommand {
  const whole = end.output ?? "";
  const lines = whole === "" ? outputLines(item.output) : wholeOutput(whole);
  // Codex reports -1 for a command that it ends, but the exit code where it learns that first
  // (app-server 0.169).
  const phase = item.isStopped && end.exitCode === KILLED ? "stopped" : end.phase;
  let open = complete(draft, item, lines);
  open = fold(draft, { ...open, phase });
  replaceSummary(draft, open, end);
  draft.edits.push({ op: "mark", id: open.block, mark: "none" });
  keepItem(draft, id, phase === "background" ? { ...open, mark: "" } : undefined);
  return open;
}

function keep(draft: Draft, id: string, item: OpenCommand): OpenCommand {
  keepItem(draft, id, item);
  return item;
}

function running(id: string, text: string): Draft["edits"][number] {
  return text === ""
    ? { op: "mark", id, mark: "running" }
    : { op: "mark", id, mark: "running", text };
}

function replaceSummary(draft: Draft, item: OpenCommand, end?: CommandEnd): void {
  draft.edits.push({ op: "replace", id: item.block, lines: [summaryOf(draft, item, end)] });
}

function summaryOf(draft: Draft, item: OpenCommand, end?: CommandEnd): string {
  const { phase, script, cwd, answer } = item;
  return commandSummary(
    {
      phase,
      script,
      cwd,
      exitCode: end?.exitCode ?? null,
      durationMs: end?.durationMs ?? null,
      ...(answer === undefined ? {} : { answer }),
      ...(end?.status === undefined ? {} : { status: end.status }),
    },
    draft.state.root,
  );
}

/**
 * Adds lines to the fence, which is created with the first ones and widened for backticks in them.
 */
function show(draft: Draft, item: OpenCommand, lines: readonly string[]): OpenCommand {
  if (lines.length === 0) return item;
  if (item.fence === undefined) return makeFence(draft, item, lines);
  const widened = widen(draft, item, item.fence, Math.max(item.fence.ticks, ticksIn(lines)));
  draft.edits.push({ op: "append", id: item.fence.body, text: `\n${lines.join("\n")}` });
  return widened;
}

/** Creates the fence: the command, if its summary does not show all of it, then `lines`. */
function makeFence(draft: Draft, item: OpenCommand, lines: readonly string[]): OpenCommand {
  const all = [...item.prompt, ...lines];
  if (all.length === 0) return item;
  const ticks = ticksIn(all);
  const fence = consoleFence(ticks);
  const open = insertBelow(draft, item.anchor, [fence.open]);
  const body = insertBelow(draft, open, all);
  const close = insertBelow(draft, body, [fence.close]);
  const made = { ...item, fence: { open, body, close, ticks, folded: false } };
  // Unfolded while the user decides about it.
  return item.phase === "asks" ? made : fold(draft, made);
}

function widen(draft: Draft, item: OpenCommand, fence: Fence, ticks: number): OpenCommand {
  const before = consoleFence(fence.ticks);
  const after = consoleFence(ticks);
  if (before.close !== after.close) {
    draft.edits.push({ op: "replace", id: fence.open, lines: [after.open] });
    draft.edits.push({ op: "replace", id: fence.close, lines: [after.close] });
  }
  return { ...item, fence: { ...fence, ticks } };
}

/** The lines of a command that needs no approval; a huge one is shortened. */
function briefLines(script: string): string[] {
  return isBrief(script) ? wholeOutput(`$ ${script}`) : commandLines(script);
}

/** Whether a command is so long that it is shown in full only for approval. */
function isBrief(script: string): boolean {
  return script.length > maxCommandChars;
}

/** Makes the fence contain exactly `lines` below the command, adding what is missing. */
function complete(draft: Draft, item: OpenCommand, lines: readonly string[]): OpenCommand {
  const shown = item.output.head.lines;
  if (item.fence === undefined) return makeFence(draft, item, lines);
  if (shown.every((line, index) => line === lines[index])) {
    return show(draft, item, lines.slice(shown.length));
  }
  return rewriteBody(draft, item, item.fence, lines);
}

function rewriteBody(
  draft: Draft,
  item: OpenCommand,
  fence: Fence,
  lines: readonly string[],
): OpenCommand {
  const all = [...item.prompt, ...lines];
  draft.edits.push({ op: "replace", id: fence.body, lines: all });
  return widen(draft, item, fence, ticksIn(all));
}

function fold(draft: Draft, item: OpenCommand): OpenCommand {
  const { fence } = item;
  if (fence === undefined || fence.folded) return item;
  draft.edits.push({ op: "fold", from: fence.open, to: fence.close, label: "output" });
  return { ...item, fence: { ...fence, folded: true } };
}
