import { Duplex } from "node:stream";
import { encodeCredit, FrameType, MAX_PAYLOAD_BYTES, WINDOW_BYTES } from "./frame.ts";

/** What a stream needs from the link that carries it. */
export type Link = {
  readonly send: (type: FrameType, stream: number, payload?: Uint8Array, done?: () => void) => void;
  readonly forget: (id: number) => void;
};

/** Chunks that may wait for a reader before they are joined. */
const MAX_PIECES = 256;
/** How long the other side may keep sending on a connection that has been answered. */
const LINGER_MS = 2_000;
/** How long the other side may take to read the last bytes, at most one window. */
const FLUSH_MS = 60_000;

/**
 * One connection from inside, as a socket-like stream.
 *
 * SECURITY: the window bounds how many bytes wait for a reader. The memory per byte is bounded as
 * well: a piece that would keep a much larger chunk alive is copied, and many small ones are
 * joined.
 */
export class MuxStream extends Duplex {
  readonly #id: number;
  readonly #link: Link;
  /** Bytes that the other side may still send; more than that is an attack on memory. */
  #granted = WINDOW_BYTES;
  /** Bytes that the reader has taken and that have not been granted again. */
  #owed = 0;
  #inbox: Buffer[] = [];
  #wanted = false;
  /** Bytes that the other side still accepts. */
  #credit = WINDOW_BYTES;
  #pending: { readonly chunk: Buffer; readonly done: () => void } | undefined;
  #endReceived = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(id: number, link: Link) {
    // The inbox is the read buffer, and joins small pieces; Node's own buffer would not.
    super({
      allowHalfOpen: true,
      readableHighWaterMark: 1,
      writableHighWaterMark: MAX_PAYLOAD_BYTES,
    });
    this.#id = id;
    this.#link = link;
    this.on("error", () => {});
  }

  /** Takes data from inside; false if it exceeds what was granted, or comes after the end. */
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

  /** The other side accepts this many more bytes. */
  grant(bytes: number): void {
    // A forged grant only exposes the forger's own memory; the bound keeps the sum exact.
    this.#credit = Math.min(this.#credit + bytes, 2 ** 31);
    this.#flush();
  }

  /**
   * Ends like a socket's `destroySoon`: sends what was written and discards what still arrives for
   * a moment, so that the other side reads the response before the connection closes.
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

  /** Hands the reader as much as it wants, and grants that much again, in few frames. */
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
