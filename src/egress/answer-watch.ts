/** What the watch tells, and when; times are milliseconds. */
export type AnswerWatchOptions = {
  readonly silenceMs: number;
  readonly idleMs: number;
  /** Called once in each silence. */
  readonly onSilence: (ms: number) => void;
  /** Called once; the watch has stopped by then. */
  readonly onIdle: (ms: number) => void;
};

/** Notices that an upstream says nothing, from when it has been asked until it is stopped. */
export class AnswerWatch {
  readonly #options: AnswerWatchOptions;
  #silence: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: AnswerWatchOptions) {
    this.#options = options;
  }

  /** The upstream has been asked, or has begun to answer. */
  begin(): void {
    if (this.#idle !== undefined) this.heard();
    if (this.#isStopped || this.#idle !== undefined) return;
    const { silenceMs, idleMs, onSilence, onIdle } = this.#options;
    this.#silence = setTimeout(() => onSilence(silenceMs), silenceMs);
    this.#idle = setTimeout(() => {
      this.stop();
      onIdle(idleMs);
    }, idleMs);
  }

  /** Something came: all begins anew. */
  heard(): void {
    if (this.#isStopped) return;
    this.#silence?.refresh();
    this.#idle?.refresh();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#idle);
  }
}
