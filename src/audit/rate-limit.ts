import type { AuditEvent } from "./entry.ts";

/** How much of each kind is recorded per minute: some 200 commands of usual length. */
export const PER_MINUTE = { lines: 200, bytes: 64 * 1024 } as const;

const MINUTE_MS = 60_000;

/** How many lines of one kind were left out. */
export type LeftOut = { readonly event: AuditEvent; readonly lines: number };

type Used = { lines: number; bytes: number; leftOut: number };

/**
 * Limits how much is recorded per minute, for each kind separately.
 *
 * SECURITY: a program inside may forge any number of commands and cause any number of refusals. It
 * must not be able to fill the disk, or to push out earlier entries by rotating the log; and a
 * flood of one kind must leave room for the others.
 */
export class RateLimit {
  readonly #used = new Map<AuditEvent, Used>();
  #minute = Number.NEGATIVE_INFINITY;

  /** Takes room for a line of this many bytes; false if there is none. */
  admits(event: AuditEvent, bytes: number): boolean {
    const used = this.#used.get(event) ?? { lines: 0, bytes: 0, leftOut: 0 };
    this.#used.set(event, used);
    if (used.lines >= PER_MINUTE.lines || used.bytes + bytes > PER_MINUTE.bytes) {
      used.leftOut++;
      return false;
    }
    used.lines++;
    used.bytes += bytes;
    return true;
  }

  /** Whether this kind has no room left; if so, counts one more line as left out. */
  refuses(event: AuditEvent): boolean {
    const used = this.#used.get(event);
    if (used === undefined || used.leftOut === 0) return false;
    used.leftOut++;
    return true;
  }

  /** Starts a new minute if the last one is over; returns what that one left out. */
  startMinute(nowMs: number): readonly LeftOut[] {
    if (nowMs - this.#minute < MINUTE_MS) return [];
    this.#minute = nowMs;
    return this.takeLeftOut();
  }

  /** Returns what was left out, and resets all counts. */
  takeLeftOut(): readonly LeftOut[] {
    const leftOut = [...this.#used].flatMap(([event, { leftOut }]) =>
      leftOut > 0 ? [{ event, lines: leftOut }] : [],
    );
    this.#used.clear();
    return leftOut;
  }
}
