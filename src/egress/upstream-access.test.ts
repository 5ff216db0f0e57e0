import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeCertificates } from "../../test/support/certificates.ts";
import {
  call,
  type Handler,
  KEY,
  listen,
  sayHello,
  setUpEgress,
} from "../../test/support/egress.ts";
import { err, ok } from "../result.ts";

const certificates = makeCertificates();

/** A server with a certificate for 127.0.0.1 from an untrusted authority. */
function listenTls(): Promise<number> {
  const { serverKey: key, server: cert } = certificates;
  return listen(createTlsServer({ key, cert }, sayHello));
}

/** The authority's certificate in a file, as a user would keep it. */
async function authorityFile(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "authority-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, "authority.pem"), certificates.authority);
  return join(dir, "authority.pem");
}

describe("TLS", () => {
  it("is refused if the authority is not trusted, with the way to trust it", async () => {
    const baseUrl = new URL(`https://127.0.0.1:${await listenTls()}/v1`);
    const { link, events } = await setUpEgress(sayHello, { baseUrl });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain("NODE_EXTRA_CA_CERTS");
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "tls" });
  });

  it.each(["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"])(
    "trusts the authority named in %s",
    async (name) => {
      vi.stubEnv(name, await authorityFile());
      const baseUrl = new URL(`https://127.0.0.1:${await listenTls()}/v1`);
      const { link } = await setUpEgress(sayHello, { baseUrl });
      for (let n = 0; n < 2; n++)
        expect(await call(link.modelPort)).toMatchObject({ status: 200, body: "hello" });
    },
  );

  it("is refused if the certificate is for another name", async () => {
    vi.stubEnv("NODE_EXTRA_CA_CERTS", await authorityFile());
    const baseUrl = new URL(`https://localhost:${await listenTls()}/v1`);
    const { link, events } = await setUpEgress(sayHello, { baseUrl });
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("another name"),
    });
  });

  it("ignores the switch that turns verification off", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const baseUrl = new URL(`https://127.0.0.1:${await listenTls()}/v1`);
    const { link } = await setUpEgress(sayHello, { baseUrl });
    expect((await call(link.modelPort)).status).toBe(502);
  });
});

describe("the upstream's address", () => {
  it.each([
    ["/v1", "/v1/responses"],
    ["/v1/", "/v1/responses"],
    ["/v1//", "/v1/responses"],
    ["", "/responses"],
    ["/", "/responses"],
    ["/openai/deployments/x", "/openai/deployments/x/responses"],
    ["/v1?api-version=2025-04-01", "/v1/responses?api-version=2025-04-01"],
    ["/v1/#part", "/v1/responses"],
  ])("with the path '%s' is called at '%s'", async (path, expected) => {
    let seen: string | undefined;
    const note: Handler = (incoming, response) => {
      seen = incoming.url;
      sayHello(incoming, response);
    };
    const { upstream } = await setUpEgress(note);
    const { port } = upstream.address() as { port: number };
    const { link } = await setUpEgress(sayHello, {
      baseUrl: new URL(`http://127.0.0.1:${port}${path}`),
    });
    expect((await call(link.modelPort)).status).toBe(200);
    expect(seen).toBe(expected);
  });
});

describe("authorization", () => {
  it("may be any headers, beside others that are not secret", async () => {
    let seen: IncomingHttpHeaders = {};
    const { link } = await setUpEgress(
      (incoming, response) => {
        seen = incoming.headers;
        incoming.resume();
        response.end(`${incoming.headers["api-key"]} ${incoming.headers["api-version"]}`);
      },
      {
        authorization: async () => ok([["Api-Key", KEY]]),
        headers: [["Api-Version", "2025-04-01"]],
      },
    );
    expect((await call(link.modelPort)).body).toBe("[redacted] 2025-04-01");
    expect(seen).toMatchObject({ "api-key": KEY, "api-version": "2025-04-01" });
    expect(seen).not.toHaveProperty("authorization");
  });

  it("may be absent", async () => {
    let seen: IncomingHttpHeaders = {};
    const { link } = await setUpEgress(
      (incoming, response) => {
        seen = incoming.headers;
        sayHello(incoming, response);
      },
      { authorization: async () => ok([]) },
    );
    await call(link.modelPort, { headers: { authorization: "Bearer inside" } });
    expect(seen).not.toHaveProperty("authorization");
  });

  it("is requested before each call, and an older key stays secret", async () => {
    let n = 0;
    const { link } = await setUpEgress(
      (incoming, response) => {
        incoming.resume();
        response.end("1-is-the-key-number 2-is-the-key-number");
      },
      { authorization: async () => ok([["authorization", `Bearer ${++n}-is-the-key-number`]]) },
    );
    expect((await call(link.modelPort)).body).toBe("[redacted] 2-is-the-key-number");
    expect((await call(link.modelPort)).body).toBe("[redacted] [redacted]");
  });

  it.each<[string, () => Promise<never>]>([
    ["throws", () => Promise.reject(new Error(KEY))],
    ["returns an invalid header", async () => ok([["authorization", `${KEY}\n`]]) as never],
  ])("that %s ends the call, and its value is not quoted", async (_name, authorization) => {
    const { link, events, logged } = await setUpEgress(sayHello, { authorization });
    const answer = await call(link.modelPort);
    expect(answer.status).toBe(502);
    expect(events.at(-1)).toMatchObject({ type: "model_failed", kind: "authorization" });
    expect(JSON.stringify([answer, events, logged])).not.toContain(KEY);
  });

  it("that fails ends the call with its reason", async () => {
    const { link, events } = await setUpEgress(sayHello, {
      authorization: async () => err({ message: "pass: the store is locked" }),
    });
    expect((await call(link.modelPort)).body).toContain("the store is locked");
    expect(events).toEqual([
      {
        type: "model_failed",
        id: 1,
        kind: "authorization",
        message: "There is no key for the model: pass: the store is locked",
      },
    ]);
  });
});
