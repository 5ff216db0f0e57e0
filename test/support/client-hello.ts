/** The beginning of a TLS connection, as bytes. */

/** The smallest ClientHello, in one record, with these extensions. */
export function clientHello(extensions: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0]),
    uint16(extensions.length),
    extensions,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), uint16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), uint16(message.length), message]);
}

/** The extension that names a server, below 200 bytes. */
export function serverName(name: string, type = 0): Buffer {
  const bytes = Buffer.from(name, "latin1");
  const entry = Buffer.concat([Buffer.from([type]), uint16(bytes.length), bytes]);
  const list = Buffer.concat([uint16(entry.length), entry]);
  return Buffer.concat([uint16(0), uint16(list.length), list]);
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
