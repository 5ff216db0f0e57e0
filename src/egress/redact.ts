/**
 * Takes secrets out of a byte stream, also where one is split over chunks.
 *
 * SECURITY: the upstream is trusted with the key, but what it answers goes to the sandbox: an error
 * page that echoes the request's headers must not carry the key there.
 */
export class Redactor {
  readonly #secrets: readonly Buffer[];
  /** Finds any of them, the longest first, in bytes that are read as Latin-1. */
  readonly #any: RegExp;
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly string[]) {
    this.#secrets = [
      ...new Set(secrets.filter(({ length }) => length >= MIN_SECRET).flatMap(spellings)),
    ]
      .map((secret) => Buffer.from(secret))
      .sort((a, b) => b.length - a.length);
    this.#any = new RegExp(
      this.#secrets.map((it) => literal(it.toString("latin1"))).join("|"),
      "g",
    );
  }

  /**
   * Returns what may go on now. Held back is only what could be the beginning of a secret, so that
   * a stream of events is not delayed.
   */
  push(chunk: Buffer): Buffer {
    if (this.#secrets.length === 0) return chunk;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const parts: Buffer[] = [];
    let from = 0;
    for (const found of bytes.toString("latin1").matchAll(this.#any)) {
      parts.push(bytes.subarray(from, found.index), REDACTED);
      from = found.index + found[0].length;
    }
    const rest = bytes.subarray(from);
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

/** A pattern that finds a text and nothing else. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** Shorter values are no keys, and would turn every answer into stars. */
const MIN_SECRET = 8;
const REDACTED = Buffer.from("[redacted]");

/** The ways in which a program that echoes a value may write it. */
function spellings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const hex = Buffer.from(secret).toString("hex");
  return [
    secret,
    json,
    json.replaceAll("/", "\\/"),
    escapedInJson(secret, (hex) => hex),
    escapedInJson(secret, (hex) => hex.toUpperCase()),
    ...htmlOf(secret),
    encodeURIComponent(secret),
    encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
    hex,
    hex.toUpperCase(),
    Buffer.from(secret).toString("base64").replace(/=+$/, ""),
    ...base64Of(secret),
  ];
}

/** JSON as some write it for use in HTML: `+` and the like by their numbers. */
function escapedInJson(secret: string, spell: (hex: string) => string): string {
  return secret.replace(
    /[+/<>&='"\\]/g,
    (letter) => `\\u00${spell(letter.charCodeAt(0).toString(16))}`,
  );
}

function htmlOf(secret: string): string[] {
  const named: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  const html = secret.replace(/[&<>]/g, (letter) => named[letter] ?? letter);
  return [html, html.replaceAll("/", "&#x2F;"), html.replaceAll("/", "&#47;")];
}

/**
 * What a secret is in base64, wherever in the encoded text it begins: three letters of text are four
 * of base64, so there are three ways, of which the letters that its neighbours share are left out.
 */
function base64Of(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    const first = Math.ceil((offset * 8) / 6);
    const whole = text.slice(first, Math.floor(((offset + bytes.length) * 8) / 6));
    return whole.length < MIN_SECRET
      ? []
      : [whole, whole.replaceAll("+", "-").replaceAll("/", "_")];
  });
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
