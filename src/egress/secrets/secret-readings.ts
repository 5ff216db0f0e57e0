import type { SecretAutomaton } from "./secret-automaton.ts";

/** Takes a byte that was read, and where in the stream it was written: from `start` to before `end`. */
export type Sink = { readonly push: (byte: number, start: number, end: number) => void };

/** A piece of the stream in which a secret was found. */
export type SecretMatch = { readonly start: number; readonly end: number };

/** So many bytes of a secret are found at least where it is cut in the middle of a text. */
const MIN_CUT_BYTES = 16;

/** Follows one way of reading the stream, and knows how much of a secret it is in the middle of. */
export class SecretMatcher implements Sink {
  readonly #automaton: SecretAutomaton;
  readonly #onFound: (found: SecretMatch) => void;
  /** Where each of the last bytes began that a secret may have. */
  readonly #starts: Float64Array;
  readonly #mask: number;
  #read = 0;
  #state = 0;
  /** Where the last byte that a secret may have ended. */
  #end = 0;
  #foundEnd = 0;

  constructor(automaton: SecretAutomaton, onFound: (found: SecretMatch) => void) {
    this.#automaton = automaton;
    this.#onFound = onFound;
    const size = 2 ** Math.ceil(Math.log2(automaton.longest + 1));
    this.#starts = new Float64Array(size);
    this.#mask = size - 1;
  }

  push(byte: number, start: number, end: number): void {
    // Of UTF-16, every other byte is none.
    if (this.isIdleAt(byte) || byte === 0) return;
    const next = this.#automaton.step(this.#state, byte);
    if ((this.#automaton.depth[next] ?? 0) <= (this.#automaton.depth[this.#state] ?? 0))
      this.#break();
    this.#state = next;
    if (this.#state === 0) return;
    this.#end = end;
    this.#starts[this.#read++ & this.#mask] = start;
    const length = this.#automaton.found[this.#state] ?? 0;
    if (length === 0) return;
    this.#foundEnd = end;
    this.#onFound({ start: this.#startOf(length), end });
  }

  /** Whether this byte changes nothing: most are in the middle of nothing and begin nothing. */
  isIdleAt(byte: number): boolean {
    return this.#state === 0 && this.#automaton.first[byte] === 0;
  }

  /** What follows has nothing to do with what was before. */
  reset(): void {
    this.#break();
    this.#state = 0;
  }

  /** A secret does not go on: the better part of one, which was cut, is found all the same. */
  #break(): void {
    const start = this.partialStart(MIN_CUT_BYTES);
    if (start < this.#end && this.#end > this.#foundEnd) this.#onFound({ start, end: this.#end });
  }

  /** Where a secret begins whose first bytes, `least` of them or more, are the last that came. */
  pendingStart(least: number): number {
    const depth = this.#automaton.depth[this.#state] ?? 0;
    return depth < least
      ? Number.POSITIVE_INFINITY
      : Math.max(this.#startOf(depth), this.#foundEnd);
  }

  /** The same where it is the better part of a secret, which is as good as the whole. */
  partialStart(least: number): number {
    const depth = this.#automaton.depth[this.#state] ?? 0;
    const isPartial = depth >= Math.max(least, (this.#automaton.shortest[this.#state] ?? 0) / 2);
    return isPartial ? this.#startOf(depth) : Number.POSITIVE_INFINITY;
  }

  #startOf(length: number): number {
    return this.#starts[(this.#read - length) & this.#mask] ?? 0;
  }
}

const SKIPPED = -2;

/** What each character stands for in an encoding of `alphabet`; white space may be anywhere in it. */
function valuesOf(...alphabets: readonly string[]): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const space of " \t\r\n") values[space.charCodeAt(0)] = SKIPPED;
  for (const alphabet of alphabets)
    for (const [value, letter] of [...alphabet].entries()) values[letter.charCodeAt(0)] = value;
  return values;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS = "0123456789";
const BASE64 = `${LETTERS}${LETTERS.toLowerCase()}${DIGITS}`;

/** The encodings whose characters stand for so many bits each. */
export const ENCODINGS: readonly { readonly bits: number; readonly values: Int8Array }[] = [
  { bits: 6, values: valuesOf(`${BASE64}+/`, `${BASE64}-_`) },
  { bits: 5, values: valuesOf(`${LETTERS}234567`, `${LETTERS.toLowerCase()}234567`) },
  { bits: 4, values: valuesOf("0123456789ABCDEF", "0123456789abcdef") },
];

/** Reads characters that stand for some bits each, at every place where a byte may begin. */
export class BitReader implements Sink {
  readonly matchers: readonly SecretMatcher[];
  readonly #bits: number;
  readonly #values: Int8Array;
  readonly #step: number;
  #last = 0;
  #count = 0;
  /** Where the two characters before began: a byte is in three at most. */
  #before = 0;
  #beforeThat = 0;

  constructor(
    { bits, values }: { readonly bits: number; readonly values: Int8Array },
    matcher: () => SecretMatcher,
  ) {
    this.#bits = bits;
    this.#values = values;
    // Bytes begin at every place that is a multiple of what both sizes have in common.
    this.#step = bits === 5 ? 1 : bits === 6 ? 2 : 4;
    this.matchers = Array.from({ length: 8 / this.#step }, matcher);
  }

  push(byte: number, start: number, end: number): void {
    const value = this.#values[byte] ?? -1;
    if (value === SKIPPED) return;
    if (value < 0) {
      if (this.#count > 0) for (const matcher of this.matchers) matcher.reset();
      this.#count = 0;
      return;
    }
    this.#last = ((this.#last << this.#bits) | value) & 0xffff;
    this.#count++;
    const total = this.#count * this.#bits;
    for (let over = 0; over < this.#bits && total - over >= 8; over += this.#step) {
      const matcher = this.matchers[((total - over) & 7) / this.#step];
      const read = (this.#last >> over) & 0xff;
      if (matcher === undefined || matcher.isIdleAt(read)) continue;
      const back = Math.ceil((over + 8) / this.#bits);
      const from = back === 1 ? start : back === 2 ? this.#before : this.#beforeThat;
      matcher.push(read, from, end);
    }
    this.#beforeThat = this.#before;
    this.#before = start;
  }
}

const LETTER = 1;
const NUMERIC = 2;
/** Which bytes are letters, and which of them a number may have. */
const KINDS = new Uint8Array(256);
for (const letter of `${LETTERS}${LETTERS.toLowerCase()}`) KINDS[letter.charCodeAt(0)] = LETTER;
for (const letter of "0123456789abcdefABCDEFxXoh") KINDS[letter.charCodeAt(0)] = NUMERIC;

/** So much between two numbers is no list of them. */
const MAX_GAP = 100;

/** Reads bytes that are written as numbers, with anything else between them. */
export class NumberReader implements Sink {
  readonly matchers: readonly [SecretMatcher, SecretMatcher, SecretMatcher];
  #word = "";
  #start = 0;
  #end = 0;
  #gap = 0;
  /** Whether the word has a letter that no number has. */
  #isWord = false;

  constructor(matcher: () => SecretMatcher) {
    this.matchers = [matcher(), matcher(), matcher()];
  }

  push(byte: number, start: number, end: number): void {
    const kind = KINDS[byte];
    if (kind === LETTER) {
      this.#isWord = true;
      return;
    }
    if (kind === NUMERIC) {
      if (this.#word === "") this.#start = start;
      // What is longer is no number, however it goes on.
      if (this.#word.length < 9) this.#word += String.fromCharCode(byte);
      this.#end = end;
      return;
    }
    this.close();
    if (++this.#gap > MAX_GAP) for (const matcher of this.matchers) matcher.reset();
  }

  /** What was a number may be over: the stream is. */
  close(): void {
    const word = this.#word;
    if (word === "" && !this.#isWord) return;
    this.#word = "";
    this.#gap = 0;
    const [decimal, hex, octal] = this.matchers;
    if (this.#isWord) {
      this.#isWord = false;
      for (const matcher of this.matchers) matcher.reset();
      return;
    }
    this.#take(decimal, /^0*(\d{1,3})$/.exec(word)?.[1], 10);
    this.#take(hex, /^(?:0?x)?0*([0-9a-f]{1,2})h?$/i.exec(word)?.[1], 16);
    this.#take(octal, /^0?o?([0-7]{1,3})$/.exec(word)?.[1], 8);
  }

  #take(matcher: SecretMatcher, digits: string | undefined, base: number): void {
    const value = digits === undefined ? 256 : Number.parseInt(digits, base);
    if (value > 255) matcher.reset();
    else matcher.push(value, this.#start, this.#end);
  }
}
