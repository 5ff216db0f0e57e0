/** What the first bytes of a TLS connection are known to be. */
export type ClientHello =
  /** Well-formed so far, but not complete. */
  | { readonly state: "partial" }
  /** Complete; `serverName` is undefined if the client sent none. */
  | { readonly state: "whole"; readonly serverName: string | undefined }
  | { readonly state: "wrong"; readonly why: string };

/** Larger than any real one; post-quantum keys make some 2 KiB. */
export const MAX_HELLO_BYTES = 16 * 1024;

/** The most records that a hello may be split into; some clients use two or three. */
const MAX_RECORDS = 16;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const NOT_TLS: ClientHello = { state: "wrong", why: "it does not begin with a TLS ClientHello" };

/**
 * Reads the ClientHello (RFC 8446, 4.1.2) at the start of a connection, even if it is split into
 * several records.
 *
 * SECURITY: parsing is strict, because a server that reads the hello differently might serve
 * another name. Lengths must match exactly, no extension may come twice, and there may be one name
 * at most. With Encrypted ClientHello the name is the outer one, which is what the network sees.
 */
export function readClientHello(bytes: Buffer): ClientHello {
  const records = joinRecords(bytes);
  if ("state" in records) return records;
  const { body } = records;
  if (body.length < 4) return partialOr(body.length > 0 && body[0] !== CLIENT_HELLO);
  if (body[0] !== CLIENT_HELLO) return NOT_TLS;
  const length = body.readUIntBE(1, 3);
  if (length > MAX_HELLO_BYTES)
    return { state: "wrong", why: `its ClientHello is over ${MAX_HELLO_BYTES / 1024} KiB` };
  if (body.length < 4 + length) return { state: "partial" };
  if (body.length > 4 + length || !records.atBoundary)
    return { state: "wrong", why: "something follows the ClientHello in its record" };
  const read = new Reader(body.subarray(4));
  const name = readName(read);
  return read.isWrong ? { state: "wrong", why: "its ClientHello is malformed" } : name;
}

function partialOr(isWrong: boolean): ClientHello {
  return isWrong ? NOT_TLS : { state: "partial" };
}

/** The handshake bytes of the first records, as far as they have arrived. */
function joinRecords(
  bytes: Buffer,
): ClientHello | { readonly body: Buffer; readonly atBoundary: boolean } {
  const parts: Buffer[] = [];
  let size = 0;
  let at = 0;
  while (at < bytes.length && size < neededBytes(parts)) {
    if (bytes[at] !== HANDSHAKE_RECORD || parts.length >= MAX_RECORDS) return NOT_TLS;
    if (bytes.length - at >= 2 && bytes[at + 1] !== 3) return NOT_TLS;
    if (bytes.length - at < 5) return { state: "partial" };
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 2 ** 14) return NOT_TLS;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    size += part.length;
    at += 5 + length;
  }
  return { body: Buffer.concat(parts), atBoundary: at <= bytes.length };
}

/** The size of the handshake message that starts with these parts; the header's if that is cut. */
function neededBytes(parts: readonly Buffer[]): number {
  const header = Buffer.concat(parts.map((part) => part.subarray(0, 4))).subarray(0, 4);
  return header.length < 4 ? 4 : 4 + Math.min(header.readUIntBE(1, 3), MAX_HELLO_BYTES + 1);
}

function readName(read: Reader): ClientHello {
  if (read.uint(2) >> 8 !== 3) read.fail();
  read.skip(32);
  if (read.block(1).length > 32) read.fail();
  const suites = read.block(2).length;
  if (suites === 0 || suites % 2 !== 0) read.fail();
  if (read.block(1).length === 0) read.fail();
  // Before TLS 1.2 a hello may have no extensions.
  if (read.isAtEnd) return { state: "whole", serverName: undefined };
  const extensions = new Reader(read.block(2));
  if (!read.isAtEnd) read.fail();
  const seen = new Set<number>();
  let serverName: string | undefined;
  while (!extensions.isAtEnd && !extensions.isWrong) {
    const type = extensions.uint(2);
    const value = extensions.block(2);
    if (seen.has(type)) read.fail();
    seen.add(type);
    if (type === SERVER_NAME) serverName = readServerName(value) ?? read.fail();
  }
  if (extensions.isWrong) read.fail();
  return { state: "whole", serverName };
}

/** The only host name in the extension (RFC 6066, 3). */
function readServerName(value: Buffer): string | undefined {
  const outer = new Reader(value);
  const list = new Reader(outer.block(2));
  const type = list.uint(1);
  const name = list.block(2);
  const isRight = outer.isAtEnd && list.isAtEnd && !outer.isWrong && !list.isWrong;
  if (!isRight || type !== HOST_NAME || name.length === 0) return undefined;
  return name.toString("latin1");
}

/** Reads length-prefixed data; after a read past the end it is wrong and returns nothing more. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  isWrong = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  fail(): undefined {
    this.isWrong = true;
    this.#at = this.#bytes.length;
  }

  skip(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) this.fail();
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    if (!this.isWrong) this.#at += length;
    return part;
  }

  /** An unsigned number of one or two bytes. */
  uint(size: 1 | 2): number {
    const part = this.skip(size);
    return this.isWrong ? 0 : part.readUIntBE(0, size);
  }

  /** A block of bytes after its length, which takes `size` bytes. */
  block(size: 1 | 2): Buffer {
    return this.skip(this.uint(size));
  }
}
