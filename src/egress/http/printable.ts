/** Keeps what is printable ASCII, shortened: no escape sequence, no look-alike letter. */
export function printable(text: string, max: number): string {
  const safe = text.replace(/[^\x21-\x7e]/g, "?");
  return safe.length <= max ? safe : `${safe.slice(0, max)}…`;
}

/**
 * Makes one line of a foreign text for the user to read, shortened: other scripts stay, what a
 * terminal or an editor could obey (controls, direction marks, lone surrogates) does not.
 */
export function printableSentence(text: string, max: number): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const letters = [...safe];
  return letters.length <= max ? safe : `${letters.slice(0, max).join("")}…`;
}
