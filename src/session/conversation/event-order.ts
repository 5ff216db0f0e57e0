/**
 * Tells of things in the order in which they happened, though some must wait before they are told:
 * the end of a turn until the file has it, while the next turn may have begun.
 */
export class EventOrder {
  #last: Promise<unknown> = Promise.resolve();

  /** Calls `run` after all that was given earlier, and once `ready` has settled. */
  tell(run: () => void, ready?: Promise<unknown>): void {
    this.#last = Promise.allSettled([this.#last, ready]).then(run);
  }
}
