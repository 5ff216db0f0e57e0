import { Backlog } from "./backlog.ts";
import type { Edit } from "./edits.ts";

/**
 * Returns fewer edits with the same effect: changes of a block's content are merged, only the last
 * of several marks remains, and a block that is added and removed disappears.
 */
export function coalesce(edits: readonly Edit[]): Edit[] {
  const backlog = new Backlog();
  for (const edit of edits) backlog.push(edit);
  return backlog.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
}
