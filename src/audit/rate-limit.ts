import type { AuditEvent } from "./entry.ts";

/** How much of one kind is recorded in a minute: some 200 commands of usual length. */
export const PER_MINUTE = { lines: 200, bytes: 64 * 1024 } as const;

const MINUTE_MS = 60_000;

/** What was left out of one kind. */
export type LeftOut = { readonly event: AuditEvent; readonly lines: number };

type Used = { lines: number; bytes: number; leftOut: number };

/**
 * Bounds what is recorded in a minute, each kind by itself.
 *
 * SECURITY: a program inside may forge any number of commands and cause any number of refusals. It
 * fills neither the disk nor, by having the log rotated, drives out what it did before, and a flood
 * of one kind leaves the others their room.
 */
export class RateLimit {
  readonly #used = new Map<AuditEvent, Used>();
  #minute = Number.NEGATIVE_INFINITY;

  /** Whether there is room for a line of this many bytes. */
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

  /** Whether there is no room any more for this kind; what is asked about then counts as left out. */
  refuses(event: AuditEvent): boolean {
    const used = this.#used.get(event);
    if (used === undefined || used.leftOut === 0) return false;
    used.leftOut++;
    return true;
  }

  /** Begins a new minute where one is over; gives what the last one left out. */
  startMinute(nowMs: number): readonly LeftOut[] {
    if (nowMs - this.#minute < MINUTE_MS) return [];
    this.#minute = nowMs;
    return this.takeLeftOut();
  }

  /** What was left out since it was last told; the count begins anew. */
  takeLeftOut(): readonly LeftOut[] {
    const leftOut = [...this.#used].flatMap(([event, { leftOut }]) =>
      leftOut > 0 ? [{ event, lines: leftOut }] : [],
    );
    this.#used.clear();
    return leftOut;
  }
}
