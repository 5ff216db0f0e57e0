/**
 * Finds any of several secrets in a byte stream in one pass (Aho-Corasick), ignoring case, forwards
 * or backwards.
 */
export class SecretAutomaton {
  /** Whether a secret contains a character that can start an escape sequence. */
  readonly hasSpellings: boolean;
  /** The longest secret, in bytes. */
  readonly longest: number;
  /** By byte: whether a secret begins with it. In state 0, all other bytes change nothing. */
  readonly first = new Uint8Array(256);
  /** The table column of each byte; 0 is for bytes in no secret. */
  readonly #columns = new Uint8Array(256);
  readonly #width: number;
  readonly #next: Int32Array;
  /** By state: how many of the last bytes begin a secret. */
  readonly depth: Int32Array;
  /** By state: the length of the longest secret that ends here, or 0. */
  readonly found: Int32Array;
  /** By state: the length of the shortest secret with this beginning. */
  readonly shortest: Int32Array;

  constructor(secrets: readonly string[]) {
    this.hasSpellings = secrets.some((secret) => /[\\%&]/.test(secret));
    const words = new Map<string, Buffer>();
    for (const secret of secrets) {
      const bytes = Buffer.from(secret).map(lower);
      for (const word of [Buffer.from(bytes), Buffer.from(bytes).reverse()])
        words.set(word.toString("latin1"), word);
    }
    const all = [...words.values()];
    let width = 1;
    for (const byte of Buffer.concat(all))
      if (this.#columns[byte] === 0) this.#columns[byte] = Math.min(width++, 255);
    for (let byte = 0x41; byte <= 0x5a; byte++) this.#columns[byte] = this.#column(byte | 0x20);
    this.#width = width;
    this.longest = Math.max(0, ...all.map(({ length }) => length));
    const states = 1 + all.reduce((sum, { length }) => sum + length, 0);
    this.#next = new Int32Array(states * width);
    this.depth = new Int32Array(states);
    this.found = new Int32Array(states);
    this.shortest = new Int32Array(states);
    this.#grow(all);
    this.#link();
    for (let byte = 0; byte < 256; byte++) this.first[byte] = this.step(0, byte) === 0 ? 0 : 1;
  }

  /** The state after a byte; 0 is the initial state. */
  step(state: number, byte: number): number {
    return this.#next[state * this.#width + this.#column(byte)] ?? 0;
  }

  #column(byte: number): number {
    return this.#columns[byte] ?? 0;
  }

  /** Builds the trie of all words. */
  #grow(words: readonly Buffer[]): void {
    let states = 1;
    for (const word of words) {
      let at = 0;
      for (const byte of word) {
        const edge = at * this.#width + this.#column(byte);
        const known = this.#next[edge] ?? 0;
        if (known === 0) {
          this.#next[edge] = states;
          this.depth[states] = (this.depth[at] ?? 0) + 1;
          states++;
        }
        at = this.#next[edge] ?? 0;
        const shortest = this.shortest[at] ?? 0;
        this.shortest[at] = shortest === 0 ? word.length : Math.min(shortest, word.length);
      }
      this.found[at] = word.length;
    }
  }

  /** Fills in the failure transitions: to the longest suffix that begins a word. */
  #link(): void {
    const width = this.#width;
    const fail = new Int32Array(this.depth.length);
    const queue: number[] = [];
    for (let column = 0; column < width; column++) {
      const child = this.#next[column] ?? 0;
      if (child !== 0) queue.push(child);
    }
    // The queue grows during this loop.
    for (const state of queue) {
      const other = fail[state] ?? 0;
      this.found[state] = Math.max(this.found[state] ?? 0, this.found[other] ?? 0);
      for (let column = 0; column < width; column++) {
        const edge = state * width + column;
        const child = this.#next[edge] ?? 0;
        const aside = this.#next[other * width + column] ?? 0;
        if (child === 0) this.#next[edge] = aside;
        else {
          fail[child] = aside;
          queue.push(child);
        }
      }
    }
  }
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
