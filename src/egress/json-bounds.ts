const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** How many values a JSON text may have, and how deeply they may be nested. */
export type JsonBounds = { readonly maxValues: number; readonly maxDepth: number };

/**
 * Whether a JSON text stays within bounds, found without parsing it. The result for a text that is
 * not JSON is arbitrary: the parser rejects that.
 *
 * SECURITY: each `{}` takes three bytes of text and many times that in memory once parsed.
 */
export function isWithin(text: Buffer, { maxValues, maxDepth }: JsonBounds): boolean {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === COMMA) values++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      values++;
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    if (values > maxValues || depth > maxDepth) return false;
  }
  return true;
}

/** Where the string that begins at `start` ends: its last quote, or the text's end. */
function endOfString(text: Buffer, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf(QUOTE, at + 1);
    if (at === -1) return text.length;
    let slashes = 0;
    while (text[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
}

/** A JSON object. */
export type Fields = { readonly [key: string]: unknown };

/** Whether a value is a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
