import { cutAt, visible } from "./control-characters.ts";

/** Length of the longest run of backticks in `text`. */
export function longestTicks(text: string): number {
  let longest = 0;
  for (const run of text.match(/`+/g) ?? []) longest = Math.max(longest, run.length);
  return longest;
}

/** A fence longer than `ticks`, the longest run of backticks inside it. */
export function fenceOf(ticks: number): string {
  return "`".repeat(Math.max(3, ticks + 1));
}

/** `lines` in a fence that none of them can close. */
export function fenced(lines: readonly string[], info: string): string[] {
  const fence = fenceOf(lines.reduce((longest, line) => Math.max(longest, longestTicks(line)), 0));
  return [`${fence}${info}`, ...lines, fence];
}

/**
 * `text` as a code span on one line: controls made visible, line ends as spaces, cut at `maxChars`.
 *
 * SECURITY: commands, paths, host names and tool names get into summaries only through here. A `|`
 * is kept, since summaries are never in a table.
 */
export function codeSpan(text: string, maxChars = 120): string {
  const [begin, isWhole] = beginning(text, maxChars);
  const line = visible(begin.replace(/\s+/g, joined).replaceAll("\t", " ")).trim();
  const short = line.length > maxChars || !isWhole ? `${cutAt(line, maxChars)} …` : line;
  if (short === "") return "` `";
  const ticks = longestTicks(short);
  if (ticks === 0) return `\`${short}\``;
  const fence = "`".repeat(ticks + 1);
  return `${fence} ${short} ${fence}`;
}

/** A run of white space, as one space if it contains line ends. */
function joined(space: string): string {
  return space.includes("\n") ? " " : space;
}

/**
 * The part of `text` that determines its first `maxChars` characters on one line, and whether that
 * is all of it. This bounds the cost for a text of megabytes.
 */
export function beginning(text: string, maxChars: number): [begin: string, isWhole: boolean] {
  const enough = 20 * maxChars;
  return text.length <= enough ? [text, true] : [cutAt(text, enough), false];
}

/** A duration in milliseconds, in short form: `0.3 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.095) return `${Math.max(0.01, seconds).toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const rest = whole % 60;
  return rest === 0 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 60)} min ${rest} s`;
}

/** `n` with its noun: `1 line`, `1,200 lines`. */
export function countOf(n: number, noun: string): string {
  return `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
}

/** `usageLimited` as `usage limited`. */
export function spaced(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
}

/**
 * `path` as shown to the user: relative inside `root`, absolute outside of it.
 *
 * A path that contains `..` is shown unchanged.
 */
export function shownPath(path: string, root: string): string {
  const base = root.endsWith("/") ? root : `${root}/`;
  if (path === root) return ".";
  return path.startsWith(base) && !path.split("/").includes("..") ? path.slice(base.length) : path;
}
