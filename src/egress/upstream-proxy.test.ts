/** Reaching the model and other hosts through a company's proxy. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeCertificates } from "../../test/support/certificates.ts";
import { startCompanyProxy } from "../../test/support/company-proxy.ts";
import {
  call,
  type Handler,
  KEY,
  listen,
  parseAnswer,
  raw,
  sayHello,
  setUpEgress,
} from "../../test/support/egress.ts";
import { setUpProxy, startSite } from "../../test/support/proxy.ts";
import { err, ok } from "../result.ts";
import { AllowList } from "./network/allow.ts";
import type { UpstreamProxy } from "./network/upstream-proxy.ts";

const PASSWORD = "me:pass word:1";
const certificates = makeCertificates({ names: ["model.test"] });

/** Makes the host trust the authority of the model's certificate. */
async function trustModel(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "authority-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, "authority.pem"), certificates.authority);
  vi.stubEnv("NODE_EXTRA_CA_CERTS", join(dir, "authority.pem"));
}

function through(url: URL, options: Partial<UpstreamProxy> = {}): UpstreamProxy {
  return { url, direct: AllowList.none, ...options };
}

/** A model at a name that only the proxy knows. */
async function setUpModel(
  proxy: { readonly password?: () => string } = {},
  upstreamProxy: Partial<UpstreamProxy> = {},
  name = "model.test",
) {
  await trustModel();
  const keys: (string | undefined)[] = [];
  const answer: Handler = (incoming, response) => {
    keys.push(incoming.headers.authorization);
    sayHello(incoming, response);
  };
  const { serverKey: key, server: cert } = certificates;
  const port = await listen(createTlsServer({ key, cert }, answer));
  const company = await startCompanyProxy({
    names: { "model.test": "127.0.0.1", "other.test": "127.0.0.1" },
    ...proxy,
  });
  const egress = await setUpEgress(sayHello, {
    baseUrl: new URL(`https://${name}:${port}/v1`),
    upstreamProxy: through(company.url, upstreamProxy),
  });
  return { ...egress, ...company, modelPort: port, keys };
}

describe("the model behind a company's proxy", () => {
  it("is called through a tunnel in which the proxy sees neither the key nor the call", async () => {
    const { link, asked, passed, keys, modelPort } = await setUpModel();
    for (let n = 0; n < 2; n++)
      expect(await call(link.modelPort, { body: '{"secret":1}' })).toMatchObject({
        status: 200,
        body: "hello",
      });
    expect(keys).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
    expect(asked).toEqual([`CONNECT model.test:${modelPort}`]);
    expect(passed.length).toBeGreaterThan(0);
    expect(Buffer.concat(passed).toString("latin1")).not.toMatch(/sk-canary|secret/);
  });

  it("must show its own certificate, whichever server the proxy connects to", async () => {
    const { link, keys, events } = await setUpModel({}, {}, "other.test");
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("another name"),
    });
    expect(keys).toEqual([]);
  });

  it("is reached with the user and password that the proxy asks for", async () => {
    const { link, told, logged, events } = await setUpModel(
      { password: () => PASSWORD },
      { credentials: async () => ok(PASSWORD) },
    );
    expect((await call(link.modelPort)).status).toBe(200);
    expect(told).toEqual([`Basic ${Buffer.from(PASSWORD).toString("base64")}`]);
    expect(JSON.stringify([logged, events])).not.toMatch(/pass word|bWU6/);
  });

  it("is reached with a new password if the proxy refuses the old one", async () => {
    let password = "me:old";
    const renew = vi.fn(async () => {
      password = PASSWORD;
      return true;
    });
    const { link } = await setUpModel(
      { password: () => PASSWORD },
      { credentials: async () => ok(password), renew },
    );
    expect((await call(link.modelPort)).status).toBe(200);
    expect(renew).toHaveBeenCalledOnce();
  });

  it.each<[string, Partial<UpstreamProxy>, RegExp]>([
    ["no password is given", {}, /requires a user and a password \(407\): set network\.proxy_auth/],
    [
      "the password is wrong",
      { credentials: async () => ok("me:wrong"), renew: async () => true },
      /rejects the user and password/,
    ],
    [
      "its command fails",
      { credentials: async () => err({ message: "the store is locked." }) },
      /needs a password: the store is locked/,
    ],
    ["nothing listens there", { url: new URL("http://127.0.0.1:1") }, /nothing listens there/],
  ])("is not called in another way if %s", async (_what, upstreamProxy, why) => {
    const { link, keys, events } = await setUpModel({ password: () => PASSWORD }, upstreamProxy);
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({
      type: "model_failed",
      kind: "unreachable",
      message: expect.stringMatching(why),
    });
    expect(keys).toEqual([]);
  });

  it("is not called if the proxy cannot reach it", async () => {
    const { link, events } = await setUpModel({}, {}, "unknown.test");
    expect((await call(link.modelPort)).status).toBe(502);
    expect(events.at(-1)).toMatchObject({ message: expect.stringContaining("(503)") });
  });

  it("is reached without the proxy if the configuration says so or it is on this machine", async () => {
    const { upstream } = await setUpEgress(sayHello);
    const { port } = upstream.address() as { port: number };
    const company = await startCompanyProxy({ names: {} });
    const { link } = await setUpEgress(sayHello, {
      baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
      upstreamProxy: through(company.url),
    });
    expect((await call(link.modelPort)).status).toBe(200);
    expect(company.asked).toEqual([]);
  });
});

describe("other hosts behind a company's proxy", () => {
  const PUBLIC = "192.0.9.1";

  /** A site that only the proxy reaches, by a name that leads here to `address`. */
  async function setUpSite(
    addresses: readonly string[] | undefined,
    options: { allow?: string[]; direct?: string[]; password?: string } = {},
  ) {
    const site = await startSite();
    const company = await startCompanyProxy({
      names: { "site.test": "127.0.0.1" },
      ...(options.password === undefined ? {} : { password: () => PASSWORD }),
    });
    const { password } = options;
    const direct = AllowList.parse((options.direct ?? []).map((host) => `${host}:${site.port}`));
    const egress = await setUpProxy({
      allow: [
        `site.test:${site.port}`,
        ...(options.allow ?? []).map((host) => `${host}:${site.port}`),
      ],
      names: addresses === undefined ? {} : { "site.test": [addresses] },
      upstreamProxy: through(company.url, {
        ...(direct.ok ? { direct: direct.value } : {}),
        ...(password === undefined ? {} : { credentials: async () => ok(password) }),
      }),
    });
    const at = `site.test:${site.port}`;
    const get = (method = "GET", headers = "") =>
      raw(egress.link.proxyPort, `${method} http://${at}/a HTTP/1.1\r\n${headers}\r\n`);
    return { ...company, ...egress, ...site, at, get };
  }

  it.each([
    ["that is public", [PUBLIC]],
    ["that is unknown on this machine", undefined],
  ])("are requested from the proxy with full requests by a name %s", async (_what, addresses) => {
    const { get, at, asked: _asked, requests, ...rest } = await setUpSite(addresses);
    const answer = await get("GET", "proxy-authorization: mine\r\nmax-forwards: 0\r\n");
    expect(parseAnswer(answer)).toMatchObject({ status: 200 });
    expect(rest.told).toEqual([undefined]);
    expect(requests[0]?.url).toBe("/a");
    expect(requests[0]?.headers).toEqual({ host: at, connection: "close" });
    // A tunnel, through the proxy's own.
    const tunnel = await raw(rest.link.proxyPort, `CONNECT ${at} HTTP/1.1\r\n\r\nno TLS`);
    expect(tunnel).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ["a private address", ["10.0.0.1"]],
    ["a private address beside a public one", [PUBLIC, "169.254.169.254"]],
  ])("are refused if this machine's resolver returns %s", async (_what, addresses) => {
    const { get, requests, link, at } = await setUpSite(addresses);
    expect(parseAnswer(await get())).toMatchObject({
      status: 403,
      body: expect.stringContaining("not a public internet address"),
    });
    expect(parseAnswer(await raw(link.proxyPort, `CONNECT ${at} HTTP/1.1\r\n\r\n`)).status).toBe(
      403,
    );
    expect(requests).toEqual([]);
  });

  it("are refused by a private address, unless that exact address is allowed", async () => {
    const { link, port, requests } = await setUpSite([PUBLIC], { allow: ["10.0.0.2"] });
    const get = (host: string) =>
      raw(link.proxyPort, `GET http://${host}:${port}/ HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(await get("10.0.0.1")).status).toBe(403);
    // The control: the proxy is asked for it, and does not know it.
    expect(parseAnswer(await get("10.0.0.2")).status).toBe(503);
    expect(requests).toEqual([]);
  });

  it("are dialled directly, and checked as usual, if the configuration says so", async () => {
    const { get, told, requests } = await setUpSite(["127.0.0.1"], {
      allow: ["127.0.0.1"],
      direct: ["site.test"],
    });
    expect(parseAnswer(await get()).status).toBe(200);
    expect(requests).toHaveLength(1);
    expect(told).toEqual([]);
  });

  it("do not include the proxy itself", async () => {
    const company = await startCompanyProxy({ names: { "site.test": "127.0.0.1" } });
    const named = new URL(`http://proxy.test:${company.port}`);
    const { link } = await setUpProxy({
      allow: [named.host, `127.0.0.1:${company.port}`],
      names: { "proxy.test": [["127.0.0.1"]] },
      upstreamProxy: through(named),
    });
    const answer = await raw(link.proxyPort, `GET ${named.href} HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(answer)).toMatchObject({
      status: 403,
      body: expect.stringContaining("the proxy of network.proxy itself"),
    });
    expect(company.asked).toEqual([]);
  });

  it("never get the proxy's password, and neither does anything inside", async () => {
    const { get, requests, told } = await setUpSite([PUBLIC], { password: PASSWORD });
    const answers = [await get(), await get("TRACE", "max-forwards: 0\r\n")];
    expect(answers.map((answer) => parseAnswer(answer).status)).toEqual([200, 405]);
    expect(told).toHaveLength(1);
    const seen = JSON.stringify([answers, requests.map((request) => request.rawHeaders)]);
    expect(seen).not.toMatch(/pass word|bWU6/);
  });

  it("get no request for credentials from a proxy that wants a password", async () => {
    const { get, link, at } = await setUpSite([PUBLIC], { password: "me:wrong" });
    for (const answer of [
      await get(),
      await raw(link.proxyPort, `CONNECT ${at} HTTP/1.1\r\n\r\n`),
    ]) {
      expect(parseAnswer(answer).status).toBe(502);
      expect(answer).toContain("network.proxy_auth_cmd");
      expect(answer).not.toMatch(/proxy-authenticate|who are you/i);
    }
  });
});
