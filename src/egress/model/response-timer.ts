/** What the watch tells, and when; times are milliseconds. */
export type ResponseTimerOptions = {
  readonly silenceMs: number;
  readonly idleMs: number;
  /** Called once in each silence. */
  readonly onSilence: (ms: number) => void;
  /** Called once; the watch has stopped by then. */
  readonly onIdle: (ms: number) => void;
};

/** A timer that fires later than this was not waiting: the process was stopped meanwhile. */
const LATE_MS = 1_000;

/** Notices that an upstream says nothing, from when it has been asked until it is stopped. */
export class ResponseTimer {
  readonly #options: ResponseTimerOptions;
  #silence: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #resetAt = 0;
  #isStopped = false;

  constructor(options: ResponseTimerOptions) {
    this.#options = options;
  }

  /** The upstream has been asked, or has begun to answer. */
  start(): void {
    if (this.#idle !== undefined) this.reset();
    if (this.#isStopped || this.#idle !== undefined) return;
    const { silenceMs, idleMs, onSilence, onIdle } = this.#options;
    this.#resetAt = performance.now();
    this.#silence = setTimeout(() => {
      if (!this.#wasSuspended(silenceMs)) onSilence(silenceMs);
    }, silenceMs);
    this.#idle = setTimeout(() => {
      // What came meanwhile is read only after the timers, and may be the rest of the answer.
      if (this.#wasSuspended(idleMs)) return this.reset();
      this.stop();
      onIdle(idleMs);
    }, idleMs);
  }

  #wasSuspended(ms: number): boolean {
    return performance.now() - this.#resetAt > ms + LATE_MS;
  }

  /** Something came: all begins anew. */
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
