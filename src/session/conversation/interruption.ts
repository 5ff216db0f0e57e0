import { type Failure, INTERRUPT_MS, NOT_INTERRUPTED } from "../failure.ts";

/** The time that Codex has to end a turn that was interrupted. */
export class InterruptTimer {
  readonly #abandon: (failure: Failure) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `abandon` ends everything where that time is over. */
  constructor(abandon: (failure: Failure) => void) {
    this.#abandon = abandon;
  }

  begin(): void {
    this.#timer = setTimeout(() => this.#abandon(NOT_INTERRUPTED), INTERRUPT_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
