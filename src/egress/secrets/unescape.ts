import type { Sink } from "./secret-readings.ts";
import { NOWHERE, type StreamOffset } from "./stream-offset.ts";

/** By byte: whether it can start an escape sequence. */
export const OPENING = new Uint8Array(256);
for (const char of "\\%&") OPENING[char.charCodeAt(0)] = 1;

const BACKSLASH = 0x5c;
const PERCENT = 0x25;

/** HTML's names of the characters that a key may have. */
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  sol: "/",
  plus: "+",
  equals: "=",
  lowbar: "_",
  hyphen: "-",
  dash: "-",
  period: ".",
  colon: ":",
  comma: ",",
  semi: ";",
  excl: "!",
  num: "#",
  dollar: "$",
  percnt: "%",
  lpar: "(",
  rpar: ")",
  ast: "*",
  quest: "?",
  commat: "@",
  lsqb: "[",
  bsol: "\\",
  rsqb: "]",
  Hat: "^",
  grave: "`",
  lcub: "{",
  verbar: "|",
  rcub: "}",
};

/** What a text is: a complete escape sequence, the beginning of one, or neither. */
type Spelling = { readonly char: string; readonly isPastEnd?: true } | "more" | "none";

type PendingByte = {
  readonly byte: number;
  readonly start: StreamOffset;
  readonly end: StreamOffset;
};

/**
 * Undoes one level of escaping, as in JSON, JavaScript, a shell, a URL or HTML; passes other bytes
 * on.
 */
export class Unescaper implements Sink {
  readonly #next: Sink;
  /** The bytes of a possible escape sequence. */
  #open: PendingByte[] = [];
  #text = "";

  constructor(next: Sink) {
    this.#next = next;
  }

  /** The start offset of a pending escape sequence; infinity if there is none. */
  get pendingStart(): StreamOffset {
    return this.#open[0]?.start ?? NOWHERE;
  }

  /** Whether an escape sequence is pending. */
  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  push(byte: number, start: StreamOffset, end: StreamOffset): void {
    if (this.#open.length === 0 && OPENING[byte] === 0) {
      this.#next.push(byte, start, end);
      return;
    }
    // In UTF-16, every other byte is 0.
    if (byte === 0) return;
    this.#open.push({ byte, start, end });
    this.#text += String.fromCharCode(byte);
    const spelling = spellingOf(this.#text);
    if (spelling === "more") return;
    const all = this.#open;
    this.#open = [];
    this.#text = "";
    const [first] = all;
    if (first === undefined) return;
    if (spelling === "none") {
      this.#next.push(first.byte, first.start, first.end);
      for (const unread of all.slice(1)) this.push(unread.byte, unread.start, unread.end);
      return;
    }
    const used = spelling.isPastEnd === true ? all.slice(0, -1) : all;
    for (const each of Buffer.from(spelling.char))
      this.#next.push(each, first.start, used.at(-1)?.end ?? first.end);
    for (const unread of all.slice(used.length)) this.push(unread.byte, unread.start, unread.end);
  }
}

function spellingOf(text: string): Spelling {
  switch (text.charCodeAt(0)) {
    case BACKSLASH:
      return backslashed(text.slice(1));
    case PERCENT:
      return text[1] === "u" || text[1] === "U"
        ? hexDigits(text.slice(2), 4)
        : hexDigits(text.slice(1), 2);
    default:
      return inHtml(text.slice(1));
  }
}

const CONTROLS: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
};

function backslashed(rest: string): Spelling {
  const [kind] = rest;
  if (kind === undefined) return "more";
  if (kind === "u" || kind === "x") {
    if (rest[1] === "{") return braced(rest.slice(2));
    return hexDigits(rest.slice(1), kind === "u" ? 4 : 2);
  }
  if (kind === "U") return hexDigits(rest.slice(1), 8);
  if (/^[0-7]/.test(rest)) {
    if (/^[0-7]{3}$/.test(rest)) return charOf(Number.parseInt(rest, 8));
    return /^[0-7]{1,2}$/.test(rest) ? "more" : "none";
  }
  return { char: CONTROLS[kind] ?? kind };
}

function hexDigits(digits: string, count: number): Spelling {
  if (!/^[0-9a-f]*$/i.test(digits)) return "none";
  return digits.length < count ? "more" : charOf(Number.parseInt(digits, 16));
}

function braced(rest: string): Spelling {
  const digits = /^([0-9a-f]{1,6})\}$/i.exec(rest)?.[1];
  if (digits !== undefined) return charOf(Number.parseInt(digits, 16));
  return /^[0-9a-f]{0,6}$/i.test(rest) ? "more" : "none";
}

function inHtml(rest: string): Spelling {
  if (rest === "" || rest === "#" || /^#x$/i.test(rest)) return "more";
  const numeric = /^#(x[0-9a-f]{1,7}|[0-9]{1,8})(.?)$/is.exec(rest);
  if (numeric !== null) {
    const [, digits = "", after] = numeric;
    if (after === "") return "more";
    const spelled = charOf(Number(/^x/i.test(digits) ? `0${digits}` : digits));
    return typeof spelled === "object" && after !== ";" ? { ...spelled, isPastEnd: true } : spelled;
  }
  const name = /^([a-z]{1,8})(;?)$/i.exec(rest);
  if (name === null) return "none";
  if (name[2] === "") return "more";
  const char = Object.hasOwn(NAMED, name[1] ?? "") ? NAMED[name[1] ?? ""] : undefined;
  return char === undefined ? "none" : { char };
}

function charOf(code: number): Spelling {
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    ? { char: String.fromCodePoint(code) }
    : "none";
}
