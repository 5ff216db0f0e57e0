import type { ChatEvent } from "../../chat/index.ts";
import type { Log } from "../../log.ts";
import { ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";

/** A turn, and the conversation that it belongs to. */
export type HookedTurn = {
  readonly threadId: string;
  readonly path: string;
  /** The texts of the queries that start it; none for one that Codex starts. */
  readonly queries?: readonly string[];
  /** Says in the winbar what the turn waits for. */
  readonly showProgress?: (detail: string) => void;
};

/** What is done for the project before each of its turns and after it. */
export type TurnHook = {
  /** Before the turn is requested. A failure keeps it from beginning. */
  readonly before: (turn: HookedTurn, signal: AbortSignal) => Promise<Result<void, Failure>>;
  /** What `before` has begun, and what must be over before Codex may act; it never rejects. */
  readonly ready?: (turn: HookedTurn) => Promise<void> | undefined;
  /** After its end, however it ended; gives what the document is to show. */
  readonly after: (turn: HookedTurn) => Promise<readonly ChatEvent[]>;
};

/**
 * Hooks in their order. Those of a list begin at the same time: each delays the turn, and none sees
 * what the others do. All end one after the other, the last first.
 */
export type TurnHooks = readonly (TurnHook | readonly TurnHook[])[];

/** The hooks of one turn that have begun, and whether others may follow. */
type Begun = { readonly hooks: TurnHook[]; over: Promise<unknown>; readonly turn: HookedTurn };

/** Runs the hooks of one conversation's turns: `after` exactly once for each `before`. */
export class TurnHookRunner {
  readonly #all: TurnHooks;
  readonly #log: Log;
  #begun: readonly Begun[] = [];

  constructor(all: TurnHooks, log: Log) {
    this.#all = all;
    this.#log = log;
  }

  /** Errors: the first that a hook gives; those before it have their `after` all the same. */
  begin(turn: HookedTurn, signal: AbortSignal): Promise<Result<void, Failure>> {
    const begun: Begun = { turn, hooks: [], over: Promise.resolve() };
    this.#begun = [...this.#begun, begun];
    const done = this.#before(begun, signal);
    begun.over = done.catch(() => undefined);
    return done;
  }

  async #before({ turn, hooks }: Begun, signal: AbortSignal): Promise<Result<void, Failure>> {
    for (const step of this.#all) {
      const begun = [step].flat();
      hooks.push(...begun);
      const done = await Promise.all(begun.map((hook) => hook.before(turn, signal)));
      const failed = done.find((outcome) => !outcome.ok);
      if (failed !== undefined) return failed;
    }
    return ok();
  }

  /** What must be over before Codex may act in the turns that have begun; undefined for nothing. */
  ready(): Promise<unknown> | undefined {
    const pending = this.#begun.flatMap(({ turn, hooks }) =>
      hooks.flatMap((hook) => hook.ready?.(turn) ?? []),
    );
    return pending.length === 0 ? undefined : Promise.all(pending);
  }

  /** Never rejects: what a hook throws is a bug, and goes to the log. */
  async end(): Promise<readonly ChatEvent[]> {
    const ending = this.#begun;
    this.#begun = [];
    const events: ChatEvent[] = [];
    for (const { turn, hooks, over } of [...ending].reverse()) {
      // A turn of Codex's own does not wait for them.
      await over;
      for (const hook of hooks.reverse()) {
        try {
          events.push(...(await hook.after(turn)));
        } catch (thrown) {
          this.#log.error({ err: thrown }, "a hook after a turn failed");
        }
      }
    }
    return events;
  }
}
