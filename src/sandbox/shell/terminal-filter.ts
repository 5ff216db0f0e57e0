/**
 * What the parser is in: text, after ESC, within a string (OSC, DCS, APC, PM, SOS), after ESC in
 * one, or after the first byte of what may be a control character of the second set.
 */
type State = "text" | "escape" | "string" | "string-escape" | "c1";

const ESC = 0x1b;
const MAX_INTERMEDIATES = 4;
/** The letters that begin a string after ESC: P (DCS), X (SOS), ] (OSC), ^ (PM), _ (APC). */
const STRING_STARTS = new Set([..."PX]^_"].map((it) => it.charCodeAt(0)));

/**
 * Makes a filter for what a program in the sandbox writes to a terminal. Colours, cursor and screen
 * pass; strings do not, because Neovim acts on them: OSC 52 sets the clipboard, OSC 8 makes links,
 * others raise TermRequest for whatever listens there.
 *
 * SECURITY: it reads bytes as libvterm does, which Neovim has for a parser: other control characters
 * within a sequence are executed and do not end it, so that "ESC NUL ]" begins a string as well. What
 * is passed on never holds ESC before the beginning of a string, in whatever pieces it came.
 */
export function terminalFilter(): (chunk: Uint8Array) => Buffer {
  let state: State = "text";
  let intermediates: number[] = [];
  const one = (byte: number, out: number[]): void => {
    switch (state) {
      case "text":
        if (byte === ESC) begin();
        else if (byte === 0xc2) state = "c1";
        else out.push(byte);
        return;
      case "c1":
        state = "text";
        // U+0080 to U+009F: some terminals take them for the sequences above.
        if (byte >= 0x80 && byte <= 0x9f) return;
        if (byte >= 0xa0 && byte <= 0xbf) out.push(0xc2, byte);
        else one(byte, out);
        return;
      case "escape":
        afterEscape(byte, out);
        return;
      case "string":
        if (byte === ESC) state = "string-escape";
        else if (byte === 0x07 || isCancel(byte)) state = "text";
        return;
      case "string-escape":
        if (byte === 0x5c) state = "text";
        else {
          // Anything else breaks the string off and is a sequence of its own.
          begin();
          afterEscape(byte, out);
        }
        return;
      default:
        state satisfies never;
    }
  };
  const begin = (): void => {
    state = "escape";
    intermediates = [];
  };
  const afterEscape = (byte: number, out: number[]): void => {
    if (byte === ESC) begin();
    else if (isCancel(byte)) state = "text";
    else if (byte < 0x20 || byte === 0x7f) out.push(byte);
    else if (byte < 0x30) {
      if (intermediates.push(byte) > MAX_INTERMEDIATES) state = "text";
    } else if (intermediates.length === 0 && STRING_STARTS.has(byte)) state = "string";
    else {
      state = "text";
      // No sequence ends with a byte of a longer character; the ESC must not wait for what follows.
      if (byte < 0x7f) out.push(ESC, ...intermediates, byte);
      else one(byte, out);
    }
  };
  return (chunk) => {
    const out: number[] = [];
    for (const byte of chunk) one(byte, out);
    return Buffer.from(out);
  };
}

/** CAN and SUB end whatever sequence they stand in. */
function isCancel(byte: number): boolean {
  return byte === 0x18 || byte === 0x1a;
}
