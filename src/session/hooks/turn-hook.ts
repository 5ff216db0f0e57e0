import type { ChatEvent } from "../../chat/index.ts";
import type { Log } from "../../log.ts";
import { ok, type Result } from "../../result.ts";
import type { Failure } from "../failure.ts";

/** The conversation that a turn belongs to. */
export type HookedTurn = { readonly threadId: string; readonly path: string };

/** What is done for the project before each of its turns and after it. */
export type TurnHook = {
  /** Before Codex hears of the turn. A failure keeps the turn from beginning. */
  readonly before: (place: HookedTurn, signal: AbortSignal) => Promise<Result<void, Failure>>;
  /** After its end, however it ended; gives what the document is to say of it. */
  readonly after: (place: HookedTurn) => Promise<readonly ChatEvent[]>;
};

/** Does all of it for the turns of one conversation: `after` exactly once for each `before`. */
export class TurnHookRunner {
  readonly #all: readonly TurnHook[];
  readonly #log: Log;
  #begun: { readonly rite: TurnHook; readonly place: HookedTurn }[] = [];

  constructor(all: readonly TurnHook[], log: Log) {
    this.#all = all;
    this.#log = log;
  }

  /** Errors: the first that one of them gives; those before it have their `after` all the same. */
  async begin(place: HookedTurn, signal: AbortSignal): Promise<Result<void, Failure>> {
    for (const rite of this.#all) {
      this.#begun.push({ rite, place });
      const done = await rite.before(place, signal);
      if (!done.ok) return done;
    }
    return ok();
  }

  /** Never rejects: what one of them throws is a bug, and goes to the log. */
  async end(): Promise<readonly ChatEvent[]> {
    const events: ChatEvent[] = [];
    for (const { rite, place } of this.#begun.splice(0).reverse()) {
      try {
        events.push(...(await rite.after(place)));
      } catch (thrown) {
        this.#log.error({ err: thrown }, "what follows a turn failed");
      }
    }
    return events;
  }
}
