import { cutLine, withFewMarks } from "../columns.ts";
import { visible } from "../control-characters.ts";

/** The longest line of output that is shown in full, in UTF-16 units. */
export const maxLineChars = 2000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control
const COLOURS = /\u001b\[[0-9;:]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control
const ERASE = /^\u001b\[([012]?)K/;

/**
 * Renders one line of a command's output in its final state on a terminal: colours are stripped, a
 * progress bar (`\r`) is resolved, other controls are made visible, and a very long line is cut.
 *
 * SECURITY: `raw` is whatever a program in the sandbox printed. It contains no `\n`.
 */
export function terminalLine(raw: string): string {
  const plain = withoutReturns(raw.replace(COLOURS, ""));
  const shown = visible(plain.includes("\r") ? overwritten(plain) : plain);
  const kept = cutLine(shown, maxLineChars);
  const head = cutLine(withFewMarks(kept).text, maxLineChars);
  if (kept.length === shown.length) return head;
  return `${head} … ${(shown.length - kept.length).toLocaleString("en-US")} more characters`;
}

/** Strips trailing `\r`. Searches from the end: a pattern would start at each `\r`. */
function withoutReturns(line: string): string {
  let end = line.length;
  while (end > 0 && line.charCodeAt(end - 1) === 13) end -= 1;
  return line.slice(0, end);
}

/** Resolves carriage returns: text after one overwrites the line from its first column. */
function overwritten(line: string): string {
  /** Characters by column; holes are blank. */
  let cells: string[] = [];
  for (const [index, segment] of line.split("\r").entries()) {
    let column = 0;
    let at = 0;
    while (at < segment.length) {
      // Erasing matters only after a `\r`: otherwise there is nothing to erase.
      const erase =
        index > 0 && segment.charCodeAt(at) === 27 ? ERASE.exec(segment.slice(at, at + 4)) : null;
      if (erase !== null) {
        if (erase[1] === "2") cells = [];
        else if (erase[1] !== "1") cells.length = Math.min(cells.length, column);
        at += erase[0].length;
        continue;
      }
      const char = String.fromCodePoint(segment.codePointAt(at) ?? 0);
      cells[column] = char;
      column += 1;
      at += char.length;
    }
  }
  return Array.from(cells, (cell) => cell ?? " ")
    .join("")
    .trimEnd();
}
