import type { Duplex, Readable, Writable } from "node:stream";
import { encodeFrame, FrameDecoder, FrameType } from "./frame.ts";
import { MuxStream } from "./mux-stream.ts";

/** Streams at a time; codex needs a few, package managers some dozens. */
const MAX_STREAMS = 256;
/**
 * Frames that the pipe has not taken yet, above which nothing more is read. Data waits for the pipe
 * one frame a stream, so that only answers to a flood (resets, credit) come to so many.
 */
const MAX_UNSENT = 4096;

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
  #greeted = false;
  #unsent = 0;
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
    // SECURITY: an honest relay always reads; one that floods us and does not is no longer heard,
    // or what we owe it in answers would fill the host's memory.
    if (++this.#unsent > MAX_UNSENT) this.#readable.pause();
    this.#writable.write(encodeFrame(type, stream, payload), () => {
      if (--this.#unsent < MAX_UNSENT / 2 && this.#readable.isPaused()) this.#readable.resume();
      done?.();
    });
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
      if (type === FrameType.hello && stream === 0) this.#hello(payload);
      else if (type === FrameType.open) this.#open(stream, payload);
      else this.#deliver(type, this.#streams.get(stream), payload);
    }
  }

  /** SECURITY: a later hello is forged, or pointless, and is not even parsed. */
  #hello(payload: Buffer): void {
    if (this.#greeted) return;
    this.#greeted = true;
    this.#handlers.onHello(payload);
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
    this.#handlers.onStream(service, stream);
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
