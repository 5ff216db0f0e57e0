import { isLoopback } from "../../loopback.ts";
import { EventRedactor } from "./event-redactor.ts";
import { SecretAutomaton } from "./secret-automaton.ts";
import { SecretScanner } from "./secret-scanner.ts";
import { isWeak, WordRedactor } from "./weak-secret.ts";

/** Shorter values are no keys, and would turn every answer into stars. */
const MIN_SECRET = 8;
const REDACTED = "[redacted]";

/** The last automaton that was made: all calls with one key use the same. */
let last: { readonly key: string; readonly automaton: SecretAutomaton } | undefined;

function automatonOf(secrets: readonly string[]): SecretAutomaton | undefined {
  const all = [...new Set(secrets)].filter((it) => !isWeak(it));
  if (all.length === 0) return undefined;
  const key = JSON.stringify(all);
  if (last?.key !== key) last = { key, automaton: new SecretAutomaton(all) };
  return last.automaton;
}

/**
 * Takes secrets out of a byte stream, in whatever way they are written there and also where one is
 * split over chunks.
 *
 * SECURITY: the upstream is trusted with the key, but what it answers goes to the sandbox: an error
 * page that echoes the request's headers must not carry the key there. An upstream that means to hand
 * the key over cannot be kept from it: it can encrypt or pack it, or spell it in words.
 */
export class Redactor {
  readonly #automaton: SecretAutomaton | undefined;
  readonly #scanner: SecretScanner | undefined;
  readonly #weak: readonly string[];
  readonly #words: WordRedactor;
  #events: EventRedactor | undefined;
  #held: Buffer = Buffer.alloc(0);
  /** Up to where in the stream secrets have been taken out. */
  #redactedTo = -1;

  constructor(secrets: readonly string[]) {
    this.#automaton = automatonOf(secrets);
    this.#weak = secrets.filter((it) => it.length >= MIN_SECRET && isWeak(it));
    this.#words = new WordRedactor(this.#weak, REDACTED);
    if (this.#automaton !== undefined) this.#scanner = new SecretScanner(this.#automaton);
  }

  /** From now on it is a stream of events, whose texts come in pieces. */
  readEvents(): void {
    if (this.#automaton !== undefined)
      this.#events ??= new EventRedactor(this.#automaton, REDACTED);
  }

  /**
   * Returns what may go on now. Held back is only what could be the beginning of a secret, so that
   * a stream of events is not delayed; of events, the line that has not come to its end.
   */
  push(chunk: Buffer): Buffer {
    return this.#words.push(this.#push(chunk));
  }

  /** Texts in pieces first: what ends with a piece is no secret that was cut. */
  #push(chunk: Buffer): Buffer {
    if (this.#scanner === undefined) return chunk;
    const bytes = this.#events?.push(chunk) ?? chunk;
    this.#scanner.push(bytes);
    return this.#pass(bytes, this.#scanner.pendingStart());
  }

  /** Returns the rest, at the stream's end; the better part of a secret is as good as the whole. */
  end(): Buffer {
    return Buffer.concat([this.#words.push(this.#end()), this.#words.end()]);
  }

  #end(): Buffer {
    if (this.#scanner === undefined) return Buffer.alloc(0);
    const rest = this.#events?.end() ?? Buffer.alloc(0);
    this.#scanner.push(rest);
    const { read } = this.#scanner;
    return this.#pass(rest, read, { start: this.#scanner.partialStart(MIN_SECRET), end: read });
  }

  /** Redacts a whole text, such as a header's value. */
  text(text: string): string {
    const words = new WordRedactor(this.#weak, REDACTED);
    const clean = Buffer.concat([words.push(Buffer.from(text)), words.end()]);
    if (this.#automaton === undefined) return clean.toString();
    return new Redactor([]).#whole(clean, this.#automaton).toString();
  }

  #whole(bytes: Buffer, automaton: SecretAutomaton): Buffer {
    const scanner = new SecretScanner(automaton);
    scanner.push(bytes);
    scanner.partialStart(MIN_SECRET);
    return this.#without(bytes, 0, scanner.take());
  }

  /** Adds a chunk to what is held, and gives what comes before `upTo` without secrets. */
  #pass(
    chunk: Buffer,
    upTo: number,
    more?: { readonly start: number; readonly end: number },
  ): Buffer {
    if (this.#scanner === undefined) return chunk;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const at = this.#scanner.read - bytes.length;
    const found = this.#scanner.take();
    if (more !== undefined && more.start < more.end) found.push(more);
    const end = Math.max(upTo, at, ...found.map((it) => it.end));
    this.#held = Buffer.from(bytes.subarray(end - at));
    return this.#without(bytes.subarray(0, end - at), at, found);
  }

  /** `bytes`, which begin at `at` of the stream, with a word in the place of each piece. */
  #without(
    bytes: Buffer,
    at: number,
    found: readonly { readonly start: number; readonly end: number }[],
  ): Buffer {
    const parts: Buffer[] = [];
    let from = at;
    for (const { start, end } of found) {
      if (end <= from) continue;
      const begin = Math.max(start, from);
      parts.push(bytes.subarray(from - at, begin - at));
      // What goes on from a piece that was taken out is told already.
      if (begin > this.#redactedTo) parts.push(Buffer.from(REDACTED));
      this.#redactedTo = end;
      from = end;
    }
    parts.push(bytes.subarray(from - at));
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}

/**
 * All that is secret about an upstream: header values without their scheme, and what its address
 * carries as a password or a parameter that is named like a key. On this machine, a key that is an
 * ordinary word is none: to take it out of every answer would spoil them.
 */
export function secretsOf(
  authorization: readonly (readonly [name: string, value: string])[],
  baseUrl: URL,
): string[] {
  const values = authorization.map(([, value]) => value.replace(/^\S+ +/, ""));
  for (const [name, value] of baseUrl.searchParams)
    if (/key|token|secret|sig|pass|auth/i.test(name)) values.push(value);
  const all = [...values, ...secretsOfUser(baseUrl)];
  return isLoopback(baseUrl.hostname) ? all.filter((it) => !isWeak(it)) : all;
}

/** Node sends `user:password` in base64 where no other authorization is set. */
function secretsOfUser({ username, password }: URL): string[] {
  const [user, pass] = [unescaped(username), unescaped(password)];
  if (pass !== "") return [pass, `${user}:${pass}`];
  return user === "" ? [] : [user, `${user}:`];
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
