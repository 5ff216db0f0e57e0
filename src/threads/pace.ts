import { setImmediate as turn } from "node:timers/promises";

/** How long the event loop waits at most for work of thousands of files, in ms. */
const SLICE_MS = 8;

/**
 * Cuts long work into slices, so that a turn that runs meanwhile streams on. Files are looked at by
 * synchronous calls: each takes microseconds, and a promise for each takes as long again.
 */
export class Pace {
  #began = performance.now();

  /** Whether a slice is over; asked before `rest`, since waiting for nothing costs as much as a file. */
  get isDue(): boolean {
    return performance.now() - this.#began >= SLICE_MS;
  }

  /** Gives the event loop a turn. */
  async rest(): Promise<void> {
    await turn();
    this.#began = performance.now();
  }
}
