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
  #heardAt = 0;
  #isStopped = false;

  constructor(options: ResponseTimerOptions) {
    this.#options = options;
  }

  /** The upstream has been asked, or has begun to answer. */
  begin(): void {
    if (this.#idle !== undefined) this.heard();
    if (this.#isStopped || this.#idle !== undefined) return;
    const { silenceMs, idleMs, onSilence, onIdle } = this.#options;
    this.#heardAt = performance.now();
    this.#silence = setTimeout(() => {
      if (!this.#wasStopped(silenceMs)) onSilence(silenceMs);
    }, silenceMs);
    this.#idle = setTimeout(() => {
      // What came meanwhile is read only after the timers, and may be the rest of the answer.
      if (this.#wasStopped(idleMs)) return this.heard();
      this.stop();
      onIdle(idleMs);
    }, idleMs);
  }

  #wasStopped(ms: number): boolean {
    return performance.now() - this.#heardAt > ms + LATE_MS;
  }

  /** Something came: all begins anew. */
  heard(): void {
    if (this.#isStopped) return;
    this.#heardAt = performance.now();
    this.#silence?.refresh();
    this.#idle?.refresh();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#idle);
  }
}
