/** How an HTML block begins, and what ends it; one without its end takes all that stands below it. */
type Kind = {
  readonly start: RegExp;
  readonly end: RegExp;
  /** Whether the end of the text ends it as well as `end` does. */
  readonly isBounded: boolean;
};

/** Names of CommonMark 0.31, 4.6, condition 6, without `details`, which a viewer shows folded. */
const BLOCK_TAGS =
  "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul";

/** The conditions of CommonMark 0.31, 4.6, in their order. */
const KINDS: readonly Kind[] = [
  {
    start: /^<(?:script|pre|style|textarea)(?:[\s>]|$)/i,
    end: /<\/(?:script|pre|style|textarea)>/i,
    isBounded: false,
  },
  { start: /^<!--/, end: /-->/, isBounded: false },
  { start: /^<\?/, end: /\?>/, isBounded: false },
  { start: /^<!\[CDATA\[/, end: /\]\]>/, isBounded: false },
  { start: /^<![A-Za-z]/, end: />/, isBounded: false },
  { start: /^<details(?:[\s>]|\/>|$)/i, end: /<\/details>/i, isBounded: false },
  {
    start: new RegExp(`^</?(?:${BLOCK_TAGS}|details)(?:[\\s>]|/>|$)`, "i"),
    end: /^\s*$/,
    isBounded: true,
  },
];
const LONE_TAG =
  /^<(?:[a-z][a-z0-9-]*(?:\s+[a-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?)*\s*\/?|\/[a-z][a-z0-9-]*\s*)>\s*$/i;
const FENCE = /^[\s>*+\d.)-]*(?:```|~~~)/;

/**
 * How many of `lines` the HTML block takes that begins with the first of them: 0 where none begins,
 * and `undefined` where one begins that does not end, or that holds what looks like a fence: readers
 * that know HTML and readers that do not would then find the text below it in different places.
 */
export function htmlBlock(lines: readonly string[], continues: boolean): number | undefined {
  const first = (lines[0] ?? "").trimStart();
  const kind =
    KINDS.find(({ start }) => start.test(first)) ??
    (!continues && LONE_TAG.test(first) ? KINDS.at(-1) : undefined);
  if (kind === undefined) return 0;
  const end = lines.findIndex((line) => kind.end.test(line));
  if (end === -1 && !kind.isBounded) return undefined;
  const length = end === -1 ? lines.length : end + 1;
  return lines.slice(0, length).some((line) => FENCE.test(line)) ? undefined : length;
}
