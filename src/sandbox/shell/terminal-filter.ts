/**
 * The parser's state: in text, after ESC, in a string (OSC, DCS, APC, PM, SOS), after ESC in a
 * string, or after the first byte of a possible C1 control character.
 */
type State = "text" | "escape" | "string" | "string-escape" | "c1";

const ESC = 0x1b;
const MAX_INTERMEDIATES = 4;
/** The letters that begin a string after ESC: P (DCS), X (SOS), ] (OSC), ^ (PM), _ (APC). */
const STRING_STARTS = new Set([..."PX]^_"].map((letter) => letter.charCodeAt(0)));

/**
 * Makes a filter for what a program in the sandbox writes to a terminal. Colours, cursor and screen
 * pass. Strings do not, because Neovim acts on them: OSC 52 sets the clipboard, OSC 8 makes links,
 * others raise TermRequest.
 *
 * SECURITY: it parses bytes as libvterm does, which is Neovim's parser: other control characters in
 * a sequence are executed and do not end it, so "ESC NUL ]" begins a string as well. The output never
 * contains an ESC that begins a string, however the input is split.
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
        // U+0080 to U+009F: some terminals treat them like the sequences above.
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
          // Any other byte ends the string and begins a sequence of its own.
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
      // A byte of a multi-byte character ends no sequence, and the ESC must not wait for the next one.
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

/** CAN and SUB end any sequence. */
function isCancel(byte: number): boolean {
  return byte === 0x18 || byte === 0x1a;
}
