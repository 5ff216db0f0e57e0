import { err, ok, type Result } from "../result.ts";

/** The caps on model calls while turns run. */
export type TurnLimits = { readonly maxRequestsPerTurn: number; readonly maxConcurrent: number };

/** Permission for model calls, for as long as a turn runs; `end` is idempotent. */
export type TurnPass = { readonly end: () => void };

/**
 * Lets model calls through only while a turn runs, and only so many.
 *
 * SECURITY: without it a program that the agent left running could use the user's account when
 * nobody is looking. For the same reason a call does not outlive the last turn.
 */
export class TurnGate {
  readonly #limits: TurnLimits;
  readonly #running = new Set<{ readonly abort: () => void }>();
  #turns = 0;
  #allowed = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Begins a turn; its calls are those of all running turns together. */
  begin(): TurnPass {
    this.#turns++;
    this.#allowed += this.#limits.maxRequestsPerTurn;
    let isOver = false;
    return {
      end: () => {
        if (isOver) return;
        isOver = true;
        this.#turns--;
        // What one turn left over is not another's to spend.
        this.#allowed = Math.min(this.#allowed, this.#turns * this.#limits.maxRequestsPerTurn);
        if (this.#turns === 0) for (const { abort } of [...this.#running]) abort();
      },
    };
  }

  /**
   * Takes a place for one call; the value is called when it is over. `abort` is called when the last
   * turn ends before that. The error is for its answer.
   */
  enter(abort: () => void): Result<() => void, string> {
    if (this.#turns === 0)
      return err("codex-chat: no turn is running, so no model call is allowed.");
    if (this.#allowed === 0)
      return err(
        `codex-chat: this turn has made ${this.#limits.maxRequestsPerTurn} model calls, the most that are allowed (limits.requests_per_turn).`,
      );
    if (this.#running.size >= this.#limits.maxConcurrent)
      return err(
        `codex-chat: ${this.#limits.maxConcurrent} model calls are under way, the most that are allowed at a time.`,
      );
    this.#allowed--;
    const place = { abort };
    this.#running.add(place);
    return ok(() => void this.#running.delete(place));
  }
}
