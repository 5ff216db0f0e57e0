/**
 * The result of anything that can fail in ordinary use: a value, never an exception. Each folder under
 * `src/` has its own union of errors; bugs still throw.
 */

/** Either a value or a typed error; told apart by `ok`. */
export type Result<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** Wraps a value as a success. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T };
/** The success of something that yields nothing. */
export function ok(): { readonly ok: true; readonly value: undefined };
export function ok<T>(value?: T): { readonly ok: true; readonly value: T | undefined } {
  return { ok: true, value };
}

/** Wraps an error as a failure. */
export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}
