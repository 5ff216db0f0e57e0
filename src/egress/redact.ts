/**
 * Takes secrets out of a byte stream, also where one is split over chunks.
 *
 * SECURITY: the upstream is trusted with the key, but what it answers goes to the sandbox: an error
 * page that echoes the request's headers must not carry the key there.
 */
export class Redactor {
  readonly #secrets: readonly Buffer[];
  readonly #keep: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets
      .filter((secret) => secret.length >= MIN_SECRET)
      .map((s) => Buffer.from(s));
    this.#keep = Math.max(0, ...this.#secrets.map((secret) => secret.length - 1));
  }

  /**
   * Returns what may go on now. Held back is only what could be the beginning of a secret, so that
   * a stream of events is not delayed.
   */
  push(chunk: Buffer): Buffer {
    if (this.#secrets.length === 0) return chunk;
    const text = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const clean = this.#replace(text);
    const held = this.#partialAtEnd(clean);
    this.#held = Buffer.from(clean.subarray(clean.length - held));
    return clean.subarray(0, clean.length - held);
  }

  /** Returns the rest, at the stream's end. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  /** Redacts a whole text, such as a header's value. */
  text(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret.toString(), REDACTED);
    return clean;
  }

  #replace(text: Buffer): Buffer {
    let clean = text;
    for (const secret of this.#secrets) {
      for (let at = clean.indexOf(secret); at !== -1; at = clean.indexOf(secret, at)) {
        clean = Buffer.concat([
          clean.subarray(0, at),
          Buffer.from(REDACTED),
          clean.subarray(at + secret.length),
        ]);
      }
    }
    return clean;
  }

  /** How many bytes at the end are the beginning of a secret. */
  #partialAtEnd(text: Buffer): number {
    for (let length = Math.min(this.#keep, text.length); length > 0; length--) {
      const tail = text.subarray(text.length - length);
      if (this.#secrets.some((s) => s.length > length && s.subarray(0, length).equals(tail)))
        return length;
    }
    return 0;
  }
}

/** Shorter values are no keys, and would turn every answer into stars. */
const MIN_SECRET = 8;
const REDACTED = "[redacted]";
