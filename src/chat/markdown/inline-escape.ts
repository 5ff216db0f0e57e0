/** The result of escaping text on one line. */
export type Inline = {
  /** The text with raw HTML and pictures escaped. */
  readonly text: string;
  /**
   * Whether a run of backticks has no partner on this line, so that the next lines are uncertain.
   */
  readonly unpaired: boolean;
  /** Whether code spans in the rest of this line are uncertain too. */
  readonly uncertain: boolean;
  /** How much of the line was used, in UTF-16 units; all of it unless `partial` was given. */
  readonly used: number;
};

const SPECIAL = /[\\`<!]/g;

const TAG = /^<[A-Za-z/!?]/;
const AUTOLINK = /^<(?:https?|mailto):[^\s<>]{0,2000}>/i;
const PERHAPS_AUTOLINK =
  /^<(?:h(?:t(?:t(?:ps?)?)?)?|m(?:a(?:i(?:l(?:to?)?)?)?)?|(?:https?|mailto):[^\s<>]{0,2000})$/i;

/**
 * Puts a backslash before every `<` of `line` that would begin raw HTML, and before the `!` of
 * every picture, outside of code spans.
 *
 * SECURITY: in a viewer that renders HTML, an unclosed `<details>`, `<!--` or `<textarea>` would
 * hide the text below, and `<h2>You</h2>` would look like one of the host's headings. Most viewers
 * fetch pictures without asking, so the URL of a picture would carry data out of the sandbox; a
 * link waits for the reader.
 *
 * `wasUncertain` says that a line above in the same paragraph has an unpaired run of backticks.
 * Then this line alone does not show where code spans begin, and every `<` counts as text. With
 * `partial`, the line may continue, and the result holds whatever follows.
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
        // The span may end beyond `maxSpan`, so what follows may or may not be in a span.
        uncertain ||= line.length > index + run + maxSpan;
      } else if (mayCrossCells(line.slice(index, end))) {
        // In a table the span ends at the cell's edge, elsewhere it does not: both are possible.
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

/**
 * The longest code span on one line; a longer one counts as text, so that no line is held back
 * forever.
 */
const maxSpan = 4000;

/** The end of the code span that a run of `length` backticks opens, if it ends on this line. */
function partnerOf(line: string, from: number, length: number): number | undefined {
  const runs = /`+/g;
  runs.lastIndex = from;
  for (let run = runs.exec(line); run !== null; run = runs.exec(line)) {
    if (runs.lastIndex > from + maxSpan) return undefined;
    if (run[0].length === length) return runs.lastIndex;
  }
  return undefined;
}

/** Whether a span would be split in a table, whose cells are found before code spans. */
function mayCrossCells(span: string): boolean {
  return span.includes("|") && /<[A-Za-z/!?]|!\[/.test(span);
}
