import { DROPPED, type Failure, failed, NOT_TAKEN, STOPPED } from "../failure.ts";
import type { Query } from "../query.ts";
import type { StartTurn } from "./ports.ts";
import {
  addWaiting,
  forgetTries,
  hold,
  inDocumentOrder,
  isLost,
  markBegun,
  markSent,
  onAccepted,
  onEcho,
  type PendingQuery,
  revokeSent,
  type SendQueue,
  startsNextTurn,
  type Taken,
  takeHeld,
  takeHeldByUser,
  takeUnconfirmed,
  takeUnqueued,
  takeWaiting,
} from "./send-queue.ts";
import {
  stateAfter,
  type TurnEffect,
  type TurnEnd,
  type TurnInput,
  type TurnMachine,
  type TurnPhase,
  type TurnStart,
} from "./turn-state.ts";
import { heldBack, stoppedUnsent } from "./unsent.ts";

type Draft = { -readonly [K in keyof TurnMachine]: TurnMachine[K] } & {
  readonly effects: TurnEffect[];
};

/** The one transition of a turn: pure, and defined for every input in every phase. */
export function step(
  machine: TurnMachine,
  input: TurnInput,
): { readonly machine: TurnMachine; readonly effects: readonly TurnEffect[] } {
  const draft: Draft = { ...machine, effects: [] };
  take(draft, input);
  const { effects, ...next } = draft;
  return { machine: next, effects };
}

function take(draft: Draft, input: TurnInput): void {
  const { phase } = draft;
  switch (input.type) {
    case "query":
      takeQuery(draft, input);
      break;
    case "retry":
      if (phase.at !== "idle") return;
      takeOut(draft, takeHeldByUser);
      begin(draft, input);
      break;
    case "request":
      if (phase.at === "idle") begin(draft, { queries: [], request: input.request });
      return;
    case "stop":
      stop(draft);
      break;
    case "close":
      close(draft);
      break;
    case "requested":
    case "request_refused":
    case "started":
    case "start_failed":
      takeStart(draft, input);
      break;
    case "steered":
      showSteered(draft, input.number);
      break;
    case "echoed":
      showSteered(draft, input.id);
      break;
    case "steer_refused":
      if (phase.at === "closed") return;
      for (const query of takeOut(draft, (queue) => revokeSent(queue, input.number)))
        wait(draft, query);
      return;
    case "accepted": {
      const queries = takeOut(draft, (queue) => onAccepted(queue, input.id));
      if (queries.length > 0) draft.effects.push({ type: "queries_accepted", queries });
      return;
    }
    case "turn_started":
      takeTurnStarted(draft, input.turnId);
      break;
    case "adopted":
      adopt(draft, input.turnId);
      break;
    case "turn_completed":
      // Only Codex says which turn runs, so any end is the end of this one.
      if (isRunning(phase)) finish(draft, input.end);
      else if (isStarting(phase) && phase.start.isRequested)
        draft.phase = { ...phase, start: { ...phase.start, ended: input } };
      return;
    case "backend_ended":
      draft.questions = 0;
      if (isRunning(phase)) fail(draft, input.failure);
      else if (isStarting(phase)) loseStart(draft, phase, input.failure);
      return;
    case "judged":
      if (phase.at === "ending") judge(draft, phase, input);
      return;
    case "hooks_ended":
      if (phase.at === "ending" && phase.number === input.number) goOn(draft, phase);
      return;
    case "questions":
      draft.questions = input.pending;
      return;
    case "progress":
      if (isStarting(phase)) draft.phase = { ...phase, detail: input.detail };
      return;
    case "work":
      if (phase.at === "idle") draft.phase = { ...phase, work: input.detail };
      break;
    case "unanswered":
      if (phase.at === "idle")
        draft.phase = { ...phase, winbar: { phase: "failed", detail: input.detail } };
      break;
    default:
      input satisfies never;
  }
}

function isStarting(
  phase: TurnPhase,
): phase is Extract<TurnPhase, { at: "starting" | "stopping_start" }> {
  return phase.at === "starting" || phase.at === "stopping_start";
}

function isRunning(phase: TurnPhase): phase is Extract<TurnPhase, { at: "running" | "stopping" }> {
  return phase.at === "running" || phase.at === "stopping";
}

function takeOut(draft: Draft, from: (queue: SendQueue) => Taken): readonly PendingQuery[] {
  const { queries, queue } = from(draft.queue);
  draft.queue = queue;
  return queries;
}

function takeQuery(draft: Draft, { query, mode }: Extract<TurnInput, { type: "query" }>): void {
  const { phase } = draft;
  const pending: PendingQuery = mode === "queue" ? { ...query, isQueued: true } : query;
  switch (phase.at) {
    case "idle":
      begin(draft, { queries: [...takeOut(draft, takeHeldByUser), pending] });
      break;
    case "running":
      if (mode === "steer") steer(draft, phase.turnId, pending);
      else wait(draft, pending);
      return;
    case "stopping_start":
    case "stopping":
      // Not steered: Codex would accept the text and drop it with the turn.
      wait(draft, { ...pending, isAfterStop: true });
      break;
    case "starting":
    case "ending":
      wait(draft, pending);
      break;
    case "closed":
      return;
    default:
      phase satisfies never;
  }
}

function wait(draft: Draft, query: PendingQuery): void {
  draft.queue = addWaiting(draft.queue, query);
  draft.effects.push({ type: "show", query, mode: "queue" });
}

function steer(draft: Draft, turnId: string, query: PendingQuery): void {
  draft.lastNumber += 1;
  draft.queue = markSent(draft.queue, draft.lastNumber, [query], false);
  draft.effects.push({ type: "steer", number: draft.lastNumber, turnId, query });
}

function showSteered(draft: Draft, of: string | number): void {
  if (draft.phase.at === "closed") return;
  for (const query of takeOut(draft, (queue) => onEcho(queue, of)))
    draft.effects.push({ type: "show", query, mode: "steer" });
}

type Beginning = {
  readonly queries: readonly PendingQuery[];
  readonly sections?: number;
  readonly isAgain?: boolean;
  readonly request?: StartTurn;
};

function begin(draft: Draft, { queries, sections, isAgain, request }: Beginning): void {
  const begun = markBegun(draft.queue, queries);
  draft.queue = begun.queue;
  draft.lastNumber += 1;
  const number = draft.lastNumber;
  draft.phase = { at: "starting", start: { number, queries, isRequested: false } };
  draft.effects.push({
    type: "start",
    number,
    queries,
    sections: sections ?? queries.length,
    isAgain: isAgain === true || begun.isAgain,
    request,
  });
}

function stop(draft: Draft): void {
  const { phase } = draft;
  if (phase.at === "starting") {
    draft.phase = { ...phase, at: "stopping_start" };
    draft.effects.push({ type: "abort_start" });
  } else if (phase.at === "running") {
    draft.phase = { ...phase, at: "stopping" };
    draft.effects.push({ type: "interrupt", turnId: phase.turnId, isFirst: true });
  }
}

function close(draft: Draft): void {
  const { phase } = draft;
  const isPending = isStarting(phase) && phase.start.isAnswered !== true;
  draft.phase = { at: "closed", ...(isPending ? { pending: phase.start.number } : {}) };
  if (phase.at === "starting") draft.effects.push({ type: "abort_start" });
  if (isRunning(phase) || (isStarting(phase) && !isPending))
    draft.effects.push({ type: "end_hooks_unseen" });
}

type StartInput = Extract<
  TurnInput,
  { type: "requested" | "request_refused" | "started" | "start_failed" }
>;

function takeStart(draft: Draft, input: StartInput): void {
  const { phase } = draft;
  if (phase.at === "closed") {
    if (phase.pending === input.number) takeUnseenStart(draft, input);
    return;
  }
  // A start that has been overtaken: its queries have another owner by now.
  if (!isStarting(phase) || phase.start.number !== input.number) return;
  const { start } = phase;
  switch (input.type) {
    case "requested":
      draft.queue = markSent(draft.queue, input.number, input.queries, true);
      draft.phase = { ...phase, start: { ...start, isRequested: true } };
      return;
    case "request_refused":
      draft.phase = { ...phase, start: revoke(draft, start) };
      return;
    case "start_failed":
      failStart(draft, revoke(draft, start), input.failure);
      break;
    case "started": {
      const turnId = input.turnId ?? start.begun;
      if (start.lost !== undefined) {
        fail(draft, start.lost);
        break;
      }
      if (turnId === undefined) draft.phase = { ...phase, start: { ...start, isAnswered: true } };
      else run(draft, turnId);
      if (start.ended !== undefined && start.ended.turnId === turnId)
        finish(draft, start.ended.end);
      break;
    }
    default:
      input satisfies never;
  }
}

/** A request that is not answered fails by itself, unless its answer was read before the end. */
function loseStart(
  draft: Draft,
  phase: Extract<TurnPhase, { at: "starting" | "stopping_start" }>,
  failure: Failure,
): void {
  if (phase.start.isAnswered === true) fail(draft, failure);
  else if (phase.start.isRequested)
    draft.phase = { ...phase, start: { ...phase.start, lost: failure } };
}

/** The chat is closed, but a turn that Codex has begun must be interrupted, and hooks must end. */
function takeUnseenStart(draft: Draft, input: StartInput): void {
  if (input.type !== "started" && input.type !== "start_failed") return;
  draft.phase = { at: "closed" };
  if (input.type === "started" && input.turnId !== undefined)
    draft.effects.push({ type: "interrupt", turnId: input.turnId, isFirst: false });
  draft.effects.push({ type: "end_hooks_unseen" });
}

/** Takes the queries back; if Codex has them in its thread, the request still counts as made. */
function revoke(draft: Draft, { number, queries, isRequested }: TurnStart): TurnStart {
  const wasSent = draft.queue.unconfirmed.some((sending) => sending.number === number);
  takeOut(draft, (queue) => revokeSent(queue, number));
  return { number, queries, isRequested: isRequested && !wasSent && queries.length > 0 };
}

function failStart(draft: Draft, start: TurnStart, failure: Failure): void {
  const unsent = start.isRequested ? [] : start.queries;
  if (failure.kind === DROPPED.kind) {
    draft.queue = forgetTries(draft.queue, unsent);
    finish(draft, { status: "interrupted" });
    return;
  }
  draft.queue = hold(draft.queue, unsent);
  if (failure.kind === STOPPED.kind) {
    draft.effects.push({ type: "say", event: stoppedUnsent });
    finish(draft, { status: "interrupted" });
  } else fail(draft, failure);
}

function run(draft: Draft, turnId: string): void {
  const isStopped = draft.phase.at === "stopping_start";
  draft.phase = { at: "running", turnId };
  draft.effects.push({ type: "turn_runs", turnId });
  if (isStopped) stop(draft);
  // Sent while the sandbox was starting: they are meant for this turn.
  else for (const query of takeOut(draft, takeUnqueued)) steer(draft, turnId, query);
}

function takeTurnStarted(draft: Draft, turnId: string): void {
  const { phase } = draft;
  if (phase.at === "idle" || phase.at === "ending")
    draft.effects.push({ type: "ask_to_adopt", turnId });
  else if (isStarting(phase)) {
    if (phase.start.isAnswered === true) run(draft, turnId);
    else if (phase.start.isRequested)
      draft.phase = { ...phase, start: { ...phase.start, begun: turnId } };
    // Codex refuses to interrupt a turn that it has answered for and not begun yet.
  } else if (phase.at === "stopping" && phase.turnId === turnId)
    draft.effects.push({ type: "interrupt", turnId, isFirst: false });
}

/** Queries that were to begin the next turn wait until this one is over. */
function adopt(draft: Draft, turnId: string): void {
  const { phase } = draft;
  if (phase.at !== "idle" && phase.at !== "ending") return;
  run(draft, turnId);
  if (phase.at === "idle") return;
  const waiting = inDocumentOrder([...phase.next, ...takeOut(draft, takeWaiting)]);
  draft.queue = { ...draft.queue, waiting: [...phase.again, ...waiting] };
}

function fail(draft: Draft, failure: Failure): void {
  draft.effects.push({ type: "log_failure", failure });
  draft.effects.push({ type: "say", event: failed(failure) });
  finish(draft, { status: "failed", failure });
}

function finish(draft: Draft, end: TurnEnd): void {
  draft.lastNumber += 1;
  const phase = { at: "ending", number: draft.lastNumber, end, again: [], next: [] } as const;
  draft.phase = phase;
  // The end answers them all.
  draft.questions = 0;
  draft.effects.push({ type: "turn_over", end });
  if (!isLost(draft.queue, end)) {
    draft.effects.push({ type: "judge", end });
    return;
  }
  draft.effects.push({ type: "say", event: failed(NOT_TAKEN) });
  judge(draft, phase, { end: { status: "failed", failure: NOT_TAKEN }, again: [] });
}

/** Decides what becomes of the queries that the turn has left. */
function judge(
  draft: Draft,
  phase: Extract<TurnPhase, { at: "ending" }>,
  { end, again }: { readonly end: TurnEnd; readonly again: readonly Query[] },
): void {
  const left = [...takeOut(draft, takeUnconfirmed), ...takeOut(draft, takeWaiting)];
  const isNext = again.length > 0 || left.some((query) => startsNextTurn(query, end));
  if (!isNext) draft.queue = hold(draft.queue, left);
  if (!isNext && left.length > 0) draft.effects.push({ type: "say", event: heldBack });
  draft.phase = { ...phase, end, again, next: isNext ? left : [] };
  draft.effects.push({ type: "end_hooks", number: phase.number, end });
}

/** The hooks have ended: the queries that were sent meanwhile begin the next turn. */
function goOn(draft: Draft, { end, again, next }: Extract<TurnPhase, { at: "ending" }>): void {
  const queries = [...again, ...inDocumentOrder([...next, ...takeOut(draft, takeWaiting)])];
  draft.phase = { at: "idle", winbar: stateAfter(end) };
  if (queries.length === 0) return;
  const held = end.status === "completed" ? [] : takeOut(draft, takeHeld);
  begin(draft, { queries: [...held, ...queries], isAgain: again.length > 0 });
}
