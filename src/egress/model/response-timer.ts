/** The limits of a response timer, in milliseconds, and its callbacks. */
export type ResponseTimerOptions = {
  readonly silenceMs: number;
  readonly idleMs: number;
  /** Called once per silence. */
  readonly onSilence: (ms: number) => void;
  /** Called once, after the timer has stopped. */
  readonly onIdle: (ms: number) => void;
};

/** A timer that fires this late did not wait all the time: the process was suspended. */
const LATE_MS = 1_000;

/** Detects that an upstream sends nothing, from the request until `stop`. */
export class ResponseTimer {
  readonly #options: ResponseTimerOptions;
  #silence: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #resetAt = 0;
  #isStopped = false;

  constructor(options: ResponseTimerOptions) {
    this.#options = options;
  }

  /** Starts the timer, or resets it: the request was sent, or the response has begun. */
  start(): void {
    if (this.#idle !== undefined) this.reset();
    if (this.#isStopped || this.#idle !== undefined) return;
    const { silenceMs, idleMs, onSilence, onIdle } = this.#options;
    this.#resetAt = performance.now();
    this.#silence = setTimeout(() => {
      if (!this.#wasSuspended(silenceMs)) onSilence(silenceMs);
    }, silenceMs);
    this.#idle = setTimeout(() => {
      // Node runs timers before it reads sockets: the rest of the response may be waiting there.
      if (this.#wasSuspended(idleMs)) return this.reset();
      this.stop();
      onIdle(idleMs);
    }, idleMs);
  }

  #wasSuspended(ms: number): boolean {
    return performance.now() - this.#resetAt > ms + LATE_MS;
  }

  /** Data has come: starts both times again. */
  reset(): void {
    if (this.#isStopped) return;
    this.#resetAt = performance.now();
    this.#silence?.refresh();
    this.#idle?.refresh();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#idle);
  }
}
