import type { SecretAutomaton } from "./secret-automaton.ts";
import { lastOf, NOWHERE, offsetAt, type StreamOffset } from "./stream-offset.ts";

/**
 * Takes a decoded byte, and the stream offsets of its spelling: `start` inclusive, `end` exclusive.
 */
export type Sink = {
  readonly push: (byte: number, start: StreamOffset, end: StreamOffset) => void;
};

/** The stream offsets of a secret: `start` inclusive, `end` exclusive. */
export type SecretMatch = { readonly start: StreamOffset; readonly end: StreamOffset };

/** A secret that is cut in the middle of a text is found from this many bytes on. */
const MIN_CUT_BYTES = 16;

/**
 * Runs the automaton over one decoding of the stream, and knows how much of a secret is pending.
 */
export class SecretMatcher implements Sink {
  readonly #automaton: SecretAutomaton;
  readonly #onFound: (found: SecretMatch) => void;
  /** A ring of the start offsets of the last bytes, as many as a secret may have. */
  readonly #starts: Float64Array;
  readonly #mask: number;
  #read = 0;
  #state = 0;
  /** The end offset of the last byte that is part of a pending secret. */
  #end = offsetAt(0);
  #foundEnd = offsetAt(0);

  constructor(automaton: SecretAutomaton, onFound: (found: SecretMatch) => void) {
    this.#automaton = automaton;
    this.#onFound = onFound;
    const size = 2 ** Math.ceil(Math.log2(automaton.longest + 1));
    this.#starts = new Float64Array(size);
    this.#mask = size - 1;
  }

  push(byte: number, start: StreamOffset, end: StreamOffset): void {
    // In UTF-16, every other byte is 0.
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

  /** Whether this byte changes nothing, as most do: no secret is pending, and it begins none. */
  isIdleAt(byte: number): boolean {
    return this.#state === 0 && this.#automaton.first[byte] === 0;
  }

  /** Separates the following bytes from those before. */
  reset(): void {
    this.#break();
    this.#state = 0;
  }

  /** A pending secret does not continue: reports it if the larger part of it was there. */
  #break(): void {
    const start = this.partialStart(MIN_CUT_BYTES);
    if (start < this.#end && this.#end > this.#foundEnd) this.#onFound({ start, end: this.#end });
  }

  /**
   * The start offset of a pending secret of which at least `least` bytes have come; else infinity.
   */
  pendingStart(least: number): StreamOffset {
    const depth = this.#automaton.depth[this.#state] ?? 0;
    return depth < least ? NOWHERE : lastOf(this.#startOf(depth), this.#foundEnd);
  }

  /** The same, if that is at least half of the secret, which is as bad as all of it. */
  partialStart(least: number): StreamOffset {
    const depth = this.#automaton.depth[this.#state] ?? 0;
    const isPartial = depth >= Math.max(least, (this.#automaton.shortest[this.#state] ?? 0) / 2);
    return isPartial ? this.#startOf(depth) : NOWHERE;
  }

  #startOf(length: number): StreamOffset {
    return offsetAt(this.#starts[(this.#read - length) & this.#mask] ?? 0);
  }
}

const SKIPPED = -2;

/** The value of each character in an encoding with these alphabets; white space is skipped. */
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

/** The encodings in which each character stands for a number of bits. */
export const ENCODINGS: readonly { readonly bits: number; readonly values: Int8Array }[] = [
  { bits: 6, values: valuesOf(`${BASE64}+/`, `${BASE64}-_`) },
  { bits: 5, values: valuesOf(`${LETTERS}234567`, `${LETTERS.toLowerCase()}234567`) },
  { bits: 4, values: valuesOf("0123456789ABCDEF", "0123456789abcdef") },
];

/** Decodes such an encoding at every offset where a byte may begin. */
export class BitReader implements Sink {
  readonly matchers: readonly SecretMatcher[];
  readonly #bits: number;
  readonly #values: Int8Array;
  readonly #step: number;
  #last = 0;
  #count = 0;
  /** The start offsets of the two previous characters: a byte spans three at most. */
  #before = offsetAt(0);
  #beforeThat = offsetAt(0);

  constructor(
    { bits, values }: { readonly bits: number; readonly values: Int8Array },
    matcher: () => SecretMatcher,
  ) {
    this.#bits = bits;
    this.#values = values;
    // Bytes begin at multiples of the greatest common divisor of 8 and `bits`.
    this.#step = bits === 5 ? 1 : bits === 6 ? 2 : 4;
    this.matchers = Array.from({ length: 8 / this.#step }, matcher);
  }

  push(byte: number, start: StreamOffset, end: StreamOffset): void {
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
/** Which bytes are letters, and which may be part of a number. */
const KINDS = new Uint8Array(256);
for (const letter of `${LETTERS}${LETTERS.toLowerCase()}`) KINDS[letter.charCodeAt(0)] = LETTER;
for (const letter of "0123456789abcdefABCDEFxXoh") KINDS[letter.charCodeAt(0)] = NUMERIC;

/** Numbers with more characters than this between them are not a list. */
const MAX_GAP = 100;

/**
 * Decodes bytes written as a list of numbers (decimal, hexadecimal, octal), whatever separates
 * them.
 */
export class NumberReader implements Sink {
  readonly matchers: readonly [SecretMatcher, SecretMatcher, SecretMatcher];
  #word = "";
  #start = offsetAt(0);
  #end = offsetAt(0);
  #gap = 0;
  /** Whether the current word has a letter that no number has. */
  #isWord = false;

  constructor(matcher: () => SecretMatcher) {
    this.matchers = [matcher(), matcher(), matcher()];
  }

  push(byte: number, start: StreamOffset, end: StreamOffset): void {
    const kind = KINDS[byte];
    if (kind === LETTER) {
      this.#isWord = true;
      return;
    }
    if (kind === NUMERIC) {
      if (this.#word === "") this.#start = start;
      // A longer word is not a byte's number, however it continues.
      if (this.#word.length < 9) this.#word += String.fromCharCode(byte);
      this.#end = end;
      return;
    }
    this.close();
    if (++this.#gap > MAX_GAP) for (const matcher of this.matchers) matcher.reset();
  }

  /** Ends a pending number: at a separator, or at the stream's end. */
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
