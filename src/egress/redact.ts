/**
 * Takes secrets out of a byte stream, also where one is split over chunks.
 *
 * SECURITY: the upstream is trusted with the key, but what it answers goes to the sandbox: an error
 * page that echoes the request's headers must not carry the key there.
 */
export class Redactor {
  readonly #secrets: readonly Buffer[];
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly string[]) {
    this.#secrets = [
      ...new Set(secrets.filter(({ length }) => length >= MIN_SECRET).flatMap(spellings)),
    ]
      .map((secret) => Buffer.from(secret))
      .sort((a, b) => b.length - a.length);
  }

  /**
   * Returns what may go on now. Held back is only what could be the beginning of a secret, so that
   * a stream of events is not delayed.
   */
  push(chunk: Buffer): Buffer {
    if (this.#secrets.length === 0) return chunk;
    const text = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const parts: Buffer[] = [];
    let from = 0;
    const next = this.#secrets.map((secret) => text.indexOf(secret));
    for (;;) {
      const found = this.#earliest(text, next, from);
      if (found === undefined) break;
      parts.push(text.subarray(from, found.at), REDACTED);
      from = found.at + found.length;
    }
    const rest = text.subarray(from);
    const held = this.#partialAtEnd(rest);
    this.#held = Buffer.from(rest.subarray(rest.length - held));
    parts.push(rest.subarray(0, rest.length - held));
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** Returns the rest, at the stream's end; the better part of a secret is as good as the whole. */
  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    const isTelling = this.#secrets.some(
      (secret) =>
        rest.length >= Math.max(MIN_SECRET, secret.length / 2) &&
        secret.subarray(0, rest.length).equals(rest),
    );
    return isTelling ? REDACTED : rest;
  }

  /** Redacts a whole text, such as a header's value. */
  text(text: string): string {
    let clean = text;
    for (const secret of this.#secrets)
      clean = clean.replaceAll(secret.toString(), String(REDACTED));
    return clean;
  }

  /** Where the first secret at or after `from` begins; the longest of those that begin there. */
  #earliest(
    text: Buffer,
    next: number[],
    from: number,
  ): { at: number; length: number } | undefined {
    let best: { at: number; length: number } | undefined;
    for (const [n, secret] of this.#secrets.entries()) {
      let at = next[n] ?? -1;
      if (at !== -1 && at < from) at = text.indexOf(secret, from);
      next[n] = at;
      if (at !== -1 && (best === undefined || at < best.at)) best = { at, length: secret.length };
    }
    return best;
  }

  /** How many bytes at the end are the beginning of a secret. */
  #partialAtEnd(text: Buffer): number {
    let longest = 0;
    for (const secret of this.#secrets) {
      const first = secret[0] ?? 0;
      let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1));
      while (at !== -1 && !secret.subarray(0, text.length - at).equals(text.subarray(at)))
        at = text.indexOf(first, at + 1);
      if (at !== -1) longest = Math.max(longest, text.length - at);
    }
    return longest;
  }
}

/** Shorter values are no keys, and would turn every answer into stars. */
const MIN_SECRET = 8;
const REDACTED = Buffer.from("[redacted]");

/** The ways in which a program that echoes a value may write it. */
function spellings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  return [secret, json, json.replaceAll("/", "\\/"), encodeURIComponent(secret), base64];
}

/**
 * All that is secret about an upstream: header values with and without their scheme, and what its
 * address carries as a password or a parameter that is named like a key.
 */
export function secretsOf(
  authorization: readonly (readonly [name: string, value: string])[],
  baseUrl: URL,
): string[] {
  const values = authorization.flatMap(([, value]) => [value, value.replace(/^\S+ +/, "")]);
  for (const [name, value] of baseUrl.searchParams)
    if (/key|token|secret|sig|pass|auth/i.test(name)) values.push(value);
  return [...values, ...secretsOfUser(baseUrl)];
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
