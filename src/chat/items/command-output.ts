import { copied } from "../control-characters.ts";
import { countOf } from "../fences.ts";
import { withoutRole } from "../markdown/index.ts";
import type { Output } from "../state.ts";
import { maxLineChars, terminalLine } from "./ansi.ts";

/**
 * Lines kept of each end of a long output: nobody reads more in a chat, and the file stays small.
 */
const maxLines = 200;
/** Characters kept of each end, which also bounds a few very long lines. */
const maxChars = 24_000;
/** How much of one raw line is used: Codex itself caps an output at about 1 MiB. */
const maxRawLine = 1024 * 1024;

type Part = { readonly lines: readonly string[]; readonly chars: number };
const nothing: Part = { lines: [], chars: 0 };

/**
 * Characters of raw lines that wait. What is shown of them is much less, and rendering them early
 * costs time only.
 */
const maxWaiting = 128 * 1024;

/** Empty output. */
export const noOutput: Output = {
  head: nothing,
  tail: nothing,
  waiting: { pieces: [], lines: 0, chars: 0 },
  omittedLines: 0,
  full: false,
  partial: "",
  latest: "",
};

/**
 * Adds a piece of raw output. `head` only grows, by complete lines: a progress bar is resolved when
 * its line ends. How the output is split into pieces makes no difference.
 */
export function addOutput(output: Output, piece: string): Output {
  if (piece.length > maxRawLine) {
    // In parts: a list of all lines would take many times their memory.
    let all = output;
    for (let at = 0; at < piece.length; at += maxRawLine)
      all = addOutput(all, piece.slice(at, at + maxRawLine));
    return all;
  }
  const first = piece.indexOf("\n");
  if (first === -1) return { ...output, ...extendPartial(output, piece) };
  const end = piece.lastIndexOf("\n");
  const complete = extendPartial(output, piece.slice(0, first)).partial + piece.slice(first, end);
  const last = copied(piece.slice(end + 1));
  const taken = output.full ? addWaiting(output, complete) : addLines(output, complete.split("\n"));
  return { ...taken, ...extendPartial({ partial: "", latest: "" }, last) };
}

function extendPartial(
  { partial, latest }: Pick<Output, "partial" | "latest">,
  piece: string,
): Pick<Output, "partial" | "latest"> {
  const room = maxRawLine - partial.length;
  if (room <= 0 || piece === "") return { partial, latest };
  const fresh = copied(piece.slice(0, room));
  // Only joined here: otherwise a line that comes letter by letter would cost its length each time.
  return { partial: partial + fresh, latest: (latest + fresh).slice(-maxLineChars) };
}

/**
 * Adds complete lines behind the head. Most of a long output is left out at last, so they wait as they
 * came, in one copy for each piece, until they are known to be shown.
 */
function addWaiting(output: Output, complete: string): Output {
  const { text, left } = lastLines(complete);
  const lines = newlinesIn(text) + 1;
  const pieces = [...output.waiting.pieces, { text: copied(text), lines }];
  let omittedLines = output.omittedLines + left;
  let all = output.waiting.lines + lines;
  let chars = output.waiting.chars + text.length;
  let first = 0;
  for (const piece of pieces) {
    if (all - piece.lines < maxLines) break;
    all -= piece.lines;
    chars -= piece.text.length;
    omittedLines += piece.lines;
    first += 1;
  }
  const isBehind = all >= maxLines;
  const added: Output = {
    ...output,
    tail: isBehind ? nothing : output.tail,
    waiting: { pieces: pieces.slice(first), lines: all, chars },
    omittedLines: omittedLines + (isBehind ? output.tail.lines.length : 0),
  };
  return chars > maxWaiting ? settled(added) : added;
}

/** The end of a text that can be shown, and how many lines stand before it. */
function lastLines(text: string): { readonly text: string; readonly left: number } {
  let at = text.length;
  for (let count = 0; count < maxLines; count += 1) {
    at = at === 0 ? -1 : text.lastIndexOf("\n", at - 1);
    if (at === -1) return { text, left: 0 };
  }
  return { text: text.slice(at + 1), left: newlinesIn(text.slice(0, at)) + 1 };
}

function newlinesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** The output with no lines that wait. */
function settled(output: Output): Output {
  const { waiting } = output;
  if (waiting.lines === 0) return output;
  const lines = waiting.pieces.flatMap(({ text }) => text.split("\n"));
  return addLines({ ...output, waiting: noOutput.waiting }, lines);
}

/** Adds complete lines; those that will be in neither end are only counted. */
function addLines(output: Output, raw: readonly string[]): Output {
  let { full, omittedLines } = output;
  const head = { lines: [...output.head.lines], chars: output.head.chars };
  const tail = [...output.tail.lines];
  let chars = output.tail.chars;
  let first = 0;
  for (const [index, each] of raw.entries()) {
    if (full && raw.length - index > maxLines) {
      omittedLines += 1 + tail.length - first;
      first = tail.length;
      chars = 0;
      continue;
    }
    const line = copied(withoutRole(terminalLine(each.slice(0, maxRawLine))));
    if (!full) {
      head.lines.push(line);
      head.chars += line.length;
      full = head.lines.length >= maxLines || head.chars >= maxChars;
      continue;
    }
    tail.push(line);
    chars += line.length;
    while (tail.length - first > maxLines || (chars > maxChars && tail.length - first > 1)) {
      chars -= tail[first]?.length ?? 0;
      first += 1;
      omittedLines += 1;
    }
  }
  return { ...output, head, tail: { lines: tail.slice(first), chars }, omittedLines, full };
}

/** The lines to show for the output once it is complete. */
export function outputLines(output: Output): string[] {
  const complete = settled(output);
  const ended = output.partial === "" ? complete : addLines(complete, [output.partial]);
  const gap = ended.omittedLines > 0 ? [`… ${countOf(ended.omittedLines, "line")} left out …`] : [];
  return [...ended.head.lines, ...gap, ...ended.tail.lines];
}

/** The lines to show for a complete output. */
export function wholeOutput(text: string): string[] {
  return outputLines(addOutput(noOutput, text));
}

/** The latest line of the output, for a mark beside the command; empty if there is none. */
export function latestLine(output: Output, maxWidth = 60): string {
  const raw = output.latest;
  const line = raw.trim() === "" ? lastComplete(output) : terminalLine(raw);
  const text = (line ?? "").trim();
  return text.length > maxWidth ? `${text.slice(0, maxWidth)} …` : text;
}

function lastComplete({ head, tail, waiting }: Output): string | undefined {
  const text = waiting.pieces.at(-1)?.text;
  return text === undefined
    ? (tail.lines.at(-1) ?? head.lines.at(-1))
    : withoutRole(terminalLine(text.slice(text.lastIndexOf("\n") + 1)));
}
