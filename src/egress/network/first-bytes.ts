import type { Duplex } from "node:stream";

/**
 * Collects what a client sends while its request is being decided, so that its first bytes can be
 * checked before they go anywhere, and so that a client that leaves is noticed.
 *
 * SECURITY: bounded in bytes and in pieces; anything more waits in the connection's own window.
 */
export class FirstBytes {
  readonly #stream: Duplex;
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #pieces = 0;
  #onChange: () => void = () => {};
  readonly #gone = new AbortController();

  constructor(stream: Duplex, head: Buffer, maxBytes: number) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
    if (head.length > 0) this.#take(head);
    stream.on("data", this.#take);
    stream.once("end", this.#onGone);
    stream.once("close", this.#onGone);
  }

  /** Aborted if the client closes the connection, or its half of it, before `release`. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether more has come than is collected. */
  get isFull(): boolean {
    return this.#size > this.#maxBytes || this.#pieces > 64;
  }

  get bytes(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Called whenever more has come, and when the client is gone. */
  set onChange(callback: () => void) {
    this.#onChange = callback;
  }

  /** Leaves the paused stream to another reader. */
  release(): void {
    this.#stream.off("data", this.#take);
    this.#stream.off("end", this.#onGone);
    this.#stream.off("close", this.#onGone);
    this.#stream.pause();
    this.#onChange = () => {};
  }

  readonly #take = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#pieces++;
    if (this.isFull) this.#stream.pause();
    this.#onChange();
  };

  readonly #onGone = (): void => {
    this.#gone.abort();
    this.#onChange();
  };
}
