import { copied } from "./control-characters.ts";

/** Strings up to this long are kept in any case: ids, names and words for a status. */
const shortChars = 1000;
/** What a value in a list or an object counts, besides its characters. */
const perValue = 8;
/** Deeper values are left out: nothing that is shown lies there. */
const maxDepth = 64;

/** A value that was cut to a size, how many characters of it that took, and what it still counts. */
export type Bounded<T> = { readonly value: T; readonly omitted: number; readonly size: number };

/**
 * `value` as it is, or where it holds more than `maxChars` characters a copy in which its long strings
 * are cut and its lists end early. Costs no more than the value is large.
 *
 * SECURITY: messages from the sandbox may be 64 MiB long, and what is kept of them is kept for long.
 */
export function bounded<T>(value: T, maxChars: number): Bounded<T> {
  const size = measure(value, maxChars, 0);
  if (size <= maxChars) return { value, omitted: 0, size };
  const cutter: Cutter = { room: maxChars, left: 0 };
  return { value: cutValue(value, cutter, 0) as T, omitted: cutter.left, size: maxChars };
}

/** How large a value is; anything above `enough` where it is larger than that. */
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
    // The fields of a form are few; an object with more of them is not of any form.
    if (cutter.room <= 0 && entries.length >= 100) break;
    entries.push([key, cutValue(each, cutter, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function cutString(text: string, room: number): string {
  return copied(text.slice(0, Math.max(shortChars, room)));
}
