/** How an HTML block begins and ends; one without its end takes all of the text below. */
type Kind = {
  readonly start: RegExp;
  readonly end: RegExp;
  /** Whether it needs no `end`, because the end of the text ends it too. */
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
 * The length of the HTML block that begins with the first of `lines`: 0 if none begins, `undefined`
 * if it does not end or contains a line that looks like a fence. In the latter case, readers with
 * and without HTML support would disagree about the text below it.
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
