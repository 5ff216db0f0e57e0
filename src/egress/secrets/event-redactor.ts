import { isFields } from "../json-bounds.ts";
import type { SecretAutomaton } from "./secret-automaton.ts";
import { SecretScanner } from "./secret-scanner.ts";
import { offsetAt, type StreamOffset } from "./stream-offset.ts";

/** How many texts are followed at a time; above that, the oldest is dropped. */
const MAX_TEXTS = 64;
/** Larger events carry no piece of a text. */
const MAX_LINE_BYTES = 256 * 1024;
/** How many bytes are held back until they are known not to be a secret. */
const MAX_HELD_BYTES = 64 * 1024;
/** A text is held back from this many bytes of a secret on; shorter ones end any piece of prose. */
const MIN_HELD_BYTES = 4;
/** A text that ends within a secret is redacted from this many bytes of it on. */
const MIN_PARTIAL_BYTES = 8;
/** An event that ends a text or the whole response. */
const ENDS = /^data: *\{.*?"type": *"response\.(?:[\w.]+\.done|completed|failed|incomplete)"/;

/** A line of the stream, and the piece of a text that it carries. */
type Line = {
  bytes: Buffer;
  readonly event: Readonly<Record<string, unknown>> | undefined;
  readonly text: Text | undefined;
  /** The byte offset of the piece in its text. */
  readonly from: StreamOffset;
  piece: string;
};

type Text = { readonly scanner: SecretScanner };

/**
 * Redacts secrets that are split over several events of a stream, in the texts that the events
 * carry in pieces. Lines without a part of a secret pass unchanged.
 */
export class EventRedactor {
  readonly #automaton: SecretAutomaton;
  readonly #replacement: string;
  readonly #texts = new Map<string, Text>();
  #line: Buffer[] = [];
  #lineBytes = 0;
  #held: Line[] = [];
  #heldBytes = 0;

  constructor(automaton: SecretAutomaton, replacement: string) {
    this.#automaton = automaton;
    this.#replacement = replacement;
  }

  /** Returns what may pass now: complete lines, and pieces of a line that is too long to keep. */
  push(chunk: Buffer): Buffer {
    const out: Buffer[] = [];
    let from = 0;
    while (from < chunk.length) {
      const at = chunk.indexOf(10, from);
      const end = at === -1 ? chunk.length : at + 1;
      const part = chunk.subarray(from, end);
      from = end;
      this.#lineBytes += part.length;
      this.#line.push(part);
      if (this.#lineBytes > MAX_LINE_BYTES) this.#pass(out);
      else if (at !== -1) this.#take(out);
      if (at !== -1) this.#lineBytes = 0;
    }
    return Buffer.concat(out);
  }

  /** Returns the rest, at the stream's end. */
  end(): Buffer {
    const out: Buffer[] = [];
    this.#pass(out);
    return Buffer.concat(out);
  }

  /** Passes all held lines and the current one unchanged. */
  #pass(out: Buffer[]): void {
    this.#release(out);
    out.push(...this.#line);
    this.#line = [];
  }

  #take(out: Buffer[]): void {
    const bytes = this.#line.length === 1 ? (this.#line[0] as Buffer) : Buffer.concat(this.#line);
    this.#line = [];
    const event = eventOf(bytes);
    const key = event === undefined ? undefined : textKey(event);
    if (event === undefined || key === undefined) {
      this.#hold({ bytes, event: undefined, text: undefined, from: offsetAt(0), piece: "" });
    } else {
      const text = this.#text(key);
      const piece = String(event["delta"]);
      this.#hold({ bytes, event, text, from: text.scanner.read, piece });
      text.scanner.push(Buffer.from(piece));
      for (const found of text.scanner.take()) this.#cut(text, found.start, found.end);
    }
    const isEnd = ENDS.test(bytes.toString("latin1", 0, 200));
    if (isEnd) this.#cutPartialSecrets();
    if (isEnd || this.#heldBytes > MAX_HELD_BYTES || !this.#isOpen()) this.#release(out);
  }

  #hold(line: Line): void {
    this.#held.push(line);
    this.#heldBytes += line.bytes.length;
  }

  /** Whether a held line may contain the beginning of a secret. */
  #isOpen(): boolean {
    const texts = new Set(this.#held.map((line) => line.text));
    return [...texts].some(
      (text) => text !== undefined && text.scanner.pendingStart(MIN_HELD_BYTES) < text.scanner.read,
    );
  }

  /** Texts have ended: redacts the larger part of a secret at the end of a held text. */
  #cutPartialSecrets(): void {
    for (const text of new Set(this.#held.map((line) => line.text))) {
      if (text === undefined) continue;
      const { read } = text.scanner;
      const start = text.scanner.partialStart(MIN_PARTIAL_BYTES);
      if (start < read) this.#cut(text, start, read);
    }
  }

  #release(out: Buffer[]): void {
    out.push(...this.#held.map((line) => line.bytes));
    this.#held = [];
    this.#heldBytes = 0;
  }

  /** Cuts a range of a text out of the held lines; the first of them gets the replacement. */
  #cut(text: Text, start: StreamOffset, end: StreamOffset): void {
    let isReplaced = false;
    for (const line of this.#held) {
      if (line.text !== text || line.event === undefined) continue;
      const bytes = Buffer.from(line.piece);
      const [a, b] = [Math.max(0, start - line.from), Math.max(0, end - line.from)];
      if (a >= bytes.length || b === 0) continue;
      const replacement = isReplaced ? "" : this.#replacement;
      isReplaced = true;
      // Zero bytes of the same length keep the offsets of later pieces.
      const blank = Buffer.alloc(Math.min(b, bytes.length) - a, 0);
      line.piece = Buffer.concat([bytes.subarray(0, a), blank, bytes.subarray(b)]).toString();
      const delta = line.piece.replace(/\0+/, replacement).replaceAll("\0", "");
      const rest = line.bytes.toString("latin1").endsWith("\r\n") ? "\r\n" : "\n";
      line.bytes = Buffer.from(`data: ${JSON.stringify({ ...line.event, delta })}${rest}`);
    }
  }

  #text(key: string): Text {
    const text = this.#texts.get(key) ?? { scanner: new SecretScanner(this.#automaton) };
    this.#texts.delete(key);
    this.#texts.set(key, text);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_TEXTS && oldest !== undefined) this.#texts.delete(oldest);
    return text;
  }
}

function eventOf(line: Buffer): Line["event"] {
  if (line.indexOf("data:") !== 0 || !line.includes("delta")) return undefined;
  try {
    const event: unknown = JSON.parse(line.toString("utf8", 5));
    return isFields(event) && typeof event["delta"] === "string" ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Which text an event's piece belongs to. */
function textKey(event: Readonly<Record<string, unknown>>): string {
  const names = ["type", "item_id", "output_index", "content_index", "summary_index"];
  return JSON.stringify(names.map((name) => event[name] ?? null));
}
