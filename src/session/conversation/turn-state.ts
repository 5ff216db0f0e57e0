import { type ChatEvent, type SendMode, turnFailureOf } from "../../chat/index.ts";
import type { TurnError } from "../../codex/messages/index.ts";
import type { Progress } from "../../log.ts";
import type { RunState } from "../document/index.ts";
import type { Failure } from "../failure.ts";
import type { Query } from "../query.ts";
import type { StartTurn } from "./ports.ts";
import { EMPTY_QUEUE, type PendingQuery, type SendQueue } from "./send-queue.ts";

/** How a turn ended, for those who wait for it. */
export type TurnEnd = {
  readonly status: "completed" | "interrupted" | "failed";
  readonly failure?: Failure;
};

/** A turn that is being started, until its request is answered or has failed. */
export type TurnStart = {
  readonly number: number;
  readonly queries: readonly PendingQuery[];
  /** Whether the request has gone to Codex: no notification before that is about this turn. */
  readonly isRequested: boolean;
  /** Codex has accepted it without giving the turn's id, which comes with `turn/started`. */
  readonly isAnswered?: true;
  /**
   * Turns that Codex has begun and ended before its answer says which one this is: it may begin a turn
   * by itself at any time.
   */
  readonly begun?: string;
  readonly ended?: { readonly turnId: string; readonly end: TurnEnd };
  /** Why the backend has ended that the request went to. */
  readonly lost?: Failure;
};

/** Where a conversation's turn stands. */
export type TurnPhase =
  /** No turn. `winbar` shows how the last one ended; `work` is done meanwhile, and shown instead. */
  | { readonly at: "idle"; readonly winbar: RunState; readonly work?: Progress | undefined }
  | { readonly at: "starting"; readonly start: TurnStart; readonly detail?: Progress }
  /** The user has stopped the start, and Codex may have begun the turn already. */
  | { readonly at: "stopping_start"; readonly start: TurnStart; readonly detail?: Progress }
  | { readonly at: "running"; readonly turnId: string }
  | { readonly at: "stopping"; readonly turnId: string }
  /** Codex is done, and the hooks are not. `next` begins the next turn, and `again` before it. */
  | {
      readonly at: "ending";
      readonly number: number;
      readonly end: TurnEnd;
      readonly again: readonly PendingQuery[];
      readonly next: readonly PendingQuery[];
    }
  /** Nothing begins any more. `pending` is the number of a start that is not answered yet. */
  | { readonly at: "closed"; readonly pending?: number };

/** All that a conversation knows about its turn and about the queries on their way into one. */
export type TurnMachine = {
  readonly phase: TurnPhase;
  readonly queue: SendQueue;
  /** How many questions wait for the user. */
  readonly questions: number;
  /** The last number that a start, a steer or an end was given. */
  readonly lastNumber: number;
};

/** What happens to a turn: by the user, by Codex, or as the result of an effect. */
export type TurnInput =
  | { readonly type: "query"; readonly query: Query; readonly mode: "steer" | "queue" }
  | { readonly type: "retry"; readonly queries: readonly Query[]; readonly sections: number }
  /** A turn that begins with another request than a query: a review, a compaction. */
  | { readonly type: "request"; readonly request: StartTurn }
  | { readonly type: "stop" }
  | { readonly type: "close" }
  /** The request of this start goes to Codex now, with these queries. */
  | { readonly type: "requested"; readonly number: number; readonly queries: readonly Query[] }
  /** Codex has refused that request; the start fails, or requests once more. */
  | { readonly type: "request_refused"; readonly number: number }
  /** Codex has accepted it; some requests are answered without the turn's id. */
  | { readonly type: "started"; readonly number: number; readonly turnId: string | undefined }
  | { readonly type: "start_failed"; readonly number: number; readonly failure: Failure }
  | { readonly type: "steered"; readonly number: number }
  | { readonly type: "steer_refused"; readonly number: number }
  | { readonly type: "turn_started"; readonly turnId: string }
  /** The turn that Codex has begun by itself may run. */
  | { readonly type: "adopted"; readonly turnId: string }
  | { readonly type: "turn_completed"; readonly turnId: string; readonly end: TurnEnd }
  | { readonly type: "backend_ended"; readonly failure: Failure }
  /** Codex mentions the query with this id. */
  | { readonly type: "echoed"; readonly id: string }
  /** Codex has put it into its thread. */
  | { readonly type: "accepted"; readonly id: string }
  /** What follows from an end: the end as the user sees it, and the queries that are sent again. */
  | { readonly type: "judged"; readonly end: TurnEnd; readonly again: readonly Query[] }
  | { readonly type: "hooks_ended"; readonly number: number }
  | { readonly type: "questions"; readonly pending: number }
  | { readonly type: "progress"; readonly detail: Progress }
  /** What is done without a turn; undefined when that is over. */
  | { readonly type: "work"; readonly detail: Progress | undefined }
  /** A query of an earlier run has no answer, or not all of it. */
  | { readonly type: "unanswered"; readonly detail: string };

/** What the conversation does next, in this order. */
export type TurnEffect =
  | {
      readonly type: "start";
      readonly number: number;
      readonly queries: readonly Query[];
      /** In how many sections the queries stand at the text's end. */
      readonly sections: number;
      /** A turn has begun before with each of the queries: the user asks for nothing new. */
      readonly isAgain: boolean;
      readonly request: StartTurn | undefined;
    }
  | { readonly type: "abort_start" }
  | {
      readonly type: "steer";
      readonly number: number;
      readonly turnId: string;
      readonly query: Query;
    }
  /** `isFirst`: the time that Codex has to end the turn begins. */
  | { readonly type: "interrupt"; readonly turnId: string; readonly isFirst: boolean }
  | { readonly type: "show"; readonly query: Query; readonly mode: SendMode }
  | { readonly type: "say"; readonly event: ChatEvent }
  | { readonly type: "log_failure"; readonly failure: Failure }
  /** Codex has begun a turn by itself; it is adopted only if the user has allowed that. */
  | { readonly type: "ask_to_adopt"; readonly turnId: string }
  | { readonly type: "turn_runs"; readonly turnId: string }
  | { readonly type: "queries_accepted"; readonly queries: readonly Query[] }
  /** The turn is over: its timers, its budget and its questions are, too. */
  | { readonly type: "turn_over"; readonly end: TurnEnd }
  /** Answered by `judged`. */
  | { readonly type: "judge"; readonly end: TurnEnd }
  /** Answered by `hooks_ended`. */
  | { readonly type: "end_hooks"; readonly number: number; readonly end: TurnEnd }
  /** The same for a conversation that was closed: nothing is shown, and nothing follows. */
  | { readonly type: "end_hooks_unseen" };

/** A conversation without a turn. */
export const IDLE: TurnMachine = {
  phase: { at: "idle", winbar: { phase: "idle" } },
  queue: EMPTY_QUEUE,
  questions: 0,
  lastNumber: 0,
};

/** Whether a turn keeps another from beginning. */
export function isBusy({ phase }: TurnMachine): boolean {
  return phase.at !== "idle" && phase.at !== "closed";
}

/** What the winbar says; undefined once the conversation is closed. */
export function winbarOf({ phase, questions }: TurnMachine): RunState | undefined {
  if (phase.at === "closed") return undefined;
  if (questions > 0) return { phase: "waiting" };
  switch (phase.at) {
    case "idle":
      return phase.work === undefined ? phase.winbar : { phase: "starting", detail: phase.work };
    case "starting":
    case "stopping_start":
      return { phase: "starting", detail: phase.detail };
    case "running":
    case "stopping":
    case "ending":
      return { phase: "running" };
    default:
      return phase satisfies never;
  }
}

/** Why nothing can be answered any more that was asked in a turn which ended so. */
export function unansweredBy({ status, failure }: TurnEnd): string {
  if (status === "completed") return "the turn ended";
  return status === "interrupted"
    ? "the turn was stopped"
    : `the turn failed${failure === undefined ? "" : `: ${failure.message}`}`;
}

/** What the winbar says after a turn. */
export function stateAfter({ status, failure }: TurnEnd): RunState {
  return status === "failed" ? { phase: "failed", detail: failure?.message } : { phase: "idle" };
}

/** How Codex says that a turn ended; `httpStatus` is that of the endpoint's last answer. */
export function endOf(
  { status, error }: { readonly status: string; readonly error?: TurnError | null | undefined },
  httpStatus: number | undefined,
): TurnEnd {
  if (status === "completed" || status === "interrupted") return { status };
  const { what, fix, repeats } = turnFailureOf(error ?? { message: "The turn failed." }, {
    status: httpStatus,
  });
  const failure = {
    kind: "turn",
    message: what,
    fix,
    ...(repeats === undefined ? {} : { repeats }),
  };
  return { status: "failed", failure };
}
