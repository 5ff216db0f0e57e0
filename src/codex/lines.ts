/** How large a buffer is kept between lines; that of a longer line is freed with it. */
const KEPT_BYTES = 64 * 1024;

/**
 * Cuts a byte stream into lines of text, whatever chunks it arrives in.
 *
 * SECURITY: any program inside the sandbox can write to this stream, a byte at a time if it likes.
 * Parts of a line are copied into one buffer: chunks of a byte each would cost many times their
 * content. A line over the bound is dropped up to its end, so it costs memory once and the lines
 * after it still count.
 */
export class LineDecoder {
  readonly #maxBytes: number;
  #buffer: Buffer = Buffer.alloc(0);
  /** How many bytes of the buffer belong to the current line. */
  #bytes = 0;
  #skipping = false;

  /** `maxBytes` bounds one line without its end. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Returns the lines that this chunk completes, without their ends; null for a dropped one. */
  push(chunk: Buffer): (string | null)[] {
    const lines: (string | null)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      lines.push(this.#take(chunk.subarray(start, end)));
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  #add(part: Buffer): void {
    if (this.#skipping || part.length === 0) return;
    const bytes = this.#bytes + part.length;
    if (bytes > this.#maxBytes) {
      this.#skipping = true;
      this.#buffer = Buffer.alloc(0);
      return;
    }
    if (bytes > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(1024, 2 * bytes)));
      this.#buffer.copy(grown, 0, 0, this.#bytes);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#bytes);
    this.#bytes = bytes;
  }

  #take(last: Buffer): string | null {
    const line = this.#whole(last);
    this.#bytes = 0;
    this.#skipping = false;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.alloc(0);
    return line?.endsWith("\r") ? line.slice(0, -1) : line;
  }

  #whole(last: Buffer): string | null {
    if (this.#bytes === 0 && !this.#skipping)
      return last.length > this.#maxBytes ? null : last.toString("utf8");
    this.#add(last);
    return this.#skipping ? null : this.#buffer.toString("utf8", 0, this.#bytes);
  }
}
