/**
 * What a program inside may try on the proxy's port, through the real relay; each refusal beside a
 * control that shows the same getting through where it is allowed.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeCertificates } from "../../../test/support/certificates.ts";
import { clientHello, serverName } from "../../../test/support/client-hello.ts";
import {
  type EgressOptions,
  type Handler,
  listen,
  parseAnswer,
  raw,
  sayHello,
  setUpEgress,
} from "../../../test/support/egress.ts";
import { AllowList } from "./allow.ts";
import type { NetworkPolicy } from "./policy.ts";

type SetUp = {
  readonly allow?: readonly string[];
  /** Addresses by name; each call of the resolver takes the next list. */
  readonly names?: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly decide?: NetworkPolicy["decide"];
} & Pick<EgressOptions, "limits" | "baseUrl">;

/** An egress under a policy, and what its resolver was asked. */
async function setUp({ allow = [], names = {}, decide, ...options }: SetUp) {
  const list = AllowList.parse(allow);
  if (!list.ok) throw new Error(list.error);
  const asked: string[] = [];
  const egress = await setUpEgress(sayHello, {
    ...options,
    network: {
      allowed: () => list.value,
      decide: decide ?? (async () => ({ allowed: false, by: "user", why: "nobody allows it" })),
      lookup: async (name) => {
        const answers = names[name] ?? [];
        const answer = answers[asked.filter((it) => it === name).length] ?? answers.at(-1);
        asked.push(name);
        if (answer === undefined) throw Object.assign(new Error("no"), { code: "ENOTFOUND" });
        return answer;
      },
    },
  });
  return { ...egress, asked };
}

/** A site on loopback that remembers its requests. */
async function startSite(handler: Handler = sayHello) {
  const requests: IncomingMessage[] = [];
  const server = createServer((incoming, response) => {
    requests.push(incoming);
    handler(incoming, response);
  });
  server.on("upgrade", (incoming, socket) => {
    requests.push(incoming);
    socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n");
  });
  const port = await listen(server);
  return { requests, port };
}

/** A site that is reached by its name as well as by its address. */
async function named(handler?: Handler) {
  const site = await startSite(handler);
  const at = `site.test:${site.port}`;
  const egress = await setUp({
    allow: [at, `127.0.0.1:${site.port}`],
    names: { "site.test": [["127.0.0.1"]] },
  });
  return { ...site, ...egress, at };
}

describe("a plain request", () => {
  it("reaches a site that is allowed, with no header that is the proxy's", async () => {
    const { link, requests, at } = await named();
    const answer = await raw(
      link.proxyPort,
      `POST http://${at}/a/b?c=d HTTP/1.1\r\nhost: ${at}\r\nproxy-authorization: x\r\n` +
        "proxy-connection: keep-alive\r\nconnection: keep-alive, x-mine\r\nx-mine: 1\r\nte: trailers\r\n" +
        "x-other: 2\r\ncookie: a\r\ncookie: b\r\ncontent-length: 2\r\n\r\nhi",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain("hello");
    const [request] = requests;
    expect(request).toMatchObject({ method: "POST", url: "/a/b?c=d" });
    expect(request?.headers).toEqual({
      host: at,
      connection: "close",
      "x-other": "2",
      cookie: "a; b",
      "content-length": "2",
    });
  });

  it("carries bodies of both forms, and several answers' headers of one name", async () => {
    const bodies: string[] = [];
    const { link, at } = await named((incoming, response) => {
      incoming.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
      incoming.on("end", () => {
        response.writeHead(201, { "set-cookie": ["a=1", "b=2"] });
        response.end(bodies.join(""));
      });
    });
    const head = `POST http://${at}/ HTTP/1.1\r\nhost: ${at}\r\ntransfer-encoding: chunked\r\n\r\n`;
    const answer = await raw(link.proxyPort, `${head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer).toMatch(/set-cookie: a=1\r\nset-cookie: b=2/i);
    expect(answer).toContain("abcde");
  });

  it("waits for leave to send its body, and gets it", async () => {
    const { link, at } = await named();
    const answer = await raw(
      link.proxyPort,
      `PUT http://${at}/ HTTP/1.1\r\nhost: ${at}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it("may have no Host header, and gets that of its target", async () => {
    const { link, requests, at } = await named();
    await raw(link.proxyPort, `GET http://${at}/ HTTP/1.0\r\n\r\n`);
    expect(requests[0]?.headers.host).toBe(at);
  });

  it.each<[string, number, (at: string) => string]>([
    [
      "names another site in Host",
      400,
      (at) => `GET http://${at}/ HTTP/1.1\r\nhost: other.test\r\n\r\n`,
    ],
    [
      "leaves the port out of Host",
      400,
      (at) => `GET http://${at}/ HTTP/1.1\r\nhost: site.test\r\n\r\n`,
    ],
    [
      "has two Host headers",
      400,
      (at) => `GET http://${at}/ HTTP/1.1\r\nhost: ${at}\r\nhost: other.test\r\n\r\n`,
    ],
    ["has a user in its address", 400, (at) => `GET http://${at}@other.test/ HTTP/1.1\r\n\r\n`],
    ["has a user before its host", 400, (at) => `GET http://other.test@${at}/ HTTP/1.1\r\n\r\n`],
    ["has a backslash for a slash", 400, (at) => `GET http://other.test\\@${at}/ HTTP/1.1\r\n\r\n`],
    [
      "has an escape in its host",
      400,
      (at) => `GET http://%73ite.test:${at.split(":")[1]}/ HTTP/1.1\r\n\r\n`,
    ],
    ["is for https", 400, (at) => `GET https://${at}/ HTTP/1.1\r\n\r\n`],
    ["is for ftp", 400, (at) => `GET ftp://${at}/ HTTP/1.1\r\n\r\n`],
    ["has a path alone", 400, () => "GET / HTTP/1.1\r\nhost: site.test\r\n\r\n"],
    [
      "has a length beside chunks",
      400,
      (at) => head(at, "content-length: 3\r\ntransfer-encoding: chunked"),
    ],
    ["has two lengths", 400, (at) => head(at, "content-length: 3\r\ncontent-length: 4")],
    ["has a coding after chunks", 400, (at) => head(at, "transfer-encoding: chunked, gzip")],
    ["has a space before a colon", 400, (at) => head(at, "x-a : b")],
    ["has a bare line feed in a header", 400, (at) => head(at, "x-a: b\nhost: other.test")],
    ["has a bare carriage return in a header", 400, (at) => head(at, "x-a: b\rhost: other.test")],
    ["has a null byte in a header", 400, (at) => head(at, "x-a: b\0")],
    [
      "asks for a WebSocket",
      403,
      (at) => head(at, "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13"),
    ],
    ["asks for HTTP/2 in clear text", 403, (at) => head(at, "connection: upgrade\r\nupgrade: h2c")],
  ])("is refused where it %s, and does not reach the site", async (_what, status, bytes) => {
    const { link, requests, at } = await named();
    expect(parseAnswer(await raw(link.proxyPort, bytes(at))).status).toBe(status);
    expect(requests).toEqual([]);
    await raw(link.proxyPort, `GET http://${at}/ HTTP/1.1\r\n\r\n`);
    expect(requests).toHaveLength(1);
  });

  it("brings no second one with it, neither behind it nor in its body", async () => {
    const { link, requests, at } = await named();
    const one = `GET http://${at}/ HTTP/1.1\r\nhost: ${at}\r\n\r\n`;
    await raw(link.proxyPort, one.repeat(20));
    await raw(link.proxyPort, `${head(at, `content-length: ${one.length}`)}${one}`);
    expect(requests.length).toBeLessThanOrEqual(2);
  });

  it("folded over lines is either refused or one header", async () => {
    const { link, requests, at } = await named();
    await raw(link.proxyPort, head(at, "x-a: b\r\n host: other.test"));
    for (const { headers } of requests) expect(headers.host).toBe(at);
  });

  it("gets a redirect as it is, and is refused where that leads", async () => {
    const { link, at } = await named((_incoming, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/secret" }).end();
    });
    const answer = await raw(link.proxyPort, `GET http://${at}/ HTTP/1.1\r\n\r\n`);
    expect(answer).toContain("location: http://127.0.0.1:1/secret");
    const followed = await raw(link.proxyPort, "GET http://127.0.0.1:1/secret HTTP/1.1\r\n\r\n");
    expect(parseAnswer(followed).status).toBe(403);
  });

  it("gets nothing of an answer that switches protocols", async () => {
    const tcp = createTcpServer((socket) =>
      socket
        .on("error", () => {})
        .once("data", () => {
          socket.end(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nsecret",
          );
        }),
    );
    const port = await listen(tcp);
    const { link } = await setUp({ allow: [`127.0.0.1:${port}`] });
    const answer = await raw(link.proxyPort, `GET http://127.0.0.1:${port}/ HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(answer).status).toBe(502);
    expect(answer).not.toContain("secret");
  });
});

describe("a name", () => {
  it("is resolved once, and what was checked is dialled whatever the resolver says next", async () => {
    const { port, requests } = await startSite();
    const { link, asked } = await setUp({
      allow: [`site.test:${port}`, `127.0.0.1:${port}`],
      names: { "site.test": [["127.0.0.1"], ["127.0.0.9"]] },
    });
    const get = `GET http://site.test:${port}/ HTTP/1.1\r\n\r\n`;
    expect(parseAnswer(await raw(link.proxyPort, get)).status).toBe(200);
    expect(asked).toEqual(["site.test"]);
    // The control: the second answer is another address, which is not allowed.
    expect(parseAnswer(await raw(link.proxyPort, get)).status).toBe(403);
    expect(requests).toHaveLength(1);
  });

  it("is not resolved before it is allowed: a question to the resolver carries data, too", async () => {
    const { link, asked } = await setUp({ names: { "secret.evil.test": [["192.0.2.1"]] } });
    await raw(link.proxyPort, "CONNECT secret.evil.test:443 HTTP/1.1\r\n\r\n");
    expect(asked).toEqual([]);
  });

  it.each([
    ["loopback", "127.0.0.1"],
    ["a private address", "10.0.0.1"],
    ["the metadata service", "169.254.169.254"],
    ["the metadata service in IPv6", "fd00:ec2::254"],
    ["loopback in IPv6", "::1"],
    ["loopback mapped into IPv6", "::ffff:127.0.0.1"],
    ["loopback behind NAT64", "64:ff9b::7f00:1"],
    ["every interface", "0.0.0.0"],
  ])("that leads to %s is refused", async (_what, address) => {
    const { port, requests } = await startSite();
    const { link } = await setUp({
      allow: [`site.test:${port}`],
      names: { "site.test": [[address]] },
    });
    const answer = await raw(link.proxyPort, `GET http://site.test:${port}/ HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(answer)).toMatchObject({
      status: 403,
      body: expect.stringContaining("no address of the public internet"),
    });
    expect(requests).toEqual([]);
  });

  it("that is unknown is told so", async () => {
    const { link } = await setUp({ allow: ["nowhere.test"] });
    const answer = await raw(link.proxyPort, "CONNECT nowhere.test:443 HTTP/1.1\r\n\r\n");
    expect(parseAnswer(answer)).toMatchObject({
      status: 502,
      body: expect.stringContaining("its name is unknown"),
    });
  });
});

describe("the model's own host", () => {
  it("is refused by name on every port, whatever is allowed", async () => {
    const { link } = await setUp({
      allow: ["model.test", "model.test:8443"],
      names: { "model.test": [["127.0.0.1"]] },
      baseUrl: new URL("https://model.test/v1"),
    });
    for (const port of [443, 80, 8443])
      expect(
        parseAnswer(await raw(link.proxyPort, `CONNECT MODEL.test.:${port} HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403, body: expect.stringContaining("model's endpoint") });
  });

  it("is refused by every loopback address where it is on this machine", async () => {
    const { port, requests } = await startSite();
    const { link } = await setUp({
      allow: [`127.0.0.1:${port}`, `127.0.0.2:${port}`, `[::1]:${port}`, `localhost:${port}`],
      baseUrl: new URL(`http://localhost:${port}/v1`),
    });
    for (const host of ["127.0.0.1", "127.0.0.2", "[::1]", "localhost"])
      expect(
        parseAnswer(await raw(link.proxyPort, `GET http://${host}:${port}/ HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403, body: expect.stringContaining("model's endpoint") });
    expect(requests).toEqual([]);
  });

  it("is refused by address, and by a name that leads there", async () => {
    const { port, requests } = await startSite();
    const other = await startSite();
    const { link } = await setUp({
      allow: [`127.0.0.1:${port}`, `alias.test:${port}`, `127.0.0.1:${other.port}`],
      names: { "alias.test": [["127.0.0.1"]] },
      baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
    });
    for (const host of ["127.0.0.1", "alias.test"])
      expect(
        parseAnswer(await raw(link.proxyPort, `GET http://${host}:${port}/ HTTP/1.1\r\n\r\n`)),
      ).toMatchObject({ status: 403 });
    expect(requests).toEqual([]);
    // The control: another port of that address is another server.
    const answer = await raw(
      link.proxyPort,
      `GET http://127.0.0.1:${other.port}/ HTTP/1.1\r\n\r\n`,
    );
    expect(parseAnswer(answer).status).toBe(200);
  });
});

describe("a tunnel", () => {
  /** A server of bytes that answers whatever it is sent once that has ended. */
  async function startEcho() {
    const received: Buffer[] = [];
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => received.push(chunk));
      socket.on("end", () => socket.end(`got ${Buffer.concat(received).length}`));
    });
    return { received, port: await listen(server) };
  }

  async function echo(limits: EgressOptions["limits"] = {}) {
    const { received, port } = await startEcho();
    const egress = await setUp({
      allow: [`site.test:${port}`, `127.0.0.1:${port}`],
      names: { "site.test": [["127.0.0.1"]] },
      limits,
    });
    return { ...egress, received, port };
  }

  /** Asks for a tunnel, sends these pieces when it is open, and gives all that came. */
  async function through(
    proxyPort: number,
    host: string,
    pieces: readonly (string | Buffer)[],
    end = true,
  ): Promise<string> {
    const socket = connect({ port: proxyPort, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    let answer = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.write(`CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    await expect.poll(() => answer).toContain("\r\n\r\n");
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (end) socket.end();
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    return answer;
  }

  const HELLO = clientHello(serverName("site.test"));

  it("carries TLS to the server that it was asked for, and everything after", async () => {
    const certificates = makeCertificates();
    const site = createTlsServer(
      { key: certificates.serverKey, cert: certificates.server },
      (socket) => socket.on("error", () => {}).pipe(socket),
    );
    const port = await listen(site);
    const { link, events } = await setUp({
      allow: [`site.test:${port}`, `127.0.0.1:${port}`],
      names: { "site.test": [["127.0.0.1"]] },
    });
    const socket = connect(link.proxyPort, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(`CONNECT site.test:${port} HTTP/1.1\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    const tls = connectTls({
      socket,
      servername: "site.test",
      ca: certificates.authority,
      checkServerIdentity: () => undefined,
    });
    await once(tls, "secureConnect");
    tls.write("secret");
    const [said] = (await once(tls, "data")) as [Buffer];
    expect(said.toString()).toBe("secret");
    tls.destroy();
    await expect.poll(() => events.at(-1)?.type).toBe("network_done");
    expect(events).toMatchObject([
      { type: "network_allowed", host: "site.test", port, method: "CONNECT", by: "config" },
      { type: "network_done", host: "site.test", bytesIn: expect.any(Number) },
    ]);
  });

  it("is half open: the client's end leaves the server's answer to come", async () => {
    const { link, port } = await echo();
    const answer = await through(link.proxyPort, `site.test:${port}`, [HELLO, "and more"]);
    expect(answer).toContain(`got ${HELLO.length + 8}`);
  });

  it("may be begun in some pieces", async () => {
    const { link, port } = await echo();
    const pieces = Array.from({ length: 12 }, (_, n) => HELLO.subarray(n * 8, n * 8 + 8));
    const answer = await through(link.proxyPort, `site.test:${port}`, pieces);
    expect(answer).toContain("got ");
  });

  it.each<[string, () => (string | Buffer)[]]>([
    ["names another server", () => [clientHello(serverName("other.test"))]],
    ["names a server below it", () => [clientHello(serverName("a.site.test"))]],
    ["names its server with a null byte", () => [clientHello(serverName("site.test\0.evil"))]],
    ["names no server", () => [clientHello(Buffer.from([0, 23, 0, 0]))]],
    [
      "names two servers",
      () => [clientHello(Buffer.concat([serverName("site.test"), serverName("b")]))],
    ],
    ["is no TLS", () => ["GET / HTTP/1.1\r\nhost: other.test\r\n\r\n"]],
    ["is SSH", () => ["SSH-2.0-OpenSSH_9.2\r\n"]],
    ["ends before it is whole", () => [HELLO.subarray(0, 20)]],
    [
      "is too long",
      () => [Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(20_000, 1)])],
    ],
  ])("that %s is cut, and the server gets not one byte", async (_what, pieces) => {
    const { link, port, received, events } = await echo();
    const answer = await through(link.proxyPort, `site.test:${port}`, pieces());
    expect(answer).not.toContain("got");
    expect(received).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "network_refused", by: "policy" });
  });

  it("to an address needs no server's name, and may name no other", async () => {
    const { link, port, received } = await echo();
    const plain = clientHello(Buffer.from([0, 23, 0, 0]));
    expect(await through(link.proxyPort, `127.0.0.1:${port}`, [plain])).toContain("got");
    received.length = 0;
    expect(await through(link.proxyPort, `127.0.0.1:${port}`, [HELLO])).not.toContain("got");
    expect(received).toEqual([]);
  });

  it("that is never begun is cut after a while", async () => {
    const { link, port, events } = await echo({ helloMs: 30 });
    await through(link.proxyPort, `site.test:${port}`, [HELLO.subarray(0, 10)], false);
    expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining("no TLS ClientHello") });
  });

  it("that carries nothing is cut after a while", async () => {
    const { link, port, events } = await echo({ connectionIdleMs: 50 });
    await through(link.proxyPort, `site.test:${port}`, [HELLO], false);
    expect(events.at(-1)).toMatchObject({ type: "network_done", cut: "idle" });
  });

  it("that carries too much is cut", async () => {
    const { link, port, events } = await echo({ maxConnectionBytes: 100_000 });
    const pieces = [HELLO, Buffer.alloc(200_000)];
    await through(link.proxyPort, `site.test:${port}`, pieces, false);
    expect(events.at(-1)).toMatchObject({ type: "network_done", cut: "bytes" });
  });

  it("has its place among so many, and the next has none until it is gone", async () => {
    const { link, port } = await echo({ maxConnections: 1 });
    const first = connect(link.proxyPort, "127.0.0.1");
    first.write(`CONNECT site.test:${port} HTTP/1.1\r\n\r\n`);
    await once(first, "data");
    first.write(HELLO);
    const ask = `CONNECT site.test:${port} HTTP/1.1\r\n\r\n`;
    expect(parseAnswer(await raw(link.proxyPort, ask)).status).toBe(503);
    first.destroy();
    await expect
      .poll(async () =>
        (await through(link.proxyPort, `site.test:${port}`, [HELLO])).includes("got"),
      )
      .toBe(true);
  });
});

describe("a request that waits for the user", () => {
  it("goes on when it is allowed, and ends with the permission", async () => {
    const sockets: Socket[] = [];
    const port = await listen(
      createTcpServer((socket) => void sockets.push(socket.on("error", () => {}))),
    );
    const ends = new AbortController();
    let allow: (() => void) | undefined;
    const { link } = await setUp({
      allow: [`127.0.0.1:${port}`],
      names: { "site.test": [["127.0.0.1"]] },
      decide: () =>
        new Promise((resolve) => {
          allow = () => resolve({ allowed: true, by: "turn", ends: ends.signal });
        }),
    });
    const socket = connect(link.proxyPort, "127.0.0.1").on("error", () => {});
    socket.write(`CONNECT site.test:${port} HTTP/1.1\r\n\r\n`);
    await expect.poll(() => allow).toBeDefined();
    expect(socket.bytesRead).toBe(0);
    allow?.();
    await once(socket, "data");
    socket.write(clientHello(serverName("site.test")));
    await expect.poll(() => sockets.length).toBe(1);
    ends.abort();
    await expect.poll(() => socket.closed).toBe(true);
    expect(sockets).toHaveLength(1);
  });

  it.each(["CONNECT site.test:443 HTTP/1.1\r\n\r\n", "GET http://site.test/ HTTP/1.1\r\n\r\n"])(
    "is given up when its client goes: %j",
    async (bytes) => {
      let signal: AbortSignal | undefined;
      const { link } = await setUp({
        decide: (_target, gone) => {
          signal = gone;
          return new Promise((resolve) =>
            gone.addEventListener("abort", () =>
              resolve({ allowed: false, by: "policy", why: "the client went away" }),
            ),
          );
        },
      });
      const socket = connect(link.proxyPort, "127.0.0.1");
      socket.write(bytes);
      await expect.poll(() => signal).toBeDefined();
      socket.destroy();
      await expect.poll(() => signal?.aborted).toBe(true);
    },
  );

  it("is told why it is refused, and what would allow it", async () => {
    const { link } = await setUp({});
    const answer = await raw(link.proxyPort, "CONNECT site.test:8443 HTTP/1.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden by codex-chat: .*nobody allows it/);
    expect(parseAnswer(answer).body).toContain('network.allow = { "site.test:8443" }');
  });
});

function head(at: string, headers: string): string {
  return `POST http://${at}/ HTTP/1.1\r\nhost: ${at}\r\n${headers}\r\n\r\n`;
}
