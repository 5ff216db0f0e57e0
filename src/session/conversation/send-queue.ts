import type { Query } from "../query.ts";

/** How often a query is given to Codex that has not put it into its thread. */
const MAX_SENDS = 2;

/** A query, and how the user sent it. */
export type PendingQuery = Query & {
  /** It is for the next turn, even where it could be steered into the running one. */
  readonly isQueued?: true;
  /** It was sent after a stop: it is for the next turn, as soon as that may begin. */
  readonly isAfterStop?: true;
};

/** Queries that Codex was given under one number and has not put into its thread yet. */
type Sending = {
  readonly number: number;
  /** Codex is given several queries as one, under the id of the last. */
  readonly queries: readonly PendingQuery[];
  /** Whether the document shows them in their turn already. */
  readonly isShown: boolean;
};

type Tries = { readonly sent: number; readonly hasBegun: boolean };

/**
 * Queries on their way to Codex. Each is in exactly one of the lists, so that nothing is lost and
 * nothing is sent twice: code that takes a query out of a list owns it.
 */
export type SendQueue = {
  /** Sent during a turn, and not given to Codex yet. */
  readonly waiting: readonly PendingQuery[];
  /** Left over from a turn that did not complete; they go along with the user's next message. */
  readonly held: readonly PendingQuery[];
  /** Codex drops what it has accepted when the turn ends before that is in the thread (0.169). */
  readonly unconfirmed: readonly Sending[];
  /** By query, until Codex has put it into its thread. */
  readonly tries: ReadonlyMap<string, Tries>;
};

/** Queries that were taken out of a queue, and what is left of it. */
export type Taken = { readonly queries: readonly PendingQuery[]; readonly queue: SendQueue };

/** A queue that holds nothing. */
export const EMPTY_QUEUE: SendQueue = {
  waiting: [],
  held: [],
  unconfirmed: [],
  tries: new Map(),
};

/** The query waits for its turn. */
export function addWaiting(queue: SendQueue, query: PendingQuery): SendQueue {
  return { ...queue, waiting: [...queue.waiting, query] };
}

/** Takes all that waits. */
export function takeWaiting(queue: SendQueue): Taken {
  return { queries: queue.waiting, queue: { ...queue, waiting: [] } };
}

/** Takes the queries that may be steered into a turn that has begun; queued ones go on waiting. */
export function takeUnqueued(queue: SendQueue): Taken {
  return {
    queries: queue.waiting.filter(({ isQueued }) => isQueued !== true),
    queue: { ...queue, waiting: queue.waiting.filter(({ isQueued }) => isQueued === true) },
  };
}

/** Keeps queries back until the user sends something. */
export function hold(queue: SendQueue, queries: readonly PendingQuery[]): SendQueue {
  return { ...queue, held: [...queue.held, ...queries] };
}

/** Takes all that is held. */
export function takeHeld(queue: SendQueue): Taken {
  return { queries: queue.held, queue: { ...queue, held: [] } };
}

/** The same where the user sends them: earlier tries no longer count. */
export function takeHeldByUser(queue: SendQueue): Taken {
  return { queries: queue.held, queue: forgetTries({ ...queue, held: [] }, queue.held) };
}

/** Starts counting again how often these were sent. */
export function forgetTries(queue: SendQueue, queries: readonly Query[]): SendQueue {
  const tries = new Map(queue.tries);
  for (const { id } of queries) tries.delete(id);
  return { ...queue, tries };
}

/**
 * A turn is about to begin with these. `isAgain` says whether a turn has begun with each of them
 * before, so that this turn is nothing new that the user asks for.
 */
export function markBegun(
  queue: SendQueue,
  queries: readonly Query[],
): { readonly isAgain: boolean; readonly queue: SendQueue } {
  const isAgain = queries.length > 0 && queries.every(({ id }) => triesOf(queue, id).hasBegun);
  const tries = new Map(queue.tries);
  for (const { id } of queries) tries.set(id, { ...triesOf(queue, id), hasBegun: true });
  return { isAgain, queue: { ...queue, tries } };
}

/** Codex is being given these, under a number that nothing else was given under. */
export function markSent(
  queue: SendQueue,
  number: number,
  queries: readonly PendingQuery[],
  isShown: boolean,
): SendQueue {
  if (queries.length === 0) return queue;
  const sending = { number, queries, isShown };
  return counted({ ...queue, unconfirmed: [...queue.unconfirmed, sending] }, queries, 1);
}

/**
 * The queries that the document shows in their turn from now on: once for each sending, when Codex
 * mentions it (by the query's id) or has accepted it (by the sending's number), whichever comes first.
 */
export function onEcho(queue: SendQueue, of: string | number): Taken {
  const found = sendingOf(queue, of);
  if (found === undefined || found.isShown) return { queries: [], queue };
  const unconfirmed = queue.unconfirmed.map((sending) =>
    sending === found ? { ...sending, isShown: true } : sending,
  );
  return { queries: found.queries, queue: { ...queue, unconfirmed } };
}

/** Codex has put the sending with this query's id into its thread. */
export function onAccepted(queue: SendQueue, id: string): Taken {
  const found = sendingOf(queue, id);
  if (found === undefined) return { queries: [], queue };
  return { queries: found.queries, queue: forgetTries(without(queue, found), found.queries) };
}

/**
 * Codex has refused what it was given under this number. Gives nothing if the queries were taken over
 * in the meantime, and perhaps sent again: they have another owner then.
 */
export function revokeSent(queue: SendQueue, number: number): Taken {
  const found = sendingOf(queue, number);
  if (found === undefined) return { queries: [], queue };
  return { queries: found.queries, queue: counted(without(queue, found), found.queries, -1) };
}

/** Takes all that Codex was given and has not put into its thread. */
export function takeUnconfirmed(queue: SendQueue): Taken {
  return {
    queries: queue.unconfirmed.flatMap(({ queries }) => queries),
    queue: { ...queue, unconfirmed: [] },
  };
}

/**
 * Whether something would be sent again that Codex was given as often as it may be.
 *
 * SECURITY: anything inside can say that a turn is over, and say nothing of the query. Without this
 * limit there would be turns for ever.
 */
export function isLost(queue: SendQueue, end: { readonly status: string }): boolean {
  return takeUnconfirmed(queue).queries.some(
    (query) => startsNextTurn(query, end) && triesOf(queue, query.id).sent >= MAX_SENDS,
  );
}

/** Whether a query that waited begins the next turn after such an end; all go into it then. */
export function startsNextTurn(
  query: PendingQuery,
  { status }: { readonly status: string },
): boolean {
  return status === "completed" || (status === "interrupted" && query.isAfterStop === true);
}

/** Queries in the order in which the editor has placed them: those that were queued stand last. */
export function inDocumentOrder(queries: readonly PendingQuery[]): PendingQuery[] {
  return [
    ...queries.filter(({ isQueued }) => isQueued !== true),
    ...queries.filter(({ isQueued }) => isQueued === true),
  ];
}

function sendingOf({ unconfirmed }: SendQueue, of: string | number): Sending | undefined {
  return unconfirmed.find(({ number, queries }) =>
    typeof of === "number" ? number === of : queries.at(-1)?.id === of,
  );
}

function without(queue: SendQueue, gone: Sending): SendQueue {
  return { ...queue, unconfirmed: queue.unconfirmed.filter((sending) => sending !== gone) };
}

function counted(queue: SendQueue, queries: readonly Query[], by: number): SendQueue {
  const tries = new Map(queue.tries);
  for (const { id } of queries) {
    const before = triesOf(queue, id);
    tries.set(id, { ...before, sent: before.sent + by });
  }
  return { ...queue, tries };
}

function triesOf({ tries }: SendQueue, id: string): Tries {
  return tries.get(id) ?? { sent: 0, hasBegun: false };
}
