import { copied, cutAt } from "./control-characters.ts";
import { countOf } from "./fences.ts";
import { maxTextChars, maxTextLines } from "./limits.ts";

/** The size of a text so far: characters and line ends. */
export type Extent = { readonly chars: number; readonly lines: number };

/** The extent of an empty text. */
export const noExtent: Extent = { chars: 0, lines: 0 };

/**
 * The part of `piece` that still fits into a text of this extent, and the new extent. How a text is
 * split into pieces makes no difference.
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

/** The line that says how much of a text was left out. */
export function omittedLine(chars: number): string {
  return `… ${countOf(chars, "more character")} of this left out …`;
}
