/**
 * An authority and a server's certificate, made anew for each run, so that the repository holds no
 * private key. Node makes keys and signatures but no certificates, so the few fields that TLS needs
 * (RFC 5280) are written here.
 */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** PEM texts, as Node's TLS server and `NODE_EXTRA_CA_CERTS` take them. */
export type TestCertificates = {
  /** The certificate of the authority, which nothing trusts by itself. */
  readonly authority: string;
  /** The certificate of a server that is where it was made for: by default at 127.0.0.1. */
  readonly server: string;
  readonly serverKey: string;
};

/** Where a server is: names, and IPv4 addresses. */
export type Places = { readonly names?: readonly string[]; readonly addresses?: readonly string[] };

/** Makes both; they are valid for a day to either side of now. */
export function makeCertificates(at: Places = { addresses: ["127.0.0.1"] }): TestCertificates {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = "codex-chat test authority";
  const by = { issuer, signWith: authority.privateKey };
  return {
    authority: certificate({ ...by, subject: issuer, key: authority.publicKey, extension: IS_CA }),
    server: certificate({
      ...by,
      subject: "codex-chat test server",
      key: server.publicKey,
      extension: isAt(at),
    }),
    serverKey: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

const DAY_MS = 24 * 3600 * 1000;
const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));
/** basicConstraints, critical: it is an authority. */
const IS_CA = sequence(
  oid("551d13"),
  der(0x01, Buffer.of(0xff)),
  der(0x04, sequence(der(0x01, Buffer.of(0xff)))),
);
/** subjectAltName. */
function isAt({ names = [], addresses = [] }: Places): Buffer {
  const all = [
    ...names.map((domain) => der(0x82, Buffer.from(domain))),
    ...addresses.map((address) => der(0x87, Buffer.from(address.split(".").map(Number)))),
  ];
  return sequence(oid("551d11"), der(0x04, sequence(...all)));
}

function certificate(of: {
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly signWith: KeyObject;
  readonly extension: Buffer;
}): string {
  const now = Date.now();
  const signed = sequence(
    der(0xa0, integer(2)),
    integer(1),
    ECDSA_SHA256,
    name(of.issuer),
    sequence(time(now - DAY_MS), time(now + DAY_MS)),
    name(of.subject),
    of.key.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(of.extension)),
  );
  const signature = der(0x03, Buffer.of(0), sign("sha256", signed, of.signWith));
  const base64 = sequence(signed, ECDSA_SHA256, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g)?.join("\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** A tag, a length and what it is the length of; 64 KiB are more than a certificate needs. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), body]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value));
}

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(commonName)))));
}

/** GeneralizedTime to the second. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(text));
}
