import { isLoopback } from "../../loopback.ts";
import { EventRedactor } from "./event-redactor.ts";
import { SecretAutomaton } from "./secret-automaton.ts";
import type { SecretMatch } from "./secret-readings.ts";
import { SecretScanner } from "./secret-scanner.ts";
import { lastOf, offsetAt, type StreamOffset } from "./stream-offset.ts";
import { isWeak, WordRedactor } from "./weak-secret.ts";

/** Shorter values are not keys, and redacting them would spoil every response. */
const MIN_SECRET = 8;
const REDACTED = "[redacted]";

/** The last automaton created: all calls with one key share it. */
let last: { readonly key: string; readonly automaton: SecretAutomaton } | undefined;

function automatonOf(secrets: readonly string[]): SecretAutomaton | undefined {
  const all = [...new Set(secrets)].filter((secret) => !isWeak(secret));
  if (all.length === 0) return undefined;
  const key = JSON.stringify(all);
  if (last?.key !== key) last = { key, automaton: new SecretAutomaton(all) };
  return last.automaton;
}

/**
 * Redacts secrets from a byte stream, however they are spelled, and also if one is split over
 * chunks.
 *
 * SECURITY: the upstream is trusted with the key, but its responses go to the sandbox: an error
 * page that echoes the request's headers must not carry the key there. An upstream that wants to
 * hand the key over cannot be stopped: it can encrypt it, compress it, or spell it in words.
 */
export class Redactor {
  readonly #automaton: SecretAutomaton | undefined;
  readonly #scanner: SecretScanner | undefined;
  readonly #weak: readonly string[];
  readonly #words: WordRedactor;
  #events: EventRedactor | undefined;
  #held: Buffer = Buffer.alloc(0);
  /** The stream offset up to which secrets have been redacted. */
  #redactedTo = offsetAt(-1);

  constructor(secrets: readonly string[]) {
    this.#automaton = automatonOf(secrets);
    this.#weak = secrets.filter((secret) => secret.length >= MIN_SECRET && isWeak(secret));
    this.#words = new WordRedactor(this.#weak, REDACTED);
    if (this.#automaton !== undefined) this.#scanner = new SecretScanner(this.#automaton);
  }

  /** Treats the stream from now on as server-sent events, whose texts come in pieces. */
  readEvents(): void {
    if (this.#automaton !== undefined)
      this.#events ??= new EventRedactor(this.#automaton, REDACTED);
  }

  /**
   * Returns what may pass now. Only bytes that could begin a secret are held back, so that events
   * are not delayed, and of events the line that is not complete yet.
   */
  push(chunk: Buffer): Buffer {
    return this.#words.push(this.#push(chunk));
  }

  /** Texts in pieces go first: the end of a piece is not the end of a secret. */
  #push(chunk: Buffer): Buffer {
    if (this.#scanner === undefined) return chunk;
    const bytes = this.#events?.push(chunk) ?? chunk;
    this.#scanner.push(bytes);
    return this.#pass(bytes, this.#scanner.pendingStart());
  }

  /**
   * Returns the rest at the stream's end; the larger part of a secret is redacted like all of it.
   */
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

  /** Redacts a complete text, such as a header's value. */
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
    return this.#without(bytes, offsetAt(0), scanner.take());
  }

  /** Appends a chunk to the held bytes; returns what comes before offset `upTo`, redacted. */
  #pass(chunk: Buffer, upTo: StreamOffset, more?: SecretMatch): Buffer {
    if (this.#scanner === undefined) return chunk;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const at = offsetAt(this.#scanner.read - bytes.length);
    const found = this.#scanner.take();
    if (more !== undefined && more.start < more.end) found.push(more);
    const end = lastOf(upTo, at, ...found.map((match) => match.end));
    this.#held = Buffer.from(bytes.subarray(end - at));
    return this.#without(bytes.subarray(0, end - at), at, found);
  }

  /** `bytes`, from stream offset `at` on, with each match replaced. */
  #without(bytes: Buffer, at: StreamOffset, found: readonly SecretMatch[]): Buffer {
    const parts: Buffer[] = [];
    let from = at;
    for (const { start, end } of found) {
      if (end <= from) continue;
      const begin = lastOf(start, from);
      parts.push(bytes.subarray(from - at, begin - at));
      // A match that continues the last one has been replaced already.
      if (begin > this.#redactedTo) parts.push(Buffer.from(REDACTED));
      this.#redactedTo = end;
      from = end;
    }
    parts.push(bytes.subarray(from - at));
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }
}

/**
 * All secrets of an upstream: header values without their scheme, the password in its URL, and
 * query parameters named like a key. For a server on this machine, a key that may be an ordinary
 * word does not count, since redacting it would spoil every response.
 */
export function secretsOf(
  authorization: readonly (readonly [name: string, value: string])[],
  baseUrl: URL,
): string[] {
  const values = authorization.map(([, value]) => value.replace(/^\S+ +/, ""));
  for (const [name, value] of baseUrl.searchParams)
    if (/key|token|secret|sig|pass|auth/i.test(name)) values.push(value);
  const all = [...values, ...secretsOfUser(baseUrl)];
  return isLoopback(baseUrl.hostname) ? all.filter((secret) => !isWeak(secret)) : all;
}

/** Node sends a URL's `user:password` in base64 unless another authorization is set. */
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
