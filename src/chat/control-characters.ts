/**
 * Characters that act instead of being shown: C0 and C1 controls, line and paragraph separators,
 * directional overrides, and invisible characters. Tab and newline are excluded, as are the joiners
 * U+200C and U+200D, which scripts and emoji need.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\p{Cs}\u{e0000}-\u{e007f}]/gu;

/**
 * Replaces every control, invisible or direction-changing character of `text` by a picture (`␛`) or
 * its code (`⟨U+202E⟩`); half a surrogate pair becomes U+FFFD.
 *
 * SECURITY: all text from the model and from commands passes here before it reaches the buffer, the
 * file, or a terminal that shows the file. The caller must normalise `\r\n`; a lone `\r` becomes
 * `␍`.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, picture);
}

function picture(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return numbered(char);
}

/** The code of a character, such as `⟨U+202E⟩`. */
export function numbered(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Whether `text` ends with the first half of a surrogate pair. */
export function endsInHalfPair(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}

/** The first `maxUnits` UTF-16 units of `text`, one less if that would split a surrogate pair. */
export function cutAt(text: string, maxUnits: number): string {
  if (text.length <= maxUnits) return text;
  const head = text.slice(0, maxUnits);
  return endsInHalfPair(head) ? head.slice(0, -1) : head;
}

/**
 * A real copy of a string: V8 keeps the whole of a string in memory while a substring is in use. V8
 * copies short substrings by itself.
 */
export function copied(text: string): string {
  return text.length < 13 ? text : Buffer.from(text, "utf16le").toString("utf16le");
}
