declare const brand: unique symbol;

/**
 * A byte offset from the beginning of a stream. SECURITY: branded, because an index into a buffer, a
 * length or the byte itself in its place would leave a part of a secret in.
 */
export type StreamOffset = number & { readonly [brand]: "offset in the stream" };

/** An offset that nothing reaches. */
export const NOWHERE = Number.POSITIVE_INFINITY as StreamOffset;

/** The offset that is `bytes` after the beginning of the stream. */
export function offsetAt(bytes: number): StreamOffset {
  return bytes as StreamOffset;
}

/** The first of some offsets. */
export function firstOf(...offsets: readonly StreamOffset[]): StreamOffset {
  return Math.min(...offsets) as StreamOffset;
}

/** The last of some offsets. */
export function lastOf(...offsets: readonly StreamOffset[]): StreamOffset {
  return Math.max(...offsets) as StreamOffset;
}
