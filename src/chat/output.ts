import { counted } from "./markdown.ts";
import { withoutRole } from "./prose.ts";
import { maxLineChars, terminalLine } from "./terminal.ts";

/** Lines kept of each end of a long output: more is not read in a chat, and the file stays small. */
const maxLines = 200;
/** Characters kept of each end, so that few very long lines are held short too. */
const maxChars = 24_000;
/** Most of one raw line that is looked at: Codex itself caps an output at about 1 MiB. */
const maxRawLine = 1024 * 1024;

type Part = { readonly lines: readonly string[]; readonly chars: number };

/** A command's output so far: its beginning, which stands in the text, and its latest lines. */
export type Output = {
  readonly head: Part;
  readonly tail: Part;
  /** Lines that stand neither in `head` nor in `tail`. */
  readonly left: number;
  readonly full: boolean;
  /** The line that has not ended yet, as it came. */
  readonly partial: string;
};

const nothing: Part = { lines: [], chars: 0 };

/** Output of which nothing has come. */
export const noOutput: Output = {
  head: nothing,
  tail: nothing,
  left: 0,
  full: false,
  partial: "",
};

/**
 * Takes a piece of raw output. `head` only ever grows, and by whole lines: a progress bar is
 * settled when its line ends. How the output is split into pieces changes nothing.
 */
export function takeOutput(output: Output, piece: string): Output {
  const lines = piece.split("\n");
  let next = output;
  for (const [index, line] of lines.entries()) {
    const partial = (next.partial + line).slice(0, maxRawLine);
    if (index < lines.length - 1) next = takeLine({ ...next, partial: "" }, partial);
    else next = { ...next, partial };
  }
  return next;
}

function takeLine(output: Output, raw: string): Output {
  const line = withoutRole(terminalLine(raw));
  if (!output.full) {
    const head = { lines: [...output.head.lines, line], chars: output.head.chars + line.length };
    return { ...output, head, full: head.lines.length >= maxLines || head.chars >= maxChars };
  }
  let lines = [...output.tail.lines, line];
  let chars = output.tail.chars + line.length;
  let left = output.left;
  while (lines.length > maxLines || (chars > maxChars && lines.length > 1)) {
    chars -= lines[0]?.length ?? 0;
    lines = lines.slice(1);
    left += 1;
  }
  return { ...output, tail: { lines, chars }, left };
}

/** The lines that stand for the whole output once nothing more comes. */
export function outputLines(output: Output): string[] {
  const ended =
    output.partial === "" ? output : takeLine({ ...output, partial: "" }, output.partial);
  const gap = ended.left > 0 ? [`… ${counted(ended.left, "line")} left out …`] : [];
  return [...ended.head.lines, ...gap, ...ended.tail.lines];
}

/** The lines of an output that is there in one piece. */
export function wholeOutput(text: string): string[] {
  return outputLines(takeOutput(noOutput, text));
}

/** The latest line of the output, for a mark beside the command; empty where there is none. */
export function latestLine(output: Output, maxWidth = 60): string {
  const raw = output.partial.slice(-maxLineChars);
  const line =
    raw.trim() === "" ? (output.tail.lines.at(-1) ?? output.head.lines.at(-1)) : terminalLine(raw);
  const text = (line ?? "").trim();
  return text.length > maxWidth ? `${text.slice(0, maxWidth)} …` : text;
}
