import { once } from "node:events";
import { connect as connectTcp, createServer } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { clientHello, serverName } from "../../../test/support/client-hello.ts";
import { type ClientHello, MAX_HELLO_BYTES, readClientHello } from "./client-hello.ts";

/** The first bytes of Node's own TLS client. */
async function helloOf(servername: string): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const socket = connectTcp(port, "127.0.0.1");
  const accepted = once(server, "connection");
  const client = connect({ socket, servername }).on("error", () => {});
  const [inside] = await accepted;
  const [bytes] = (await once(inside, "data")) as [Buffer];
  client.destroy();
  inside.destroy();
  server.close();
  return bytes;
}

/** Cuts the handshake message of one record into several. */
function fragmented(hello: Buffer, sizes: readonly number[]): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  let at = 0;
  for (const size of [...sizes, body.length]) {
    const part = body.subarray(at, at + size);
    if (part.length === 0) break;
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
    at += part.length;
  }
  return Buffer.concat(records);
}

const WRONG = { state: "wrong" };

describe("a ClientHello", () => {
  let hello: Buffer;
  beforeAll(async () => {
    hello = await helloOf("example.org");
  });
  const named: ClientHello = { state: "whole", serverName: "example.org" };

  it("contains the server's name, as a real client writes it", () => {
    expect(readClientHello(hello)).toEqual(named);
    expect(readClientHello(clientHello(serverName("a.org")))).toEqual({
      state: "whole",
      serverName: "a.org",
    });
  });

  it("may contain no name", async () => {
    expect(readClientHello(await helloOf(""))).toEqual({ state: "whole", serverName: undefined });
  });

  it("is partial until its last byte has arrived", () => {
    for (let n = 0; n < hello.length; n++)
      expect(readClientHello(hello.subarray(0, n)), `${n} bytes`).toEqual({ state: "partial" });
  });

  it("is the same however it is split into records", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 10 }), (sizes) => {
        expect(readClientHello(fragmented(hello, sizes))).toEqual(named);
      }),
    );
  });

  it("may be followed by bytes that are not read", () => {
    const early = Buffer.from([23, 3, 3, 0, 1, 0]);
    expect(readClientHello(Buffer.concat([hello, early]))).toEqual(named);
  });

  it.each<[string, () => Buffer]>([
    ["HTTP", () => Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["SSH", () => Buffer.from("SSH-2.0-x\r\n")],
    ["an alert", () => Buffer.from([21, 3, 3, 0, 2, 1, 0])],
    ["SSLv2", () => Buffer.from([0x80, 0x2e, 1, 3, 1])],
    ["a ServerHello", () => Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
    ["an empty record", () => Buffer.from([22, 3, 1, 0, 0])],
    ["a record over its size", () => Buffer.from([22, 3, 1, 0x40, 1])],
    ["a message over the bound", () => Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x40, 1])],
    ["more records than one needs", () => fragmented(hello, Array(40).fill(1))],
    ["a second message in its record", () => withTail(hello)],
    [
      "the name twice",
      () => clientHello(Buffer.concat([serverName("a.org"), serverName("b.org")])),
    ],
    ["an empty name", () => clientHello(serverName(""))],
    ["a name of another kind", () => clientHello(serverName("a.org", 1))],
    ["two names in one extension", () => clientHello(twoNames())],
    ["an extension that is cut", () => clientHello(serverName("a.org").subarray(0, -1))],
  ])("is not %s", (_what, bytes) => {
    expect(readClientHello(bytes())).toMatchObject(WRONG);
  });

  it("never exceeds its limit", () => {
    expect(MAX_HELLO_BYTES).toBe(16_384);
  });

  it("with any byte changed is read without an exception, with at most one name", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = Buffer.from(hello);
        changed[at % changed.length] = value;
        expect(["partial", "whole", "wrong"]).toContain(readClientHello(changed).state);
      }),
      { numRuns: 2000 },
    );
  });
});

function withTail(hello: Buffer): Buffer {
  const out = Buffer.concat([hello, Buffer.from([0])]);
  out.writeUInt16BE(hello.length - 5 + 1, 3);
  return out;
}

function twoNames(): Buffer {
  const one = Buffer.from([0, 0, 1, 97]);
  return Buffer.concat([Buffer.from([0, 0, 0, 10, 0, 8]), one, one]);
}
