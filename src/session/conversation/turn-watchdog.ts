import type { Conversation } from "./conversation.ts";

type Watched = Pick<Conversation, "approvals" | "document" | "host" | "thread">;

/** A timer that fires later than this was not waiting: the machine slept, or had no time for it. */
const LATE_MS = 1_000;

/**
 * Notices that nothing goes on in a running turn: Codex says nothing, runs nothing, asks nothing of
 * the model and nothing of the user. So it is where something inside was stopped, and not killed, as
 * by a program that means harm; without a word the turn would look busy for ever.
 */
export class Stillness {
  readonly #conversation: Watched;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;

  constructor(conversation: Watched) {
    this.#conversation = conversation;
  }

  /** A turn runs, or something was heard of it. */
  heard(): void {
    if (this.#timer === undefined) this.#begin();
    else this.#again();
  }

  /** The turn is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    const ms = this.#conversation.host.settings.limits.silence_ms;
    this.#timer = setTimeout(() => {
      const isLate = performance.now() - this.#since > ms + LATE_MS;
      if (isLate || this.#isWaiting()) this.#again();
      else this.#conversation.document.apply({ type: "silence", of: "codex", ms });
    }, ms).unref();
    this.#since = performance.now();
  }

  #again(): void {
    this.#since = performance.now();
    this.#timer?.refresh();
  }

  /** Whether there is a reason to be still. */
  #isWaiting(): boolean {
    const { approvals, document, thread } = this.#conversation;
    const { items, turn } = document.standing;
    const calls = thread.loaded?.backend.egress.callsUnderWay() ?? 0;
    // The heading may say already what is waited for, such as the next try.
    return calls > 0 || approvals.size > 0 || items.size > 0 || turn.mark !== "";
  }
}
