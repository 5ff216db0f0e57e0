import { copied } from "./control-characters.ts";

/** Strings up to this length are always kept: ids, names and statuses. */
const shortChars = 1000;
/** What each value counts besides its characters. */
const perValue = 8;
/** Deeper values are left out: nothing there is ever shown. */
const maxDepth = 64;

/** A value cut to a size, how many characters were left out, and its remaining size. */
export type Bounded<T> = { readonly value: T; readonly omitted: number; readonly size: number };

/**
 * Returns `value`, or if it is larger than `maxChars` characters, a copy with its long strings cut
 * and its lists shortened. The cost is proportional to the value's size.
 *
 * SECURITY: messages from the sandbox may be 64 MiB long, and parts of them are kept for a long
 * time.
 */
export function bounded<T>(value: T, maxChars: number): Bounded<T> {
  const size = measure(value, maxChars, 0);
  if (size <= maxChars) return { value, omitted: 0, size };
  const cutter: Cutter = { room: maxChars, left: 0 };
  return { value: cutValue(value, cutter, 0) as T, omitted: cutter.left, size: maxChars };
}

/** The size of a value, or any number above `enough` if it is larger than that. */
function measure(value: unknown, enough: number, depth: number): number {
  if (typeof value === "string") return value.length + perValue;
  if (typeof value !== "object" || value === null) return perValue;
  if (depth >= maxDepth) return Number.POSITIVE_INFINITY;
  let sum = perValue;
  for (const each of Array.isArray(value) ? value : Object.values(value)) {
    sum += measure(each, enough - sum, depth + 1);
    if (sum > enough) return sum;
  }
  return sum;
}

type Cutter = { room: number; left: number };

function cutValue(value: unknown, cutter: Cutter, depth: number): unknown {
  cutter.room -= perValue;
  if (typeof value === "string") {
    const kept = value.length <= shortChars ? value : cutString(value, Math.max(0, cutter.room));
    cutter.room -= kept.length;
    cutter.left += value.length - kept.length;
    return kept;
  }
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) return null;
  if (Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const each of value) {
      if (cutter.room <= 0) break;
      kept.push(cutValue(each, cutter, depth + 1));
    }
    cutter.left += value.length - kept.length;
    return kept;
  }
  const entries: [string, unknown][] = [];
  for (const [key, each] of Object.entries(value)) {
    // Known message types have few fields; an object with more is not one of them.
    if (cutter.room <= 0 && entries.length >= 100) break;
    entries.push([key, cutValue(each, cutter, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function cutString(text: string, room: number): string {
  return copied(text.slice(0, Math.max(shortChars, room)));
}
