/**
 * The frames between relay and host: `u8 type, u32be stream, u32be length, payload`.
 * container/relay.mjs has the other half, in plain JavaScript.
 */
export const FrameType = {
  /** JSON with the relay's ports; the first frame, on stream 0. */
  hello: 1,
  /** A connection was accepted; the payload is one byte, the service it is for. */
  open: 2,
  data: 3,
  /** The sender will send no more data on this stream. */
  end: 4,
  /** The stream is over in both directions, uncleanly. */
  reset: 5,
  /** Grants the receiver of this frame u32be further bytes of data. */
  window: 6,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** A frame as it stands on the wire; `type` is any byte until it was looked at. */
export type Frame = { readonly type: number; readonly stream: number; readonly payload: Buffer };

export const HEADER_BYTES = 9;
/** The most that a frame may carry; a longer one is an attack, and ends the relay. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
/** How much may be under way on a stream before its receiver has asked for more. */
export const WINDOW_BYTES = 256 * 1024;

/** Writes a frame. */
export function encodeFrame(type: FrameType, stream: number, payload?: Uint8Array): Buffer {
  const length = payload?.length ?? 0;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(stream, 1);
  frame.writeUInt32BE(length, 5);
  if (payload !== undefined) frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Writes the payload of a `window` frame. */
export function encodeCredit(bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return payload;
}

/** Pieces that may wait before they are joined; bounds what a drip of single bytes costs. */
const MAX_PIECES = 1024;

/**
 * Cuts a byte stream into frames, however it was split on its way.
 *
 * SECURITY: what comes in was written by a program inside the sandbox. The buffer never holds more
 * than one frame and one chunk, because a length over the bound is refused before it is awaited;
 * and a frame that comes byte by byte is joined a few times, not once a byte.
 */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must be here before the next frame, or its header, can be cut off. */
  #needed = HEADER_BYTES;

  /** Returns the frames that are whole with this chunk, or undefined where the stream is no such. */
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
