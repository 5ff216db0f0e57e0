import type { Random } from "./random.ts";
import { KINDS, type Kind, numbersIn, queryText } from "./script.ts";

/** A query that the plugin has taken since the last quiet moment. */
export type Taken = {
  readonly number: number;
  readonly who: string;
  readonly buf: number;
  readonly at: number;
};

/** A file may be a second behind; so much of that is lost with a Neovim that is killed. */
const BEHIND_MS = 2_000;

const WEIGHTED = (Object.entries(KINDS) as [Kind, number][]).map(([kind, weight]) => ({
  kind,
  weight,
}));

/** Which queries were sent, and which of them may be without an answer. */
export class Ledger {
  /** All that the plugin has taken. */
  readonly taken = new Set<number>();
  /** Those that the user has sent again, which Codex may have had already. */
  readonly repeated = new Set<number>();
  /** Those that were on their way when something was killed: Codex may have had them already. */
  readonly wereUnderWay = new Set<number>();
  /** Those that were sent so shortly before their Neovim was killed that no file need have them. */
  readonly mayBeLost = new Set<number>();
  readonly #recent: Taken[] = [];
  /** Conversations in which something was stopped, refused or killed since the last quiet moment. */
  readonly #disturbed = new Set<string>();
  #last = 0;

  /** The text of a new query. */
  next(random: Random): { readonly text: string; readonly kind: Kind } {
    this.#last += 1;
    const { kind } = random.weighted(WEIGHTED);
    return { text: queryText(this.#last, kind), kind };
  }

  /** The text of a new query that has a short answer. */
  calm(): { readonly text: string } {
    this.#last += 1;
    return { text: queryText(this.#last, "short") };
  }

  /** The plugin has taken a query. */
  take(who: string, buf: number, text: string): void {
    for (const number of numbersIn(text)) {
      this.taken.add(number);
      this.#recent.push({ number, who, buf, at: performance.now() });
    }
  }

  /** A turn of this conversation may end without an answer. */
  disturb(who: string, buf: number): void {
    this.#disturbed.add(`${who}:${buf}`);
  }

  /** All turns of these persons may. */
  disturbAll(...names: readonly string[]): void {
    for (const { number, who } of this.#recent)
      if (names.includes(who)) this.wereUnderWay.add(number);
    for (const who of names) this.#disturbed.add(who);
  }

  /** The person's Neovim was killed. */
  killed(name: string): void {
    const since = performance.now() - BEHIND_MS;
    for (const { number, who, at } of this.#recent)
      if (who === name && at > since) this.mayBeLost.add(number);
  }

  /** The queries of a person that must have been answered, at a quiet moment; forgets them. */
  settle(who: string): Taken[] {
    const isCalm = ({ buf }: Taken) =>
      !this.#disturbed.has(who) && !this.#disturbed.has(`${who}:${buf}`);
    const own = this.#recent.filter((taken) => taken.who === who);
    for (const each of own) this.#recent.splice(this.#recent.indexOf(each), 1);
    const due = own.filter(isCalm);
    for (const key of this.#disturbed)
      if (key === who || key.startsWith(`${who}:`)) this.#disturbed.delete(key);
    return due;
  }
}
