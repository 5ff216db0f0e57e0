import { Backlog } from "./backlog.ts";
import type { Edit } from "./edits.ts";

/**
 * Gives fewer edits with the same effect: what follows on a block's content is merged into what
 * came before, of several marks the last one counts, and a block that is made and removed is
 * never made.
 */
export function coalesce(edits: readonly Edit[]): Edit[] {
  const backlog = new Backlog();
  for (const edit of edits) backlog.push(edit);
  return backlog.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
}
