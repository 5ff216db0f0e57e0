import { Duplex, type Readable, type Writable } from "node:stream";
import { encodeCredit, encodeFrame, FrameDecoder, FrameType, WINDOW_BYTES } from "./frame.ts";

/** Streams at a time; codex needs a few, package managers some dozens. */
const MAX_STREAMS = 256;

/** What a multiplexer tells its owner. */
export type MuxHandlers = {
  readonly onHello: (payload: Buffer) => void;
  /** A connection for a service; the handler owns the stream. */
  readonly onStream: (service: number, stream: Duplex) => void;
  /** Called once; every stream has been destroyed by then. */
  readonly onClosed: (reason: string) => void;
};

/**
 * Carries the relay's connections over one pair of byte streams, with credit for each of them, so
 * that a slow one neither fills memory nor holds up the others.
 *
 * SECURITY: every frame may be forged. A frame for an unknown stream is dropped, because streams
 * end from both sides; whatever breaks the protocol itself ends the whole link.
 */
export class Mux {
  readonly #readable: Readable;
  readonly #writable: Writable;
  readonly #handlers: MuxHandlers;
  readonly #decoder = new FrameDecoder();
  readonly #streams = new Map<number, MuxStream>();
  #closed = false;

  constructor(readable: Readable, writable: Writable, handlers: MuxHandlers) {
    this.#readable = readable;
    this.#writable = writable;
    this.#handlers = handlers;
    readable.on("data", (chunk: Buffer) => this.#receive(chunk));
    readable.on("end", () => this.close("the relay ended"));
    readable.on("close", () => this.close("the relay ended"));
    readable.on("error", (error) => this.close(`reading from the relay: ${error.message}`));
    writable.on("error", (error) => this.close(`writing to the relay: ${error.message}`));
    writable.on("close", () => this.close("the relay ended"));
  }

  /** Ends the link and everything on it; idempotent, the first reason is told. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#writable.end();
    this.#readable.destroy();
    this.#handlers.onClosed(reason);
  }

  /** Sends a frame; `done` is called when the pipe has taken it, which is its backpressure. */
  send(type: FrameType, stream: number, payload?: Uint8Array, done?: () => void): void {
    if (this.#closed || !this.#writable.writable) {
      done?.();
      return;
    }
    this.#writable.write(encodeFrame(type, stream, payload), () => done?.());
  }

  /** Forgets a stream that has ended. */
  forget(id: number): void {
    this.#streams.delete(id);
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    const frames = this.#decoder.push(chunk);
    if (frames === undefined) {
      this.close("the relay sent a frame over the size limit");
      return;
    }
    for (const { type, stream, payload } of frames) {
      if (this.#closed) return;
      if (type === FrameType.hello && stream === 0) this.#handlers.onHello(payload);
      else if (type === FrameType.open) this.#open(stream, payload);
      else this.#deliver(type, this.#streams.get(stream), payload);
    }
  }

  #open(id: number, payload: Buffer): void {
    const service = payload.length === 1 ? payload.readUInt8(0) : 0;
    if (id === 0 || service === 0 || this.#streams.has(id)) {
      this.close("the relay opened a stream wrongly");
      return;
    }
    if (this.#streams.size >= MAX_STREAMS) {
      this.send(FrameType.reset, id);
      return;
    }
    const stream = new MuxStream(id, this);
    this.#streams.set(id, stream);
    this.#handlers.onStream(service, stream as Duplex);
  }

  #deliver(type: number, stream: MuxStream | undefined, payload: Buffer): void {
    switch (type) {
      case FrameType.data:
        if (stream?.accept(payload) === false)
          this.close("the relay sent more than it was granted");
        break;
      case FrameType.end:
        stream?.acceptEnd();
        break;
      case FrameType.reset:
        stream?.destroy();
        break;
      case FrameType.window:
        if (payload.length === 4) stream?.grant(payload.readUInt32BE(0));
        else this.close("the relay granted credit wrongly");
        break;
      default:
        this.close(`the relay sent a frame of unknown type ${type}`);
    }
  }
}

/** One connection from inside, as a socket-like stream. */
class MuxStream extends Duplex {
  readonly #id: number;
  readonly #mux: Mux;
  /** Bytes that the other side may still send; what exceeds it is an attack on memory. */
  #granted = WINDOW_BYTES;
  /** Bytes that the reader has taken and that were not granted anew. */
  #owed = 0;
  readonly #inbox: Buffer[] = [];
  #wanted = false;
  /** Bytes that the other side still takes. */
  #credit = WINDOW_BYTES;
  #pending: { readonly chunk: Buffer; readonly done: () => void } | undefined;
  #endTaken = false;

  constructor(id: number, mux: Mux) {
    super({ allowHalfOpen: true });
    this.#id = id;
    this.#mux = mux;
    this.on("error", () => {});
  }

  /** Data from inside; false where it is more than was granted. */
  accept(payload: Buffer): boolean {
    if (payload.length > this.#granted || this.#endTaken) return false;
    this.#granted -= payload.length;
    if (payload.length > 0) this.#inbox.push(payload);
    this.#feed();
    return true;
  }

  acceptEnd(): void {
    if (this.#endTaken) return;
    this.#endTaken = true;
    this.#feed();
  }

  grant(bytes: number): void {
    // A forged grant cannot take more than everything; the bound keeps the number exact.
    this.#credit = Math.min(this.#credit + bytes, 2 ** 31);
    this.#flush();
  }

  override _read(): void {
    this.#wanted = true;
    this.#feed();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#pending = { chunk, done };
    this.#flush();
  }

  override _final(done: () => void): void {
    this.#mux.send(FrameType.end, this.#id, undefined, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded || !this.writableFinished) this.#mux.send(FrameType.reset, this.#id);
    this.#mux.forget(this.#id);
    this.#pending?.done();
    this.#pending = undefined;
    done(error);
  }

  #flush(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#credit === 0) return;
    const part = pending.chunk.subarray(0, Math.min(this.#credit, 32 * 1024));
    this.#credit -= part.length;
    const rest = pending.chunk.subarray(part.length);
    this.#pending = undefined;
    this.#mux.send(FrameType.data, this.#id, part, () => {
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
    if (this.#inbox.length === 0 && this.#endTaken && !this.destroyed) this.push(null);
    if (this.#owed < WINDOW_BYTES / 4 || this.#endTaken) return;
    this.#granted += this.#owed;
    this.#mux.send(FrameType.window, this.#id, encodeCredit(this.#owed));
    this.#owed = 0;
  }
}
