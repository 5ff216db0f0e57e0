import { err, ok, type Result } from "../../result.ts";

/** The limits on model calls; all but `maxConcurrent` are per turn. */
export type TurnLimits = {
  readonly maxRequestsPerTurn: number;
  readonly maxConcurrent: number;
  /** Requests and responses together. */
  readonly maxBytesPerTurn: number;
  /** As the responses report them; estimated if they do not. */
  readonly maxTokensPerTurn: number;
};

/** Permission for model calls while a turn runs; `end` is idempotent. */
export type TurnPass = { readonly end: () => void };

/** The slot of one call that is in progress. */
export type CallSlot = {
  /** Takes bytes from the budget; an error is the message for the response, and ends the call. */
  readonly spendBytes: (bytes: number) => Result<undefined, string>;
  /** Sets how many tokens the call has taken in total; replaces the earlier count. */
  readonly countTokens: (tokens: number) => void;
  /** Whether there are tokens left besides this call's own; an error is its response's message. */
  readonly checkTokens: () => Result<undefined, string>;
  /** What a response must wait for; undefined for nothing. */
  readonly held: () => Promise<unknown> | undefined;
  readonly release: () => void;
};

type Budget = { requests: number; bytes: number; tokens: number };

/** Who starts the turns of an allowance: Codex by itself, or a retry of what the user sent. */
export type TurnStarter = "codex" | "user";

/**
 * The shared budget of turns that the user does not start one by one, until the user acts again:
 * the budget of one turn, and a number of turns.
 *
 * SECURITY: it is a message from inside that says that Codex has started a turn, and any program
 * there can forge one.
 */
export type TurnAllowance = {
  /** Fills it again; only an action of the user may do that. */
  readonly renew: () => void;
  /** Why no further turn may start with it; undefined if one may. */
  readonly refusal: () => string | undefined;
};

/** How many turns Codex may start by itself; no goal needs more within the calls of one turn. */
const MAX_CODEX_TURNS = 100;

class Allowance implements TurnAllowance {
  readonly startedBy: TurnStarter;
  readonly #perTurn: Readonly<Budget>;
  readonly #spent: (left: Readonly<Budget>) => string | undefined;
  #left: Budget;
  #turns = MAX_CODEX_TURNS;
  /** How often it was renewed: turns that started before the last renewal do not draw on it. */
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
      return `codex-chat: Codex has started ${MAX_CODEX_TURNS} turns by itself, the most that are allowed.`;
    return this.#spent(this.#left);
  }

  /** Takes one turn; `end` must be given what that turn has spent. */
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
 * Lets model calls through only while a turn runs, and limits their number, size and tokens.
 *
 * SECURITY: otherwise a program that the agent left running could use the user's account when
 * nobody is watching. For the same reason no call outlives the last turn.
 */
export class TurnGate {
  readonly #limits: TurnLimits;
  readonly #perTurn: Readonly<Budget>;
  readonly #running = new Set<{ readonly abort: () => void }>();
  readonly #turns = new Set<Turn>();
  /** What all calls together have spent since the gate was created. */
  readonly #spent: Budget = { requests: 0, bytes: 0, tokens: 0 };
  #left: Budget = { requests: 0, bytes: 0, tokens: 0 };
  /** What must be done before Codex may act in a turn that has begun. */
  readonly #awaited = new Set<Promise<unknown>>();

  constructor(limits: TurnLimits) {
    this.#limits = limits;
    this.#perTurn = {
      requests: limits.maxRequestsPerTurn,
      bytes: limits.maxBytesPerTurn,
      tokens: limits.maxTokensPerTurn,
    };
  }

  /** How many calls are in progress. */
  get activeCalls(): number {
    return this.#running.size;
  }

  /**
   * Creates a shared budget for turns that Codex starts, or that follow one request of the user.
   */
  allowance(startedBy: TurnStarter = "codex"): TurnAllowance {
    return new Allowance(startedBy, this.#perTurn, (left) =>
      this.#exhausted(left, startedBy === "codex"),
    );
  }

  /**
   * Starts a turn. Running turns share their budgets, because calls do not say which turn they
   * belong to. A turn with an allowance gets what is left of it, and pays for all calls while it
   * runs. Until `ready` has settled no response reaches the sandbox, so that Codex cannot act yet.
   */
  begin(allowance?: TurnAllowance, ready?: Promise<unknown>): TurnPass {
    this.#await(ready);
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
        // First, so that what these calls have taken is counted as this turn's.
        if (this.#turns.size === 0) for (const { abort } of [...this.#running]) abort();
        share?.end({
          requests: this.#spent.requests - before.requests,
          bytes: this.#spent.bytes - before.bytes,
          tokens: this.#spent.tokens - before.tokens,
        });
        // No turn inherits what another left over, and none pays what the last one overdrew.
        this.#update((left, key) =>
          this.#turns.size === 0
            ? 0
            : Math.min(left, sum([...this.#turns].map(({ budget }) => budget[key]))),
        );
      },
    };
  }

  /**
   * Takes a slot for one call. `abort` is called if the last turn ends before the call. The error
   * is the message for the call's response.
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
        // A call that has ended, or was cut off with its turn, takes nothing from the next turn.
        if (!this.#running.has(place)) return;
        this.#spend("tokens", tokens - counted);
        counted = tokens;
      },
      checkTokens: () =>
        this.#left.tokens + counted > 0 ? ok() : err(this.#tokensExhausted(this.#byCodex)),
      held: () => (this.#awaited.size === 0 ? undefined : Promise.all(this.#awaited)),
      release: () => void this.#running.delete(place),
    });
  }

  #await(ready: Promise<unknown> | undefined): void {
    if (ready === undefined) return;
    const settled: Promise<unknown> = ready
      .catch(() => {})
      .finally(() => this.#awaited.delete(settled));
    this.#awaited.add(settled);
  }

  /** Whether Codex started all running turns by itself. */
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
      return `codex-chat: ${maxConcurrent} model calls are in progress, the most that are allowed at a time (limits.concurrent_requests).`;
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
  return byCodex ? "the turns that Codex started by itself have together" : "this turn has";
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
