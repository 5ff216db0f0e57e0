/** Keeps printable ASCII only, shortened: no escape sequence and no look-alike letter survives. */
export function printable(text: string, max: number): string {
  const safe = text.replace(/[^\x21-\x7e]/g, "?");
  return safe.length <= max ? safe : `${safe.slice(0, max)}…`;
}

/**
 * Turns foreign text into one short line for the user. Other scripts stay; characters that a
 * terminal or an editor could obey (controls, direction marks, lone surrogates) go.
 */
export function printableSentence(text: string, max: number): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const letters = [...safe];
  return letters.length <= max ? safe : `${letters.slice(0, max).join("")}…`;
}
