import type { Query } from "../query.ts";
import { startsNextTurn } from "./turn-state.ts";

/** How often Codex is given a query without having put it into its thread. */
const MAX_GIVEN = 2;

type Tries = { readonly given: number; readonly hasBegun: boolean };

type Given = { readonly queries: readonly Query[]; readonly place: () => void };

/**
 * Queries on their way to Codex. Each is in one place at a time, so that nothing is lost and nothing
 * sent twice: whoever takes it out of its place owns it.
 */
export class SendQueue {
  /** Typed during a round, and not given to Codex yet. */
  readonly #waiting: Query[] = [];
  /** Left over from a round that did not complete; they go along with the next message. */
  readonly #held: Query[] = [];
  /**
   * Given to Codex and not yet in its thread, by the id of the last: Codex drops what it has
   * accepted when the turn ends before that (0.169).
   */
  readonly #unheard = new Map<string, Given>();

  /** By query, as long as Codex has not put it into its thread. */
  readonly #tries = new Map<string, Tries>();

  wait(query: Query): void {
    this.#waiting.push(query);
  }

  takeWaiting(): Query[] {
    return this.#waiting.splice(0);
  }

  /** Those that were not meant for the next turn; the others go on waiting. */
  takeUnqueued(): Query[] {
    const all = this.#waiting.splice(0);
    this.#waiting.push(...all.filter((it) => it.isQueued === true));
    return all.filter((it) => it.isQueued !== true);
  }

  hold(queries: readonly Query[]): void {
    this.#held.push(...queries);
  }

  takeHeld(): Query[] {
    return this.#held.splice(0);
  }

  /** The same where the user sends them: they are as new. */
  takeHeldByUser(): Query[] {
    const all = this.takeHeld();
    for (const { id } of all) this.#tries.delete(id);
    return all;
  }

  /**
   * A turn is about to begin with these. Whether each of them has had one begun before, so that this
   * one is nothing more that the user asks for.
   */
  begin(queries: readonly Query[]): boolean {
    const isAgain = queries.length > 0 && queries.every(({ id }) => this.#triesOf(id).hasBegun);
    for (const { id } of queries) this.#tries.set(id, { ...this.#triesOf(id), hasBegun: true });
    return isAgain;
  }

  /**
   * Whether something would be sent again that Codex has been given as often as it is.
   *
   * SECURITY: that a turn is over is told from inside, where anyone can say it, and say nothing of
   * the query. Without an end to this there would be turns for ever.
   */
  isLost(end: { readonly status: string }): boolean {
    const unheard = [...this.#unheard.values()].flatMap(({ queries }) => queries);
    return unheard.some((it) => startsNextTurn(it, end) && this.#triesOf(it.id).given >= MAX_GIVEN);
  }

  /**
   * Several queries are given to Codex as one, under the id of the last. `place` puts them into the
   * document, once: with `placed`, or when the function that this gives is called, whichever comes
   * first. Codex may speak of a query before it answers that it has taken it.
   */
  give(queries: readonly Query[], place: () => void = () => undefined): () => void {
    let isPlaced = false;
    const placeOnce = () => {
      if (!isPlaced) place();
      isPlaced = true;
    };
    const last = queries.at(-1);
    if (last !== undefined) this.#unheard.set(last.id, { queries, place: placeOnce });
    this.#count(queries, 1);
    return placeOnce;
  }

  /** Codex is about to speak of what was given under this id. */
  placed(id: string | undefined): void {
    if (id !== undefined) this.#unheard.get(id)?.place();
  }

  /** Codex has put what was given under this id into its thread; gives it, or undefined. */
  heard(id: string | undefined): readonly Query[] | undefined {
    if (id === undefined) return undefined;
    const queries = this.#unheard.get(id)?.queries;
    this.#unheard.delete(id);
    for (const query of queries ?? []) this.#tries.delete(query.id);
    return queries;
  }

  /**
   * Codex has refused what was given. False if it has been taken since, and perhaps given again: it
   * is then somebody else's to send.
   */
  takeBack(queries: readonly Query[]): boolean {
    const last = queries.at(-1);
    if (last === undefined || this.#unheard.get(last.id)?.queries !== queries) return false;
    this.#count(queries, -1);
    return this.#unheard.delete(last.id);
  }

  takeUnheard(): Query[] {
    const queries = [...this.#unheard.values()].flatMap((given) => given.queries);
    this.#unheard.clear();
    return queries;
  }

  #triesOf(id: string): Tries {
    return this.#tries.get(id) ?? { given: 0, hasBegun: false };
  }

  #count(queries: readonly Query[], by: number): void {
    for (const { id } of queries) {
      const tries = this.#triesOf(id);
      this.#tries.set(id, { ...tries, given: tries.given + by });
    }
  }
}
