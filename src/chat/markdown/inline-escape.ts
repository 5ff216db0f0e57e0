/** What became of a stretch of text on one line. */
export type Inline = {
  /** The text with raw HTML and pictures made harmless. */
  readonly text: string;
  /** Whether a run of backticks found no partner on this line: the paragraph is tangled below it. */
  readonly unpaired: boolean;
  /** Whether the rest of this line is tangled too. */
  readonly uncertain: boolean;
  /** How much of the line that is, in UTF-16 units; all of it unless it was partial. */
  readonly used: number;
};

const SPECIAL = /[\\`<!]/g;

const TAG = /^<[A-Za-z/!?]/;
const AUTOLINK = /^<(?:https?|mailto):[^\s<>]{0,2000}>/i;
const PERHAPS_AUTOLINK =
  /^<(?:h(?:t(?:t(?:ps?)?)?)?|m(?:a(?:i(?:l(?:to?)?)?)?)?|(?:https?|mailto):[^\s<>]{0,2000})$/i;

/**
 * Puts a backslash before every `<` of `line` that would begin raw HTML, and before the `!` of every
 * picture, outside of code spans.
 *
 * SECURITY: an unclosed `<details>`, `<!--` or `<textarea>` of the model would swallow what stands
 * below it in a viewer that renders HTML, and `<h2>You</h2>` would pass for a heading of ours. A
 * picture is fetched by most viewers without being asked, so its address would carry out of the
 * sandbox whatever the model puts into it; as a link it waits for the reader.
 *
 * `wasUncertain` says that a line above in the same paragraph holds a loose run of backticks: then where
 * code spans begin is not known from this line alone, and every `<` counts as text.
 * With `partial`, more of the line may come; the result is then what is certain whatever comes.
 */
export function withoutHtml(line: string, wasUncertain: boolean, partial = false): Inline {
  let text = "";
  let unpaired = false;
  let uncertain = wasUncertain;
  let index = 0;
  while (index < line.length) {
    SPECIAL.lastIndex = index;
    const next = SPECIAL.exec(line)?.index ?? line.length;
    text += line.slice(index, next);
    index = next;
    if (index === line.length) break;
    const char = line.charAt(index);
    const rest = line.slice(index);
    let taken = 1;
    if (char === "\\") {
      if (partial && rest.length === 1) break;
      taken = /^\\[!-/:-@[-`{-~]/.test(rest) ? 2 : 1;
    } else if (char === "`") {
      const run = /^`+/.exec(rest)?.[0].length ?? 1;
      const end = uncertain ? undefined : partnerOf(line, index + run, run);
      const isOpen = end === undefined && line.length <= index + run + maxSpan;
      if (partial && (isOpen ? !uncertain : end === line.length)) break;
      if (end === undefined) {
        unpaired = true;
        taken = run;
        // Where it ends beyond that, what looks like a span below may stand outside of one.
        uncertain ||= line.length > index + run + maxSpan;
      } else if (mayCrossCells(line.slice(index, end))) {
        // In a table it ends at the cell's edge, elsewhere it does not: both are possible.
        uncertain = true;
        taken = run;
      } else {
        taken = end - index;
      }
    } else if (char === "!") {
      if (partial && rest.length === 1) break;
      if (rest.charAt(1) === "[") text += "\\";
    } else if (char === "<") {
      const link = AUTOLINK.exec(rest);
      if (link !== null) {
        taken = link[0].length;
      } else if (partial && (rest.length === 1 || PERHAPS_AUTOLINK.test(rest))) {
        break;
      } else if (TAG.test(rest)) {
        text += "\\";
      }
    }
    text += line.slice(index, index + taken);
    index += taken;
  }
  return { text, unpaired, uncertain, used: index };
}

/** Longest code span on one line: what is longer is text, so that no line is held back for ever. */
const maxSpan = 4000;

/** Where the code span that a run of `length` backticks opens has ended, if it does on this line. */
function partnerOf(line: string, from: number, length: number): number | undefined {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(line); run !== null; run = runs.exec(line)) {
    if (runs.lastIndex > from + maxSpan) return undefined;
    if (run[0].length === length) return runs.lastIndex;
  }
  return undefined;
}

/** Whether a span would fall apart in a table, whose cells are cut before code spans are found. */
function mayCrossCells(span: string): boolean {
  return span.includes("|") && /<[A-Za-z/!?]|!\[/.test(span);
}
