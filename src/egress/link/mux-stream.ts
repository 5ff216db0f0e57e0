import { Duplex } from "node:stream";
import { encodeCredit, FrameType, MAX_PAYLOAD_BYTES, WINDOW_BYTES } from "./frame.ts";

/** What a stream needs of the link that carries it. */
export type Link = {
  readonly send: (type: FrameType, stream: number, payload?: Uint8Array, done?: () => void) => void;
  readonly forget: (id: number) => void;
};

/** Pieces that wait for a reader before they are joined into one. */
const MAX_PIECES = 256;
/** How long the other side may go on sending to a connection that has had its answer. */
const LINGER_MS = 2_000;
/** How long it may take to read the last that was written, which is no more than a window. */
const FLUSH_MS = 60_000;

/**
 * One connection from inside, as a socket-like stream.
 *
 * SECURITY: what waits for a reader is bounded in bytes by the window. Bounded as well is what a
 * byte costs: pieces that would keep a much larger chunk alive are copied, many small ones joined.
 */
export class MuxStream extends Duplex {
  readonly #id: number;
  readonly #link: Link;
  /** Bytes that the other side may still send; what exceeds it is an attack on memory. */
  #granted = WINDOW_BYTES;
  /** Bytes that the reader has taken and that were not granted anew. */
  #owed = 0;
  #inbox: Buffer[] = [];
  #wanted = false;
  /** Bytes that the other side still takes. */
  #credit = WINDOW_BYTES;
  #pending: { readonly chunk: Buffer; readonly done: () => void } | undefined;
  #endReceived = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(id: number, link: Link) {
    // The inbox buffers what is read, and joins it; a second buffer here would not.
    super({
      allowHalfOpen: true,
      readableHighWaterMark: 1,
      writableHighWaterMark: MAX_PAYLOAD_BYTES,
    });
    this.#id = id;
    this.#link = link;
    this.on("error", () => {});
  }

  /** Takes data from inside; false where it is more than was granted, or comes after the end. */
  accept(payload: Buffer): boolean {
    if (payload.length > this.#granted || this.#endReceived) return false;
    this.#granted -= payload.length;
    if (payload.length > 0) this.#keep(payload);
    this.#feed();
    return true;
  }

  /** The other side will send no more. */
  acceptEnd(): void {
    if (this.#endReceived) return;
    this.#endReceived = true;
    this.#feed();
  }

  /** The other side takes so many bytes more. */
  grant(bytes: number): void {
    // A forged grant cannot take more than everything; the bound keeps the number exact.
    this.#credit = Math.min(this.#credit + bytes, 2 ** 31);
    this.#flush();
  }

  /**
   * Ends as a socket does that has nothing more to say: what was written is sent, what still comes
   * is thrown away for a moment, so that the other side reads the answer before the connection goes.
   */
  destroySoon(): void {
    if (this.destroyed || this.#linger !== undefined) return;
    this.#destroyAfter(FLUSH_MS);
    if (this.writableFinished) this.#destroyAfter(LINGER_MS);
    else this.once("finish", () => this.#destroyAfter(LINGER_MS));
    if (!this.writableEnded) this.end();
    this.resume();
  }

  override _read(): void {
    this.#wanted = true;
    this.#feed();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#pending = { chunk, done };
    this.#flush();
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#pending = { chunk: Buffer.concat(chunks.map(({ chunk }) => chunk)), done };
    this.#flush();
  }

  override _final(done: () => void): void {
    this.#link.send(FrameType.end, this.#id, undefined, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#linger);
    if (!this.#endReceived || !this.writableFinished) this.#link.send(FrameType.reset, this.#id);
    this.#link.forget(this.#id);
    this.#inbox = [];
    this.#pending?.done();
    this.#pending = undefined;
    done(error);
  }

  #destroyAfter(ms: number): void {
    clearTimeout(this.#linger);
    if (!this.destroyed) this.#linger = setTimeout(() => this.destroy(), ms).unref();
  }

  #keep(payload: Buffer): void {
    const isWasteful = payload.buffer.byteLength > 2 * payload.length;
    const own = isWasteful ? Buffer.allocUnsafeSlow(payload.length) : payload;
    if (isWasteful) own.set(payload);
    this.#inbox.push(own);
    if (this.#inbox.length > MAX_PIECES) this.#inbox = [Buffer.concat(this.#inbox)];
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#credit === 0) return;
    const part = pending.chunk.subarray(0, Math.min(this.#credit, MAX_PAYLOAD_BYTES));
    this.#credit -= part.length;
    const rest = pending.chunk.subarray(part.length);
    this.#pending = undefined;
    this.#link.send(FrameType.data, this.#id, part, () => {
      if (rest.length === 0 || this.destroyed) return pending.done();
      this.#pending = { chunk: rest, done: pending.done };
      this.#flush();
    });
  }

  /** Hands the reader as much as it wants, and grants that much anew in few frames. */
  #feed(): void {
    while (this.#wanted && !this.destroyed) {
      const chunk = this.#inbox.shift();
      if (chunk === undefined) break;
      this.#owed += chunk.length;
      this.#wanted = this.push(chunk);
    }
    if (this.#inbox.length === 0 && this.#endReceived && !this.destroyed) this.push(null);
    if (this.#owed < WINDOW_BYTES / 4 || this.#endReceived || this.destroyed) return;
    this.#granted += this.#owed;
    this.#link.send(FrameType.window, this.#id, encodeCredit(this.#owed));
    this.#owed = 0;
  }
}
