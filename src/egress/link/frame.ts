/**
 * The frames between relay and host: `u8 type, u32be stream, u32be length, payload`.
 * container/relay.mjs implements the other end, in plain JavaScript.
 */
export const FrameType = {
  /** JSON with the relay's ports; the first frame, on stream 0. */
  hello: 1,
  /** A connection was accepted; the payload is one byte, the service that it is for. */
  open: 2,
  data: 3,
  /** The sender will send no more data on this stream. */
  end: 4,
  /** The stream is over in both directions, without a clean end. */
  reset: 5,
  /** Grants the receiver of this frame u32be further bytes of data. */
  window: 6,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** A frame as received; `type` may be any byte. */
export type Frame = { readonly type: number; readonly stream: number; readonly payload: Buffer };

export const HEADER_BYTES = 9;
/** The longest payload; a longer one is an attack and closes the link. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** How much a sender may have in flight on a stream before the receiver grants more. */
export const WINDOW_BYTES = 256 * 1024;

/** Encodes a frame. */
export function encodeFrame(type: FrameType, stream: number, payload?: Uint8Array): Buffer {
  const length = payload?.length ?? 0;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(stream, 1);
  frame.writeUInt32BE(length, 5);
  if (payload !== undefined) frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Encodes the payload of a `window` frame. */
export function encodeCredit(bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return payload;
}

/** Chunks that may wait before they are joined; bounds the cost of single bytes. */
const MAX_PIECES = 1024;

/**
 * Cuts a byte stream into frames, however the stream was split.
 *
 * SECURITY: the input is written by a program inside the sandbox. The buffer never holds more than
 * one frame and one chunk, because a length over the bound is refused at once. A frame that comes
 * byte by byte is joined a few times, not once per byte.
 */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must have arrived before the next frame, or its header, can be read. */
  #needed = HEADER_BYTES;

  /** Returns the frames that this chunk completes, or undefined if the stream is malformed. */
  push(chunk: Buffer): Frame[] | undefined {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#chunks.length > MAX_PIECES) this.#chunks = [this.#joined()];
    const frames: Frame[] = [];
    if (this.#bytes < this.#needed) return frames;
    let buffer = this.#joined();
    this.#needed = HEADER_BYTES;
    while (buffer.length >= HEADER_BYTES) {
      const length = buffer.readUInt32BE(5);
      if (length > MAX_PAYLOAD_BYTES) return undefined;
      const end = HEADER_BYTES + length;
      if (buffer.length < end) {
        this.#needed = end;
        break;
      }
      frames.push({
        type: buffer.readUInt8(0),
        stream: buffer.readUInt32BE(1),
        payload: buffer.subarray(HEADER_BYTES, end),
      });
      buffer = buffer.subarray(end);
    }
    this.#chunks = buffer.length === 0 ? [] : [buffer];
    this.#bytes = buffer.length;
    return frames;
  }

  #joined(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
  }
}
