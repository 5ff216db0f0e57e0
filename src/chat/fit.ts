import { copied, cutAt } from "./control-characters.ts";
import { countOf } from "./fences.ts";
import { maxTextChars, maxTextLines } from "./limits.ts";

/** How much of a text has come already: characters and line ends. */
export type Extent = { readonly chars: number; readonly lines: number };

/** Nothing of a text. */
export const noExtent: Extent = { chars: 0, lines: 0 };

/**
 * As much of `piece` as a text of this extent may still have, and the extent with it. How a text is
 * split into pieces changes nothing in what fits of it.
 */
export function fitting(piece: string, before: Extent): { text: string; extent: Extent } {
  let text = cutAt(piece, Math.max(0, maxTextChars - before.chars));
  let lines = before.lines;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (lines >= maxTextLines) {
      text = text.slice(0, at);
      break;
    }
    lines += 1;
  }
  if (text.length < piece.length) text = copied(text);
  return { text, extent: { chars: before.chars + text.length, lines } };
}

/** The line that stands for what was left out of a text. */
export function omittedLine(chars: number): string {
  return `… ${countOf(chars, "more character")} of this left out …`;
}
