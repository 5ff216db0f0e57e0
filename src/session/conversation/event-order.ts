/**
 * Emits events in the order in which they were queued, even when an earlier one is still waiting: the
 * end of a turn waits until the file has it, and the next turn may have begun by then.
 */
export class EventOrder {
  #last: Promise<unknown> = Promise.resolve();

  /** Calls `run` after all that was given earlier, and once `ready` has settled. */
  emit(run: () => void, ready?: Promise<unknown>): void {
    this.#last = Promise.allSettled([this.#last, ready]).then(run);
  }
}
