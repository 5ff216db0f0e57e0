import type { SecretAutomaton } from "./secret-automaton.ts";
import {
  BitReader,
  ENCODINGS,
  NumberReader,
  type SecretMatch,
  SecretMatcher,
  type Sink,
} from "./secret-readings.ts";
import { OPENING, Unescaper } from "./unescape.ts";

/** How often a text may be spelled otherwise within itself, as JSON in JSON is. */
const MAX_NESTING = 3;
/**
 * How many bytes of a secret an encoded text must have until it is held back. Any text is the
 * encoding of something, so that a few are met by chance at every moment; three bytes tell nothing.
 */
const MIN_ENCODED_BYTES = 4;

/**
 * Reads a stream in every way in which a secret may be written in it, all at once: as it is, with its
 * characters spelled otherwise, and in base64, base32, hexadecimal or lists of numbers. Takes time
 * in proportion to the stream, and memory in proportion to the secrets.
 */
export class SecretScanner {
  /** At the end of each step of spelling, the last one first. */
  readonly #texts: readonly SecretMatcher[];
  /** The first one first. */
  readonly #unescapers: readonly Unescaper[];
  /** What reads the text when every spelling in it is undone. */
  readonly #last: readonly Sink[];
  readonly #encoded: readonly SecretMatcher[];
  readonly #numbers: NumberReader;
  readonly #raw: SecretMatcher;
  #found: SecretMatch[] = [];
  #read = 0;

  constructor(automaton: SecretAutomaton) {
    const matcher = () => new SecretMatcher(automaton, (found) => this.#found.push(found));
    const bits = ENCODINGS.map((encoding) => new BitReader(encoding, matcher));
    this.#numbers = new NumberReader(matcher);
    this.#raw = matcher();
    const plain = matcher();
    this.#last = [plain, ...bits, this.#numbers];
    const texts = [plain];
    const unescapers: Unescaper[] = [new Unescaper(new Fork(this.#last))];
    for (let depth = 1; depth < MAX_NESTING; depth++) {
      const next = unescapers[0] as Unescaper;
      // What a secret itself has is undone with the rest.
      const text = automaton.hasSpellings ? [matcher()] : [];
      texts.push(...text);
      unescapers.unshift(new Unescaper(new Fork([...text, next])));
    }
    this.#texts = [...texts, this.#raw];
    this.#unescapers = unescapers;
    this.#encoded = [...bits.flatMap((it) => it.matchers), ...this.#numbers.matchers];
  }

  /** How many bytes have been read. */
  get read(): number {
    return this.#read;
  }

  push(bytes: Uint8Array): void {
    const [first] = this.#unescapers;
    // Nothing is undone in most of a text; then it is read as it is at once.
    const isShort = this.#texts.length === 2;
    for (const byte of bytes) {
      const at = this.#read++;
      this.#raw.push(byte, at, at + 1);
      if (isShort && OPENING[byte] === 0 && !this.#unescapers.some(isOpen))
        for (const sink of this.#last) sink.push(byte, at, at + 1);
      else first?.push(byte, at, at + 1);
    }
  }

  /** The secrets that were found since the last time, in order and without overlaps. */
  take(): SecretMatch[] {
    const sorted = this.#found.sort((a, b) => a.start - b.start);
    this.#found = [];
    const merged: SecretMatch[] = [];
    for (const found of sorted) {
      const last = merged.at(-1);
      if (last !== undefined && found.start <= last.end)
        merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, found.end) };
      else merged.push(found);
    }
    return merged;
  }

  /** From where on the stream may be the beginning of a secret; a text's `least` bytes of it. */
  pendingStart(least = 1): number {
    return Math.min(
      this.#read,
      ...this.#texts.map((it) => it.pendingStart(least)),
      ...this.#encoded.map((it) => it.pendingStart(Math.max(least, MIN_ENCODED_BYTES))),
      ...(least === 1 ? this.#unescapers.map((it) => it.pendingStart) : []),
    );
  }

  /** From where on it is the better part of a secret, of `least` bytes or more; at the end. */
  partialStart(least: number): number {
    this.#numbers.close();
    return Math.min(
      this.#read,
      ...[...this.#texts, ...this.#encoded].map((it) => it.partialStart(least)),
    );
  }
}

/** Hands a byte on to several. */
class Fork implements Sink {
  readonly #sinks: readonly Sink[];

  constructor(sinks: readonly Sink[]) {
    this.#sinks = sinks;
  }

  push(byte: number, start: number, end: number): void {
    for (const sink of this.#sinks) sink.push(byte, start, end);
  }
}

function isOpen(unescaper: Unescaper): boolean {
  return unescaper.isOpen;
}
