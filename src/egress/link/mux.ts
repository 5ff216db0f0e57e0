import type { Duplex, Readable, Writable } from "node:stream";
import { encodeFrame, type Frame, FrameDecoder, FrameType } from "./frame.ts";
import { MuxStream } from "./mux-stream.ts";

/** Streams open at the same time; Codex needs a few, package managers a few dozen. */
const MAX_STREAMS = 256;
/**
 * Reading stops above this number of frames that the pipe has not taken yet. Each stream has at
 * most one data frame waiting, so only replies to a flood (resets, credit) can get there.
 */
const MAX_UNSENT = 4096;
/**
 * Streams that may be opened at once, and how many more per second. Opening one costs the host
 * about a hundred times what it costs the sender; package managers open a few dozen per second.
 */
const OPEN_BURST = 256;
const OPENS_PER_SECOND = 500;
/** How long reading pauses above that rate: long enough to allow a few dozen more. */
const OPEN_PAUSE_MS = 50;

/** The callbacks of a multiplexer. */
export type MuxHandlers = {
  readonly onHello: (payload: Buffer) => void;
  /** A connection to a service was opened; the handler owns the stream. */
  readonly onStream: (service: number, stream: Duplex) => void;
  /** Called once, after every stream has been destroyed. */
  readonly onClosed: (reason: string) => void;
};

/**
 * Carries the relay's connections over one pair of byte streams, each with its own credit, so that
 * a slow one neither fills memory nor holds up the others.
 *
 * SECURITY: every frame may be forged. A frame for an unknown stream is dropped, since either side
 * may just have ended it; anything else that breaks the protocol closes the whole link.
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
  /** Frames that wait until another stream may be opened. */
  #held: Frame[] = [];
  #pause: NodeJS.Timeout | undefined;
  #openTokens = OPEN_BURST;
  #refilledAt = performance.now();

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

  /** Closes the link and every stream on it; idempotent, the first reason counts. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#held = [];
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#writable.end();
    this.#readable.destroy();
    this.#handlers.onClosed(reason);
  }

  /** Sends a frame; `done` is called when the pipe has taken it, which provides backpressure. */
  send(type: FrameType, stream: number, payload?: Uint8Array, done?: () => void): void {
    if (this.#closed || !this.#writable.writable) {
      done?.();
      return;
    }
    // SECURITY: an honest relay always reads. One that floods the host and does not read is paused,
    // or the replies that it is owed would fill the host's memory.
    if (++this.#unsent > MAX_UNSENT) this.#readable.pause();
    this.#writable.write(encodeFrame(type, stream, payload), () => {
      this.#unsent--;
      this.#resumeReading();
      done?.();
    });
  }

  /** Removes a stream that has ended. */
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
    if (this.#pause === undefined) this.#process(frames);
    // Paused; this chunk had been read before.
    else this.#held.push(...frames);
  }

  #process(frames: readonly Frame[]): void {
    for (const [n, { type, stream, payload }] of frames.entries()) {
      if (this.#closed) return;
      if (type === FrameType.open && !this.#mayOpen()) {
        this.#hold(frames.slice(n));
        return;
      }
      if (type === FrameType.hello && stream === 0) this.#hello(payload);
      else if (type === FrameType.open) this.#open(stream, payload);
      else this.#deliver(type, this.#streams.get(stream), payload);
    }
  }

  #mayOpen(): boolean {
    const now = performance.now();
    const more = ((now - this.#refilledAt) / 1000) * OPENS_PER_SECOND;
    this.#refilledAt = now;
    this.#openTokens = Math.min(OPEN_BURST, this.#openTokens + more);
    if (this.#openTokens < 1) return false;
    this.#openTokens--;
    return true;
  }

  /**
   * SECURITY: a relay that opens streams as fast as it can would keep the host from everything
   * else. Reading pauses, which delays only that relay's own connections.
   */
  #hold(frames: readonly Frame[]): void {
    this.#readable.pause();
    this.#held = [...frames];
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#process(this.#held.splice(0));
      this.#resumeReading();
    }, OPEN_PAUSE_MS);
  }

  #resumeReading(): void {
    if (this.#pause !== undefined || this.#unsent >= MAX_UNSENT / 2) return;
    if (!this.#closed && this.#readable.isPaused()) this.#readable.resume();
  }

  /** SECURITY: a second hello is forged or pointless, and is not even parsed. */
  #hello(payload: Buffer): void {
    if (this.#greeted) return;
    this.#greeted = true;
    this.#handlers.onHello(payload);
  }

  #open(id: number, payload: Buffer): void {
    const service = payload.length === 1 ? payload.readUInt8(0) : 0;
    if (id === 0 || service === 0 || this.#streams.has(id)) {
      this.close("the relay opened a stream with a wrong number");
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
        else this.close("the relay sent malformed credit");
        break;
      default:
        this.close(`the relay sent a frame of unknown type ${type}`);
    }
  }
}
