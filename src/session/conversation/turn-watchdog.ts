/** A timer that fires later than this was not waiting: the machine slept, or had no time for it. */
const LATE_MS = 1_000;

/** How long silence may last, when it has a reason, and what to do when a turn is stuck. */
export type TurnWatchdogOptions = {
  /** How long a turn may be silent, in milliseconds; read at the start of each turn. */
  readonly silenceMs: () => number;
  /** Whether the turn waits for something that takes its time, such as the user. */
  readonly isWaiting: () => boolean;
  readonly onSilence: (ms: number) => void;
  /** The turn did not end in time. */
  readonly onDeadline: () => void;
};

/**
 * Notices that nothing happens in a running turn: Codex reports nothing, runs nothing, and asks
 * neither the model nor the user for anything. So it looks when a program inside stops Codex without
 * killing it; without a message the turn would look busy for ever. It also sees to it that a turn
 * which is to end does so in time.
 */
export class TurnWatchdog {
  readonly #options: TurnWatchdogOptions;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: TurnWatchdogOptions) {
    this.#options = options;
  }

  /** Starts the timer, or starts it again: a turn runs, or has shown a sign of life. */
  reset(): void {
    if (this.#timer === undefined) this.#start();
    else this.#restart();
  }

  /** Gives the turn this time to end, in milliseconds: it was interrupted. */
  expectEnd(ms: number): void {
    this.#deadline = setTimeout(this.#options.onDeadline, ms);
  }

  /** Ends the timers: the turn is over. */
  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#timer = undefined;
  }

  #start(): void {
    const ms = this.#options.silenceMs();
    this.#timer = setTimeout(() => {
      const isLate = performance.now() - this.#since > ms + LATE_MS;
      if (isLate || this.#options.isWaiting()) this.#restart();
      else this.#options.onSilence(ms);
    }, ms).unref();
    this.#since = performance.now();
  }

  #restart(): void {
    this.#since = performance.now();
    this.#timer?.refresh();
  }
}
