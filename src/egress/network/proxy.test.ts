/**
 * What a program inside may try on the proxy's port, through the real relay. Each refusal has a
 * control that gets through because it is allowed. Tunnels are in tunnel.test.ts.
 */

import { once } from "node:events";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { clientHello, serverName } from "../../../test/support/client-hello.ts";
import { listen, parseAnswer, raw } from "../../../test/support/egress.ts";
import { behindFirst } from "../../../test/support/http-ends.ts";
import { namedSite, setUpProxy, startSite } from "../../../test/support/proxy.ts";
import { isDialable } from "./dial.ts";

describe("a plain request", () => {
  it("reaches an allowed site, without headers for the proxy", async () => {
    const { link, requests, at } = await namedSite();
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

  it("carries bodies of both framings, and repeated headers of answers", async () => {
    const bodies: string[] = [];
    const { link, at } = await namedSite((incoming, response) => {
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

  it("waits for 100 Continue before its body, and gets it", async () => {
    const { link, at } = await namedSite();
    const answer = await raw(
      link.proxyPort,
      `PUT http://${at}/ HTTP/1.1\r\nhost: ${at}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  it("may lack a Host header, and gets that of its target", async () => {
    const { link, requests, at } = await namedSite();
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
  ])("is refused if it %s, and does not reach the site", async (_what, status, bytes) => {
    const { link, requests, at } = await namedSite();
    expect(parseAnswer(await raw(link.proxyPort, bytes(at))).status).toBe(status);
    expect(requests).toEqual([]);
    await raw(link.proxyPort, `GET http://${at}/ HTTP/1.1\r\n\r\n`);
    expect(requests).toHaveLength(1);
  });

  it("smuggles in no second request, neither behind it nor in its body", async () => {
    const { link, requests, at } = await namedSite();
    const one = `GET http://${at}/ HTTP/1.1\r\nhost: ${at}\r\n\r\n`;
    await raw(link.proxyPort, one.repeat(20));
    await raw(link.proxyPort, `${head(at, `content-length: ${one.length}`)}${one}`);
    expect(requests.length).toBeLessThanOrEqual(2);
  });

  it.each<[string, string]>([
    ["behind more headers than Node counts", "a:b\r\n".repeat(2100)],
    [
      "that it declares a header of the connection",
      "connection: content-length, transfer-encoding\r\n",
    ],
  ])("ends at the same byte for the site, with a length %s", async (_what, headers) => {
    let heard = "";
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        heard += chunk.toString("latin1");
      });
      setTimeout(() => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), 100);
    });
    const at = `127.0.0.1:${await listen(server)}`;
    const { link } = await setUpProxy({ allow: [at] });
    const second = "GET /second HTTP/1.1\r\nhost: other.test\r\n\r\n";
    const chunk = `${second.length.toString(16)}\r\n${second}\r\n0\r\n\r\n`;
    for (const [framing, body] of [
      [`content-length: ${second.length}`, second],
      ["transfer-encoding: chunked", chunk],
    ]) {
      heard = "";
      await raw(
        link.proxyPort,
        `GET http://${at}/ HTTP/1.1\r\n${headers}${framing}\r\n\r\n${body}`,
      );
      expect(heard).toContain("/second");
      expect(behindFirst(heard)).toBe("");
    }
  });

  it("with a folded header is either refused or has one header", async () => {
    const { link, requests, at } = await namedSite();
    await raw(link.proxyPort, head(at, "x-a: b\r\n host: other.test"));
    for (const { headers } of requests) expect(headers.host).toBe(at);
  });

  it("gets a redirect unchanged, and is refused at the redirect's target", async () => {
    const { link, at } = await namedSite((_incoming, response) => {
      response.writeHead(302, { location: "http://127.0.0.1:1/secret" }).end();
    });
    const answer = await raw(link.proxyPort, `GET http://${at}/ HTTP/1.1\r\n\r\n`);
    expect(answer).toContain("location: http://127.0.0.1:1/secret");
    const followed = await raw(link.proxyPort, "GET http://127.0.0.1:1/secret HTTP/1.1\r\n\r\n");
    expect(parseAnswer(followed).status).toBe(403);
  });

  it("receives nothing of an answer that switches protocols", async () => {
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
    const { link } = await setUpProxy({ allow: [`127.0.0.1:${port}`] });
    const answer = await raw(link.proxyPort, `GET http://127.0.0.1:${port}/ HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(answer).status).toBe(502);
    expect(answer).not.toContain("secret");
  });
});

describe("a name", () => {
  it("is resolved once, and the checked address is dialled even if the resolver changes its answer", async () => {
    const { port, requests } = await startSite();
    const { link, asked } = await setUpProxy({
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

  it("is not resolved before it is allowed, because a DNS query can carry data", async () => {
    const { link, asked } = await setUpProxy({ names: { "secret.evil.test": [["192.0.2.1"]] } });
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
    const { link } = await setUpProxy({
      allow: [`site.test:${port}`],
      names: { "site.test": [[address]] },
    });
    const answer = await raw(link.proxyPort, `GET http://site.test:${port}/ HTTP/1.1\r\n\r\n`);
    expect(parseAnswer(answer)).toMatchObject({
      status: 403,
      body: expect.stringContaining("not a public internet address"),
    });
    expect(requests).toEqual([]);
  });

  it("that leads to this machine's own network is refused, though its address is public", async () => {
    const own = (address: string, cidr: string) =>
      ({ address, cidr, family: address.includes(":") ? "IPv6" : "IPv4" }) as NetworkInterfaceInfo;
    const interfaces = () => ({
      eth0: [own("8.8.4.1", "8.8.4.1/24"), own("2a00::5:2", "2a00::5:2/64")],
    });
    const { link } = await setUpProxy({
      allow: ["site.test"],
      names: { "site.test": [["8.8.4.4"], ["2a00::5:1"]] },
      interfaces,
    });
    const get = (host: string) => raw(link.proxyPort, `GET http://${host}/ HTTP/1.1\r\n\r\n`);
    for (const at of ["8.8.4.4:80", "[2a00::5:1]:80"])
      expect(parseAnswer(await get("site.test"))).toMatchObject({
        status: 403,
        body: expect.stringContaining(`${at} is on this machine's own network`),
      });
    expect(parseAnswer(await get("8.8.4.9")).body).toContain("own network");
    // The controls: an address of another network, and one in the settings, may be dialled.
    const mayDial = (host: string) =>
      isDialable(
        { host, port: 80, isAddress: true },
        { mayDial: () => host === "8.8.4.4", isForbidden: () => false, interfaces },
      );
    expect(["8.8.4.4", "8.8.8.8", "2a00::6:1:0:0:1", "8.8.4.5"].map(mayDial)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it("that is unknown is reported as unknown", async () => {
    const { link } = await setUpProxy({ allow: ["nowhere.test"] });
    const answer = await raw(link.proxyPort, "CONNECT nowhere.test:443 HTTP/1.1\r\n\r\n");
    expect(parseAnswer(answer)).toMatchObject({
      status: 502,
      body: expect.stringContaining("its name is unknown"),
    });
  });
});

describe("a request that waits for the user", () => {
  it("continues when it is allowed, and ends with the permission", async () => {
    const sockets: Socket[] = [];
    const port = await listen(
      createTcpServer((socket) => void sockets.push(socket.on("error", () => {}))),
    );
    const ends = new AbortController();
    let allow: (() => void) | undefined;
    const { link } = await setUpProxy({
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
    "is given up when its client disconnects: %j",
    async (bytes) => {
      let signal: AbortSignal | undefined;
      const { link } = await setUpProxy({
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

  it("gets the reason for a refusal, and the command that would allow it", async () => {
    const { link } = await setUpProxy({});
    const answer = await raw(link.proxyPort, "CONNECT site.test:8443 HTTP/1.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden by codex-chat: .*nobody allows it/);
    expect(parseAnswer(answer).body).toContain('network.allow = { "site.test:8443" }');
  });

  it("finds the reason again at the proxy's own address, since most tools show only the status", async () => {
    const { link } = await setUpProxy({});
    const about = async () =>
      parseAnswer(await raw(link.proxyPort, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
    expect(await about()).toMatchObject({
      status: 400,
      body: expect.not.stringContaining("refused"),
    });
    for (const name of ["a", "b", "b", "c", "d", "e", "f"])
      await raw(link.proxyPort, `CONNECT ${name}.test:443 HTTP/1.1\r\n\r\n`);
    const told = String((await about()).body).match(/access to \S+ is refused: nobody allows it/g);
    expect(told?.map((sentence) => sentence.split(" ")[2])).toEqual(
      ["b", "c", "d", "e", "f"].map((name) => `${name}.test:443`),
    );
  });
});

function head(at: string, headers: string): string {
  return `POST http://${at}/ HTTP/1.1\r\nhost: ${at}\r\n${headers}\r\n\r\n`;
}
