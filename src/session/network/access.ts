import type { NetworkQuestion, UserDecision as Said } from "../../chat/index.ts";
import type { DecidedBy } from "../../egress/index.ts";
import {
  AllowList,
  entryFor,
  type NetworkPolicy,
  type NetworkVerdict,
  type Target,
  targetText,
} from "../../egress/network/index.ts";
import type { Log } from "../../log.ts";
import { ok } from "../../result.ts";
import { answeredByNobody, type GivenAnswer } from "../answer.ts";
import type { TurnHook } from "../hooks/index.ts";
import { Grants } from "./grants.ts";

/**
 * How many hosts the user is asked about per turn: a flood of names must not become one of
 * questions.
 */
const MAX_QUESTIONS = 10;
/** How many requests may wait for answers at a time. */
const MAX_HELD = 64;
/** How long a request waits for the user. */
const HOLD_MS = 300_000;
/** How long a request waits for a turn that is about to start: MCP servers start before it. */
const EXPECT_MS = 5000;

/** What decisions about hosts need from the project. */
export type NetworkAccessOptions = {
  /** The file in which the project's decisions are saved. */
  readonly path: string;
  readonly settings: () => { readonly allow: readonly string[]; readonly ask: boolean };
  /** Asks in the conversation of this thread; the answer says whether anybody has answered. */
  readonly ask: (
    thread: string,
    question: NetworkQuestion,
  ) => Promise<GivenAnswer<{ readonly decision: Said }>>;
  /** Withdraws an unanswered question. */
  readonly withdraw: (thread: string, id: string, why: string) => void;
  readonly log: Log;
  readonly holdMs?: number;
};

type Turn = {
  readonly thread: string;
  asked: number;
  readonly allowed: Set<string>;
  /** The refusals, by entry. */
  readonly refused: Map<string, NetworkVerdict>;
  /** Aborted when it ends. */
  readonly over: AbortController;
};

type Pending = {
  readonly verdict: Promise<NetworkVerdict>;
  readonly abandon: (why: string) => void;
};

/**
 * Decides what the sandbox of one project may reach besides the model: by the settings, by earlier
 * answers of the user, or by asking.
 *
 * All conversations of a project share one sandbox, so a request cannot be traced to one of them.
 * Permission for a conversation or a turn therefore holds for any program, but only while a turn of
 * that conversation runs. The user is asked in the conversation whose turn started last.
 */
export class NetworkAccess implements NetworkPolicy {
  readonly grants: Grants;
  readonly #options: NetworkAccessOptions;
  readonly #turns = new Map<string, Turn>();
  readonly #pending = new Map<string, Pending>();
  /** Callbacks for the start of a turn. */
  readonly #beginning = new Set<() => void>();
  /** The time until which a turn is expected to start. */
  #expectedUntil = 0;
  #held = 0;
  #questions = 0;

  constructor(options: NetworkAccessOptions) {
    this.#options = options;
    this.grants = new Grants(options.path, options.log);
  }

  /** Tracks the turns of all conversations. */
  readonly aroundTurn: TurnHook = {
    before: async ({ threadId: thread }) => {
      this.#turns.get(thread)?.over.abort();
      this.#turns.delete(thread);
      const over = new AbortController();
      this.#turns.set(thread, { thread, asked: 0, allowed: new Set(), refused: new Map(), over });
      this.#expectedUntil = 0;
      for (const wake of this.#beginning) wake();
      return ok();
    },
    after: async ({ threadId }) => {
      const turn = this.#turns.get(threadId);
      this.#turns.delete(threadId);
      turn?.over.abort();
      if (this.#turns.size === 0)
        for (const { abandon } of [...this.#pending.values()]) abandon("the turn is over");
      return [];
    },
  };

  readonly allowed = (): AllowList => {
    const list = AllowList.parse(this.#options.settings().allow);
    return list.ok ? list.value : AllowList.none;
  };

  /** A turn is about to start, and programs are already being started for it. */
  expectTurn(): void {
    this.#expectedUntil = performance.now() + EXPECT_MS;
  }

  /** Settles when all questions that are open now are answered; undefined if there are none. */
  readonly asking = (): Promise<unknown> | undefined =>
    this.#pending.size === 0
      ? undefined
      : Promise.all([...this.#pending.values()].map(({ verdict }) => verdict));

  readonly decide = async (target: Target, signal: AbortSignal): Promise<NetworkVerdict> => {
    await this.grants.load();
    const entry = entryFor(target);
    const known = this.#known(entry);
    if (known !== undefined) return known;
    const turn = await this.#turn(signal);
    if (turn === undefined)
      return refused("policy", "no turn is running, so the user is not asked");
    if (!this.#options.settings().ask)
      return refused("config", "it is not in network.allow, and network.ask is off");
    let pending = this.#pending.get(entry);
    if (pending === undefined) {
      if (turn.asked >= MAX_QUESTIONS)
        return refused(
          "policy",
          `you were already asked about ${MAX_QUESTIONS} hosts in this turn`,
        );
      turn.asked++;
      pending = this.#ask(turn, target, entry);
    }
    return this.#held >= MAX_HELD
      ? refused("policy", `${MAX_HELD} requests are already waiting for an answer`)
      : this.#hold(pending.verdict, signal);
  };

  /** The turn that started last; waits for one that is expected. */
  async #turn(signal: AbortSignal): Promise<Turn | undefined> {
    const left = this.#expectedUntil - performance.now();
    if (this.#turns.size === 0 && left > 0) {
      let wake: () => void = () => {};
      const begun = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#beginning.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
      const timer = setTimeout(wake, left);
      await begun;
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      this.#beginning.delete(wake);
    }
    return [...this.#turns.values()].at(-1);
  }

  #known(entry: string): NetworkVerdict | undefined {
    const grant = this.grants.find(entry, this.#turns.keys());
    if (grant?.by === "project") return allowedBy("project", grant.ends);
    if (grant !== undefined)
      return allowedBy("conversation", grant.ends, this.#turns.get(grant.thread));
    for (const turn of this.#turns.values())
      if (turn.allowed.has(entry)) return allowedBy("turn", turn.over.signal);
    for (const turn of this.#turns.values()) {
      const verdict = turn.refused.get(entry);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  /**
   * Waits for a verdict. The question outlives its requests: a tool that timed out may try again.
   */
  async #hold(verdict: Promise<NetworkVerdict>, signal: AbortSignal): Promise<NetworkVerdict> {
    this.#held++;
    let leave: () => void = () => {};
    const left = new Promise<NetworkVerdict>((resolve) => {
      leave = () => resolve(refused("nobody", "the client went away"));
      signal.addEventListener("abort", leave, { once: true });
      if (signal.aborted) leave();
    });
    try {
      return await Promise.race([verdict, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      this.#held--;
    }
  }

  #ask(turn: Turn, target: Target, entry: string): Pending {
    const { ask, withdraw, holdMs = HOLD_MS, log } = this.#options;
    const id = `network:${++this.#questions}`;
    let abandon: (why: string) => void = () => {};
    const abandoned = new Promise<string>((resolve) => {
      abandon = resolve;
    });
    const late = `nobody answered for ${Math.round(holdMs / 1000)} s`;
    const timer = setTimeout(() => abandon(late), holdMs);
    timer.unref();
    const question = { kind: "network", id, target: targetText(target), entry } as const;
    const answered = ask(turn.thread, question).catch((thrown: unknown) => {
      log.error({ err: thrown }, "asking about a host failed");
      return answeredByNobody("decline" as Said, "the user could not be asked");
    });
    const verdict = Promise.race([
      answered.then((answer) => this.#take(turn, entry, answer)),
      abandoned.then((why) => {
        withdraw(turn.thread, id, why);
        return refuse(turn, entry, "nobody", why);
      }),
    ]).finally(() => {
      clearTimeout(timer);
      this.#pending.delete(entry);
    });
    const pending = { verdict, abandon };
    this.#pending.set(entry, pending);
    return pending;
  }

  async #take(
    turn: Turn,
    entry: string,
    { decision, by, why = "nobody answered" }: GivenAnswer<{ readonly decision: Said }>,
  ): Promise<NetworkVerdict> {
    if (by === "nobody") return refuse(turn, entry, "nobody", why);
    switch (decision) {
      case "accept":
        if (turn.over.signal.aborted)
          return refused("policy", "the turn in which it was allowed is over");
        turn.allowed.add(entry);
        return allowedBy("turn", turn.over.signal);
      case "accept_session": {
        const ends = await this.grants.add("conversation", turn.thread, entry);
        return allowedBy("conversation", ends, turn);
      }
      case "accept_project":
        return allowedBy("project", await this.grants.add("project", turn.thread, entry));
      case "decline":
      case "cancel":
        return refuse(turn, entry, "user", "the user refused it for this turn");
      default:
        return decision satisfies never;
    }
  }
}

/** A permission. Connections end with it, and with the turn if it holds for turns only. */
function allowedBy(by: DecidedBy, ends: AbortSignal, turn?: Turn): NetworkVerdict {
  const all = turn === undefined ? ends : AbortSignal.any([ends, turn.over.signal]);
  return { allowed: true, by, ends: all };
}

/** A refusal that holds for the rest of the turn. */
function refuse(turn: Turn, entry: string, by: DecidedBy, why: string): NetworkVerdict {
  const verdict = refused(by, why);
  turn.refused.set(entry, verdict);
  return verdict;
}

function refused(by: DecidedBy, why: string): NetworkVerdict {
  return { allowed: false, by, why };
}
