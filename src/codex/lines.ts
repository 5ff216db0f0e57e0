/**
 * Cuts a byte stream into lines of text, however it was split on its way.
 *
 * SECURITY: any program inside the sandbox can write to this stream. A line over the bound is
 * dropped up to its end, so that it costs memory once and the lines after it still count.
 */
export class LineDecoder {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Returns the lines that are whole with this chunk, without their ends; null for a dropped one. */
  push(chunk: Buffer): (string | null)[] {
    const lines: (string | null)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#add(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  #add(part: Buffer): void {
    if (this.#skipping || part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      this.#skipping = true;
      this.#chunks = [];
    } else this.#chunks.push(part);
  }

  #take(): string | null {
    const line = this.#skipping ? null : Buffer.concat(this.#chunks).toString("utf8");
    this.#chunks = [];
    this.#bytes = 0;
    this.#skipping = false;
    return line?.endsWith("\r") ? line.slice(0, -1) : line;
  }
}
