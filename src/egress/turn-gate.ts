import { err, ok, type Result } from "../result.ts";

/** The caps on model calls while turns run; all are those of one turn but `maxConcurrent`. */
export type TurnLimits = {
  readonly maxRequestsPerTurn: number;
  readonly maxConcurrent: number;
  /** Of requests and answers together. */
  readonly maxBytesPerTurn: number;
  /** As the answers count them, and estimated where they do not. */
  readonly maxTokensPerTurn: number;
};

/** Permission for model calls, for as long as a turn runs; `end` is idempotent. */
export type TurnPass = { readonly end: () => void };

/** The place of one call among those that are under way. */
export type TurnPlace = {
  /** Takes bytes from what is left; an error is for the call's answer, and ends it. */
  readonly spendBytes: (bytes: number) => Result<undefined, string>;
  /** Says how many tokens the call takes in all, in place of what was said before. */
  readonly countTokens: (tokens: number) => void;
  /** Whether there are tokens left beside this call's own; an error is for its answer. */
  readonly mayGoOn: () => Result<undefined, string>;
  readonly leave: () => void;
};

type Budget = { requests: number; bytes: number; tokens: number };

/**
 * Lets model calls through only while a turn runs, and only so many.
 *
 * SECURITY: without it a program that the agent left running could use the user's account when
 * nobody is looking. For the same reason a call does not outlive the last turn.
 */
export class TurnGate {
  readonly #limits: TurnLimits;
  readonly #perTurn: Readonly<Budget>;
  readonly #running = new Set<{ readonly abort: () => void }>();
  #turns = 0;
  #left: Budget = { requests: 0, bytes: 0, tokens: 0 };

  constructor(limits: TurnLimits) {
    this.#limits = limits;
    this.#perTurn = {
      requests: limits.maxRequestsPerTurn,
      bytes: limits.maxBytesPerTurn,
      tokens: limits.maxTokensPerTurn,
    };
  }

  /** How many calls are under way. */
  get underWay(): number {
    return this.#running.size;
  }

  /** Begins a turn; its calls are those of all running turns together. */
  begin(): TurnPass {
    this.#turns++;
    this.#change((left, perTurn) => left + perTurn);
    let isOver = false;
    return {
      end: () => {
        if (isOver) return;
        isOver = true;
        this.#turns--;
        // What one turn left over is not another's to spend, nor what the last overdrew its debt.
        this.#change((left, perTurn) =>
          this.#turns === 0 ? 0 : Math.min(left, this.#turns * perTurn),
        );
        if (this.#turns === 0) for (const { abort } of [...this.#running]) abort();
      },
    };
  }

  /**
   * Takes a place for one call. `abort` is called when the last turn ends before the call. The error
   * is for the call's answer.
   */
  enter(abort: () => void): Result<TurnPlace, string> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return err(refusal);
    this.#left.requests--;
    const place = { abort };
    this.#running.add(place);
    let counted = 0;
    return ok({
      spendBytes: (bytes) => {
        this.#left.bytes -= bytes;
        return this.#left.bytes < 0 ? err(this.#bytesSpent()) : ok();
      },
      countTokens: (tokens) => {
        // Of a call that has ended, or that a turn's end has cut off, nothing is another turn's.
        if (!this.#running.has(place)) return;
        this.#left.tokens -= tokens - counted;
        counted = tokens;
      },
      mayGoOn: () => (this.#left.tokens + counted > 0 ? ok() : err(this.#tokensSpent())),
      leave: () => void this.#running.delete(place),
    });
  }

  #refusal(): string | undefined {
    const { maxRequestsPerTurn, maxConcurrent } = this.#limits;
    if (this.#turns === 0) return "codex-chat: no turn is running, so no model call is allowed.";
    if (this.#left.requests <= 0)
      return `codex-chat: this turn has made ${maxRequestsPerTurn} model calls, the most that are allowed (limits.requests_per_turn).`;
    if (this.#left.bytes <= 0) return this.#bytesSpent();
    if (this.#left.tokens <= 0) return this.#tokensSpent();
    if (this.#running.size >= maxConcurrent)
      return `codex-chat: ${maxConcurrent} model calls are under way, the most that are allowed at a time (limits.concurrent_requests).`;
    return undefined;
  }

  #tokensSpent(): string {
    return `codex-chat: this turn has taken about ${this.#limits.maxTokensPerTurn} tokens, the most that are allowed (limits.tokens_per_turn).`;
  }

  #bytesSpent(): string {
    return `codex-chat: this turn has exchanged ${this.#limits.maxBytesPerTurn} bytes with the model, the most that are allowed (limits.bytes_per_turn).`;
  }

  #change(to: (left: number, perTurn: number) => number): void {
    const { requests, bytes, tokens } = this.#left;
    this.#left = {
      requests: to(requests, this.#perTurn.requests),
      bytes: to(bytes, this.#perTurn.bytes),
      tokens: to(tokens, this.#perTurn.tokens),
    };
  }
}
