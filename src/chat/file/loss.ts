import { bodyStart, hasAnswer } from "../format/marks/index.ts";

/** How much text a conversation holds: enough to notice that nearly all of it was deleted. */
export type Bulk = {
  /** Whether Codex has answered in it. */
  readonly isAnswered: boolean;
  /** Characters below the front matter. */
  readonly chars: number;
};

/** Below this, in characters, a draft may be deleted without a copy. */
const fewChars = 500;

/** Measures a text. Costs little, however long it is. */
export function bulkOf(text: string): Bulk {
  return { isAnswered: hasAnswer(text), chars: text.length - bodyStart(text) };
}

/**
 * Whether most of a conversation goes with a write: the only answers, or more than half of the text.
 * `deleted`, in characters, may be more than the texts differ by, where others came in their place.
 * Such a deletion may be a slip (`ggdG`, a formatter, a filter that failed), and after a restart
 * nothing undoes it, so the earlier text is kept.
 */
export function losesMuch(before: Bulk, after: Bulk, deleted = 0): boolean {
  if (before.isAnswered && !after.isAnswered) return true;
  const gone = Math.max(before.chars - after.chars, deleted);
  return gone >= fewChars && gone * 2 > before.chars;
}

/** How many characters of the lines of `before` are missing from `after`. Moved lines are not missing. */
export function charsMissing(before: string, after: string): number {
  const there = new Set(after.split("\n"));
  const gone = before.split("\n").filter((line) => !there.has(line));
  return gone.reduce((sum, line) => sum + line.length, 0);
}
