import { cutAt, visible } from "./visible.ts";

/** Longest line of output that is shown whole, in UTF-16 units. */
export const maxLineChars = 2000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control
const COLOURS = /\u001b\[[0-9;:]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control
const ERASE = /^\u001b\[([012]?)K/;

/**
 * Gives one line of a command's output as a terminal would leave it standing: colours stripped,
 * a progress bar (`\r`) in its final state, every other control shown, and cut when very long.
 *
 * SECURITY: `raw` is whatever a program in the sandbox printed. It holds no `\n`.
 */
export function terminalLine(raw: string): string {
  const plain = raw.replace(COLOURS, "").replace(/\r+$/, "");
  const shown = visible(plain.includes("\r") ? overwritten(plain) : plain);
  if (shown.length <= maxLineChars) return shown;
  const head = cutAt(shown, maxLineChars);
  return `${head} … ${(shown.length - head.length).toLocaleString("en-US")} more characters`;
}

/** Plays carriage returns: what follows one overwrites the line from its first column. */
function overwritten(line: string): string {
  let cells: string[] = [];
  for (const [index, segment] of line.split("\r").entries()) {
    let column = 0;
    let rest = segment;
    while (rest !== "") {
      // Erasing is played only where a return came before: else it has nothing to clean.
      const erase = index > 0 ? ERASE.exec(rest) : null;
      if (erase !== null) {
        cells =
          erase[1] === "2" ? cells.fill(" ") : erase[1] === "1" ? cells : cells.slice(0, column);
        rest = rest.slice(erase[0].length);
        continue;
      }
      const char = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      while (cells.length < column) cells.push(" ");
      cells[column] = char;
      column += 1;
      rest = rest.slice(char.length);
    }
  }
  return cells.join("").trimEnd();
}
