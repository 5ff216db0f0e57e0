import { err, ok, type Result } from "../../result.ts";

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
export type CallSlot = {
  /** Takes bytes from what is left; an error is for the call's answer, and ends it. */
  readonly spendBytes: (bytes: number) => Result<undefined, string>;
  /** Says how many tokens the call takes in all, in place of what was said before. */
  readonly countTokens: (tokens: number) => void;
  /** Whether there are tokens left beside this call's own; an error is for its answer. */
  readonly checkTokens: () => Result<undefined, string>;
  readonly release: () => void;
};

type Budget = { requests: number; bytes: number; tokens: number };

/** Who begins turns: Codex by itself, or the user, for whom what was lost is sent again. */
export type TurnStarter = "codex" | "user";

/**
 * What turns that nobody asks for one by one may have together until the user is heard of again: as
 * much as one turn, and so many turns.
 *
 * SECURITY: that Codex has begun a turn is told from inside, where anyone can say it.
 */
export type TurnAllowance = {
  /** Fills it again; only for the user. */
  readonly renew: () => void;
  /** Why no turn may begin with it any more; undefined where one may. */
  readonly refusal: () => string | undefined;
};

/** How many turns Codex may begin by itself; more than any goal takes in the calls of one turn. */
const MAX_CODEX_TURNS = 100;

class Allowance implements TurnAllowance {
  readonly startedBy: TurnStarter;
  readonly #perTurn: Readonly<Budget>;
  readonly #spent: (left: Readonly<Budget>) => string | undefined;
  #left: Budget;
  #turns = MAX_CODEX_TURNS;
  /** How often it was filled: what began before does not take from it. */
  #renewals = 0;

  constructor(
    startedBy: TurnStarter,
    perTurn: Readonly<Budget>,
    spent: (left: Readonly<Budget>) => string | undefined,
  ) {
    this.startedBy = startedBy;
    this.#perTurn = perTurn;
    this.#spent = spent;
    this.#left = { ...perTurn };
  }

  renew(): void {
    this.#left = { ...this.#perTurn };
    this.#turns = MAX_CODEX_TURNS;
    this.#renewals++;
  }

  refusal(): string | undefined {
    if (this.#turns <= 0)
      return `codex-chat: Codex has begun ${MAX_CODEX_TURNS} turns by itself, the most that are allowed.`;
    return this.#spent(this.#left);
  }

  /** Takes a turn out of it; give what that has spent to the function that comes back. */
  begin(): { readonly budget: Budget; readonly end: (spent: Readonly<Budget>) => void } {
    this.#turns--;
    const renewal = this.#renewals;
    return {
      budget: { ...this.#left },
      end: ({ requests, bytes, tokens }) => {
        if (renewal !== this.#renewals) return;
        this.#left.requests -= requests;
        this.#left.bytes -= bytes;
        this.#left.tokens -= tokens;
      },
    };
  }
}

type Turn = { readonly budget: Readonly<Budget>; readonly byCodex: boolean };

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
  readonly #turns = new Set<Turn>();
  /** What all calls together have spent, since the beginning. */
  readonly #spent: Budget = { requests: 0, bytes: 0, tokens: 0 };
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
  get activeCalls(): number {
    return this.#running.size;
  }

  /** What turns may have together that are begun by Codex itself, or for one request of the user's. */
  allowance(startedBy: TurnStarter = "codex"): TurnAllowance {
    return new Allowance(startedBy, this.#perTurn, (left) =>
      this.#exhausted(left, startedBy === "codex"),
    );
  }

  /**
   * Begins a turn; its calls are those of all running turns together. With an allowance it has what
   * is left of that. What others spend meanwhile counts there, too: calls do not tell whose they are.
   */
  begin(allowance?: TurnAllowance): TurnPass {
    const counted = allowance instanceof Allowance ? allowance : undefined;
    const share = counted?.begin();
    const turn: Turn = {
      budget: share?.budget ?? this.#perTurn,
      byCodex: counted?.startedBy === "codex",
    };
    const before = { ...this.#spent };
    this.#turns.add(turn);
    this.#update((left, key) => left + turn.budget[key]);
    return {
      end: () => {
        if (!this.#turns.delete(turn)) return;
        // Before the sum: what a call has taken that is cut off here is this turn's.
        if (this.#turns.size === 0) for (const { abort } of [...this.#running]) abort();
        share?.end({
          requests: this.#spent.requests - before.requests,
          bytes: this.#spent.bytes - before.bytes,
          tokens: this.#spent.tokens - before.tokens,
        });
        // What one turn left over is not another's to spend, nor what the last overdrew its debt.
        this.#update((left, key) =>
          this.#turns.size === 0
            ? 0
            : Math.min(left, sum([...this.#turns].map(({ budget }) => budget[key]))),
        );
      },
    };
  }

  /**
   * Takes a place for one call. `abort` is called when the last turn ends before the call. The error
   * is for the call's answer.
   */
  enter(abort: () => void): Result<CallSlot, string> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return err(refusal);
    this.#spend("requests", 1);
    const place = { abort };
    this.#running.add(place);
    let counted = 0;
    return ok({
      spendBytes: (bytes) => {
        this.#spend("bytes", bytes);
        return this.#left.bytes < 0 ? err(this.#bytesExhausted(this.#byCodex)) : ok();
      },
      countTokens: (tokens) => {
        // Of a call that has ended, or that a turn's end has cut off, nothing is another turn's.
        if (!this.#running.has(place)) return;
        this.#spend("tokens", tokens - counted);
        counted = tokens;
      },
      checkTokens: () =>
        this.#left.tokens + counted > 0 ? ok() : err(this.#tokensExhausted(this.#byCodex)),
      release: () => void this.#running.delete(place),
    });
  }

  /** Whether all turns that run are ones that Codex has begun by itself. */
  get #byCodex(): boolean {
    return this.#turns.size > 0 && [...this.#turns].every(({ byCodex }) => byCodex);
  }

  #refusal(): string | undefined {
    const { maxConcurrent } = this.#limits;
    if (this.#turns.size === 0)
      return "codex-chat: no turn is running, so no model call is allowed.";
    const spent = this.#exhausted(this.#left, this.#byCodex);
    if (spent !== undefined) return spent;
    if (this.#running.size >= maxConcurrent)
      return `codex-chat: ${maxConcurrent} model calls are under way, the most that are allowed at a time (limits.concurrent_requests).`;
    return undefined;
  }

  #exhausted({ requests, bytes, tokens }: Readonly<Budget>, byCodex: boolean): string | undefined {
    if (requests <= 0)
      return `codex-chat: ${turnsSubject(byCodex)} made ${this.#limits.maxRequestsPerTurn} model calls, the most that are allowed (limits.requests_per_turn).`;
    if (bytes <= 0) return this.#bytesExhausted(byCodex);
    return tokens <= 0 ? this.#tokensExhausted(byCodex) : undefined;
  }

  #tokensExhausted(byCodex: boolean): string {
    return `codex-chat: ${turnsSubject(byCodex)} taken about ${this.#limits.maxTokensPerTurn} tokens, the most that are allowed (limits.tokens_per_turn).`;
  }

  #bytesExhausted(byCodex: boolean): string {
    return `codex-chat: ${turnsSubject(byCodex)} exchanged ${this.#limits.maxBytesPerTurn} bytes with the model, the most that are allowed (limits.bytes_per_turn).`;
  }

  #spend(what: keyof Budget, amount: number): void {
    this.#left[what] -= amount;
    this.#spent[what] += amount;
  }

  #update(to: (left: number, key: keyof Budget) => number): void {
    const { requests, bytes, tokens } = this.#left;
    this.#left = {
      requests: to(requests, "requests"),
      bytes: to(bytes, "bytes"),
      tokens: to(tokens, "tokens"),
    };
  }
}

function turnsSubject(byCodex: boolean): string {
  return byCodex ? "the turns that Codex began by itself have together" : "this turn has";
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
