/** A key that is shorter, or has only letters, may be an ordinary word. */
const MIN_STRONG = 16;

/**
 * Whether a secret may occur in any text by chance, like the usual keys of local servers
 * ("password", "lm-studio").
 */
export function isWeak(secret: string): boolean {
  return secret.length < MIN_STRONG || /^[A-Za-z]+$/.test(secret);
}

const PART_OF_WORD = /[\w-]/;

/**
 * Redacts weak secrets from a byte stream, but only verbatim and as whole words. In other
 * spellings, or within words, they occur by chance.
 */
export class WordRedactor {
  readonly #words: readonly string[];
  readonly #replacement: string;
  #pending = "";
  /** The character before the pending ones. */
  #before = "";

  constructor(words: readonly string[], replacement: string) {
    // Longest first, since one may be a part of another.
    this.#words = words
      .map((word) => Buffer.from(word).toString("latin1"))
      .sort((a, b) => b.length - a.length);
    this.#replacement = replacement;
  }

  /** Returns what may pass now; holds back what may begin a secret. */
  push(chunk: Buffer): Buffer {
    if (this.#words.length === 0) return chunk;
    return this.#take(this.#pending + chunk.toString("latin1"), false);
  }

  /** Returns the rest, at the stream's end. */
  end(): Buffer {
    return this.#take(this.#pending, true);
  }

  #take(text: string, isEnd: boolean): Buffer {
    let done = "";
    let from = 0;
    let at = 0;
    this.#pending = "";
    while (at < text.length) {
      const isBegin = !PART_OF_WORD.test(at === 0 ? this.#before : text.charAt(at - 1));
      const word = isBegin ? this.#words.find((each) => text.startsWith(each, at)) : undefined;
      const after = at + (word?.length ?? 0);
      if (word !== undefined && after < text.length && !PART_OF_WORD.test(text.charAt(after))) {
        done += text.slice(from, at) + this.#replacement;
        at = after;
        from = at;
      } else if (word !== undefined && after === text.length && isEnd) {
        done += text.slice(from, at) + this.#replacement;
        at = after;
        from = at;
      } else if (isBegin && !isEnd && this.#mayBegin(text, at)) {
        break;
      } else at++;
    }
    done += text.slice(from, at);
    if (at > 0) this.#before = text.charAt(at - 1);
    this.#pending = text.slice(at);
    return Buffer.from(done, "latin1");
  }

  /** Whether the rest of the text is the beginning of a secret. */
  #mayBegin(text: string, at: number): boolean {
    const rest = text.length - at;
    return this.#words.some((word) => rest <= word.length && word.startsWith(text.slice(at)));
  }
}
