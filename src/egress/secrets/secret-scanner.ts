import type { SecretAutomaton } from "./secret-automaton.ts";
import {
  BitReader,
  ENCODINGS,
  NumberReader,
  type SecretMatch,
  SecretMatcher,
  type Sink,
} from "./secret-readings.ts";
import { firstOf, lastOf, offsetAt, type StreamOffset } from "./stream-offset.ts";
import { OPENING, Unescaper } from "./unescape.ts";

/** How many levels of escaping are undone, as for JSON within JSON. */
const MAX_NESTING = 3;
/**
 * An encoded text is held back from this many bytes of a secret on. Any text decodes to something,
 * so that a few bytes match by chance all the time, and three bytes reveal nothing.
 */
const MIN_ENCODED_BYTES = 4;

/**
 * Decodes a stream in all supported ways at once and finds the secrets in it: verbatim, with
 * escaped characters, and in base64, base32, hexadecimal or lists of numbers. Time is proportional
 * to the stream, memory to the secrets.
 */
export class SecretScanner {
  /** The matchers after each level of unescaping, the last level first. */
  readonly #texts: readonly SecretMatcher[];
  /** The first level first. */
  readonly #unescapers: readonly Unescaper[];
  /** The readers of the fully unescaped text. */
  readonly #last: readonly Sink[];
  readonly #encoded: readonly SecretMatcher[];
  readonly #numbers: NumberReader;
  readonly #raw: SecretMatcher;
  #found: SecretMatch[] = [];
  #read = offsetAt(0);

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
      // A secret with escape characters would be unescaped too, so each level is matched.
      const text = automaton.hasSpellings ? [matcher()] : [];
      texts.push(...text);
      unescapers.unshift(new Unescaper(new Fork([...text, next])));
    }
    this.#texts = [...texts, this.#raw];
    this.#unescapers = unescapers;
    this.#encoded = [...bits.flatMap((reader) => reader.matchers), ...this.#numbers.matchers];
  }

  /** The offset up to which the stream has been read. */
  get read(): StreamOffset {
    return this.#read;
  }

  push(bytes: Uint8Array): void {
    const [first] = this.#unescapers;
    // Fast path: most bytes need no unescaping.
    const isShort = this.#texts.length === 2;
    for (const byte of bytes) {
      const at = this.#read;
      const end = offsetAt(at + 1);
      this.#read = end;
      this.#raw.push(byte, at, end);
      if (isShort && OPENING[byte] === 0 && !this.#unescapers.some(isOpen))
        for (const sink of this.#last) sink.push(byte, at, end);
      else first?.push(byte, at, end);
    }
  }

  /** The secrets found since the last call, in order and merged where they overlap. */
  take(): SecretMatch[] {
    const sorted = this.#found.sort((a, b) => a.start - b.start);
    this.#found = [];
    const merged: SecretMatch[] = [];
    for (const found of sorted) {
      const last = merged.at(-1);
      if (last !== undefined && found.start <= last.end)
        merged[merged.length - 1] = { start: last.start, end: lastOf(last.end, found.end) };
      else merged.push(found);
    }
    return merged;
  }

  /** The offset of the first pending secret of which at least `least` bytes have come. */
  pendingStart(least = 1): StreamOffset {
    return firstOf(
      this.#read,
      ...this.#texts.map((text) => text.pendingStart(least)),
      ...this.#encoded.map((matcher) => matcher.pendingStart(Math.max(least, MIN_ENCODED_BYTES))),
      ...(least === 1 ? this.#unescapers.map((unescaper) => unescaper.pendingStart) : []),
    );
  }

  /** At the stream's end: the offset of the larger part of a secret, of at least `least` bytes. */
  partialStart(least: number): StreamOffset {
    this.#numbers.close();
    return firstOf(
      this.#read,
      ...[...this.#texts, ...this.#encoded].map((matcher) => matcher.partialStart(least)),
    );
  }
}

/** Passes each byte to several sinks. */
class Fork implements Sink {
  readonly #sinks: readonly Sink[];

  constructor(sinks: readonly Sink[]) {
    this.#sinks = sinks;
  }

  push(byte: number, start: StreamOffset, end: StreamOffset): void {
    for (const sink of this.#sinks) sink.push(byte, start, end);
  }
}

function isOpen(unescaper: Unescaper): boolean {
  return unescaper.isOpen;
}
