import type { ChatEvent, SendMode } from "../../chat/index.ts";
import { LEFT_ID, type Query } from "../query.ts";

/**
 * The life of one conversation's rounds, as a value and one transition function.
 *
 * A round is what happens from a query to `turn/completed`. Queries that arrive meanwhile are
 * steered into the running turn or held until it has ended; nothing is sent twice because every
 * query is in exactly one of the lists below.
 */
export type Round =
  | { readonly phase: "idle" }
  | { readonly phase: "starting"; readonly abort: AbortController }
  | { readonly phase: "running"; readonly turnId: string }
  | { readonly phase: "stopping"; readonly turnId: string }
  /** Codex is done; what is done for the project after a turn is not yet. */
  | { readonly phase: "ending" };
/** What to do with a query that arrives now. */
export type Delivery = "start" | "steer" | "wait";

/**
 * Decides how a query travels, given the round it meets.
 *
 * A turn that is being interrupted cannot be steered: Codex would accept the text and drop it with
 * the turn.
 */
export function deliveryOf(round: Round, mode: "steer" | "queue"): Delivery {
  switch (round.phase) {
    case "idle":
      return "start";
    case "starting":
    case "stopping":
    case "ending":
      return "wait";
    case "running":
      return mode === "steer" ? "steer" : "wait";
    default:
      return round satisfies never;
  }
}

/** Whether the user has stopped it, so that it is about to end. */
export function isStopping(round: Round): boolean {
  return round.phase === "stopping" || (round.phase === "starting" && round.abort.signal.aborted);
}

/** Whether a query that waited has a turn begun when the round has ended so; all go into it then. */
export function startsNextTurn(query: Query, { status }: { readonly status: string }): boolean {
  return status === "completed" || (status === "interrupted" && query.isAfterStop === true);
}

/** Queries in the order in which the editor has placed them: those that were queued stand last. */
export function inDocumentOrder(queries: readonly Query[]): Query[] {
  return [
    ...queries.filter((it) => it.isQueued !== true),
    ...queries.filter((it) => it.isQueued === true),
  ];
}

/** How the document is told that a query was sent. */
export function sentAs(query: Query, mode: SendMode): Extract<ChatEvent, { type: "sent" }> {
  const { id } = query;
  if (id === LEFT_ID) return { type: "sent", id, mode, isAbove: true };
  return { type: "sent", id, mode, text: displayText(query) };
}

/** A query as it stands in the document. */
function displayText({ text, shown }: Query): string {
  return shown ?? text;
}
