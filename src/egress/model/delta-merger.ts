import { isUtf8 } from "node:buffer";
import { isFields } from "../json-bounds.ts";

/** A frame: the host sends edits to Neovim no faster than this. */
const FRAME_MS = 33;
/**
 * A merged piece of text is no longer than this. Codex reports each piece as one line, and the host
 * takes no line of over 8 MiB.
 */
const MAX_MERGED_CHARS = 64 * 1024;
/** A longer event carries no delta and passes as it comes. */
const MAX_EVENT_BYTES = 64 * 1024;
/** An event of one line of data, with or without its type, as the Responses API sends them. */
const EVENT = /^(?:event: ?[\w.]+\r?\n)?data: ?(\{.*\})\r?\n\r?\n$/;

/** An event that adds to a text, and what the text is, so that the next can be told to be its. */
type Delta = {
  readonly bytes: Buffer;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** All that two events for the same text have in common, as JSON. */
  readonly key: string;
};

/**
 * Merges the deltas of a stream of server-sent events that come within one frame into one event, so
 * that nothing behind it costs by the token: neither Codex nor gVisor nor the way back to the editor.
 *
 * The first delta of a text passes at once, and none is held for longer than a frame. Everything else
 * passes untouched and in order. Merged events carry the last one's `sequence_number`; `obfuscation`,
 * which only hides their length on the network, is left out.
 */
export class DeltaMerger {
  readonly #write: (bytes: Buffer) => void;
  readonly #frameMs: number;
  /** The part of an event that has come. */
  #rest: Buffer = Buffer.alloc(0);
  /** It was there at the end of the last frame. */
  #isRestOld = false;
  /** The current event has begun to pass before its end was known. */
  #isPassing = false;
  #held: Delta[] = [];
  #heldChars = 0;
  /** The text that the last delta was for. */
  #lastKey: string | undefined;
  #frame: NodeJS.Timeout | undefined;

  /** `write` takes what passes; it is called within `push` and `end`, and once in a frame. */
  constructor(write: (bytes: Buffer) => void, frameMs = FRAME_MS) {
    this.#write = write;
    this.#frameMs = frameMs;
  }

  push(chunk: Buffer): void {
    const out: Buffer[] = [];
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = endOfEvent(this.#rest);
      if (end === -1) break;
      const event = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      this.#isRestOld = false;
      const delta = this.#isPassing ? undefined : deltaOf(event);
      this.#isPassing = false;
      if (delta === undefined) this.#pass(event, out);
      else this.#take(delta, out);
    }
    if (this.#isPassing || this.#rest.length > MAX_EVENT_BYTES) this.#passRest(out);
    if (this.#rest.length > 0) this.#startFrame();
    this.#send(out);
  }

  /** Passes everything that is held; nothing may be pushed after it. */
  end(): void {
    clearTimeout(this.#frame);
    const out: Buffer[] = [];
    this.#release(out);
    this.#passRest(out);
    this.#send(out);
  }

  #take(delta: Delta, out: Buffer[]): void {
    if (delta.key !== this.#lastKey || this.#frame === undefined) {
      this.#release(out);
      out.push(delta.bytes);
      this.#lastKey = delta.key;
      this.#startFrame();
      return;
    }
    if (this.#heldChars + delta.text.length > MAX_MERGED_CHARS) this.#release(out);
    this.#held.push(delta);
    this.#heldChars += delta.text.length;
  }

  #pass(bytes: Buffer, out: Buffer[]): void {
    this.#release(out);
    this.#lastKey = undefined;
    out.push(bytes);
  }

  #passRest(out: Buffer[]): void {
    if (this.#rest.length === 0) return;
    this.#pass(this.#rest, out);
    this.#rest = Buffer.alloc(0);
    this.#isRestOld = false;
    this.#isPassing = true;
  }

  #release(out: Buffer[]): void {
    const [first, ...others] = this.#held;
    if (first !== undefined) out.push(others.length === 0 ? first.bytes : merged(this.#held));
    this.#held = [];
    this.#heldChars = 0;
  }

  #startFrame(): void {
    this.#frame ??= setTimeout(() => {
      this.#frame = undefined;
      const out: Buffer[] = [];
      const isBusy = this.#held.length > 0;
      this.#release(out);
      if (this.#isRestOld) this.#passRest(out);
      this.#isRestOld = this.#rest.length > 0;
      if (isBusy || this.#isRestOld) this.#startFrame();
      this.#send(out);
    }, this.#frameMs);
  }

  #send(out: readonly Buffer[]): void {
    if (out.length > 0) this.#write(out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out));
  }
}

/** The offset after the first event, or -1. Lines that end with CR alone are not looked for. */
function endOfEvent(bytes: Buffer): number {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}

/** The delta that an event is; undefined if it is something else, or not wholly understood. */
function deltaOf(bytes: Buffer): Delta | undefined {
  if (!bytes.includes('.delta"') || !isUtf8(bytes)) return undefined;
  const data = EVENT.exec(bytes.toString("utf8"))?.[1];
  if (data === undefined) return undefined;
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isFields(event)) return undefined;
  const { delta, sequence_number: _n, obfuscation: _o, logprobs, ...fields } = event;
  if (typeof delta !== "string" || typeof fields["type"] !== "string") return undefined;
  if (!fields["type"].endsWith(".delta")) return undefined;
  // Probabilities belong to the pieces as they came.
  if (logprobs != null && !(Array.isArray(logprobs) && logprobs.length === 0)) return undefined;
  return { bytes, text: delta, fields: event, key: JSON.stringify(fields) };
}

/** One event with the texts of all, as the last of them was written. */
function merged(deltas: readonly Delta[]): Buffer {
  const { fields, bytes } = deltas.at(-1) as Delta;
  const { obfuscation: _, ...kept } = fields;
  const data = JSON.stringify({ ...kept, delta: deltas.map(({ text }) => text).join("") });
  const hasType = !bytes.toString("latin1", 0, 5).startsWith("data");
  return Buffer.from(`${hasType ? `event: ${fields["type"]}\n` : ""}data: ${data}\n\n`);
}
