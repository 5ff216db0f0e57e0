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

/** Hosts that the user is asked about in one turn; a flood of names must not become one of questions. */
const MAX_QUESTIONS = 10;
/** Requests that wait for answers at a time. */
const MAX_HELD = 64;
/** How long a request waits for the user. */
const HOLD_MS = 300_000;
/** How long a request waits for a turn that is about to begin: MCP servers start before it. */
const EXPECT_MS = 5000;

/** What decisions about hosts need of the project. */
export type NetworkAccessOptions = {
  /** Where the project's decisions are kept. */
  readonly path: string;
  readonly settings: () => { readonly allow: readonly string[]; readonly ask: boolean };
  /** Asks in the conversation of this thread, and tells whether anybody has answered. */
  readonly ask: (
    thread: string,
    question: NetworkQuestion,
  ) => Promise<GivenAnswer<{ readonly decision: Said }>>;
  /** Takes an unanswered question back. */
  readonly withdraw: (thread: string, id: string, why: string) => void;
  readonly log: Log;
  readonly holdMs?: number;
};

type Turn = {
  readonly thread: string;
  asked: number;
  readonly allowed: Set<string>;
  /** By whom and why, by entry. */
  readonly refused: Map<string, NetworkVerdict>;
  /** Aborted when it ends. */
  readonly over: AbortController;
};

type Pending = {
  readonly verdict: Promise<NetworkVerdict>;
  readonly abandon: (why: string) => void;
};

/**
 * Decides what the sandbox of one project may reach besides the model: by the configuration, by
 * what the user said earlier, or by asking.
 *
 * The sandbox is one for all conversations of the project, so that a request cannot be told to come
 * from one of them: what is allowed in a conversation, or for a turn, counts while a turn of that
 * conversation runs, for whatever asks. It is asked in the one whose turn began last.
 */
export class NetworkAccess implements NetworkPolicy {
  readonly grants: Grants;
  readonly #options: NetworkAccessOptions;
  readonly #turns = new Map<string, Turn>();
  readonly #pending = new Map<string, Pending>();
  /** Woken when a turn begins. */
  readonly #beginning = new Set<() => void>();
  /** Until when a turn is expected to begin. */
  #expectedUntil = 0;
  #held = 0;
  #questions = 0;

  constructor(options: NetworkAccessOptions) {
    this.#options = options;
    this.grants = new Grants(options.path, options.log);
  }

  /** Counts a conversation's turns. */
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

  /** A turn is about to begin, and programs are started for it already. */
  expectTurn(): void {
    this.#expectedUntil = performance.now() + EXPECT_MS;
  }

  /** Settles once none of the questions that are open now is; undefined where none is. */
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
    if (turn === undefined) return refused("policy", "no turn is running, so nobody is asked");
    if (!this.#options.settings().ask)
      return refused("config", "it is not in network.allow, and network.ask is off");
    let pending = this.#pending.get(entry);
    if (pending === undefined) {
      if (turn.asked >= MAX_QUESTIONS)
        return refused("policy", `${MAX_QUESTIONS} hosts were asked about in this turn already`);
      turn.asked++;
      pending = this.#ask(turn, target, entry);
    }
    return this.#held >= MAX_HELD
      ? refused("policy", `${MAX_HELD} requests wait for an answer already`)
      : this.#hold(pending.verdict, signal);
  };

  /** The turn that began last, or begins now. */
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

  /** The question outlives the requests that wait for it: a tool that gave up may try again. */
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
      return answeredByNobody("decline" as Said, "it could not be asked about");
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
          return refused("policy", "the turn is over in which it was allowed");
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

/** Connections end with the permission, and with the turn where it counts in turns only. */
function allowedBy(by: DecidedBy, ends: AbortSignal, turn?: Turn): NetworkVerdict {
  const all = turn === undefined ? ends : AbortSignal.any([ends, turn.over.signal]);
  return { allowed: true, by, ends: all };
}

/** The same for the rest of the turn. */
function refuse(turn: Turn, entry: string, by: DecidedBy, why: string): NetworkVerdict {
  const verdict = refused(by, why);
  turn.refused.set(entry, verdict);
  return verdict;
}

function refused(by: DecidedBy, why: string): NetworkVerdict {
  return { allowed: false, by, why };
}
