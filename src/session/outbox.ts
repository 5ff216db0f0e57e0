import type { Query } from "./round.ts";

type Given = { readonly queries: readonly Query[]; readonly place: () => void };

/**
 * Queries on their way to Codex. Each is in one place at a time, so that nothing is lost and nothing
 * sent twice: whoever takes it out of its place owns it.
 */
export class Outbox {
  /** Typed during a round, and not given to Codex yet. */
  readonly #waiting: Query[] = [];
  /** Left over from a round that did not complete; they go along with the next message. */
  readonly #held: Query[] = [];
  /**
   * Given to Codex and not yet in its thread, by the id of the last: Codex drops what it has
   * accepted when the turn ends before that (0.169).
   */
  readonly #unheard = new Map<string, Given>();

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
    return queries;
  }

  /**
   * Codex has refused what was given. False if it has been taken since, and perhaps given again: it
   * is then somebody else's to send.
   */
  takeBack(queries: readonly Query[]): boolean {
    const last = queries.at(-1);
    if (last === undefined || this.#unheard.get(last.id)?.queries !== queries) return false;
    return this.#unheard.delete(last.id);
  }

  takeUnheard(): Query[] {
    const queries = [...this.#unheard.values()].flatMap((given) => given.queries);
    this.#unheard.clear();
    return queries;
  }
}
