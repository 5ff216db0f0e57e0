/**
 * What a program inside may try in a tunnel, through the real relay. Each refusal has a control
 * that gets through because it is allowed.
 */
import { once } from "node:events";
import { connect, createServer as createTcpServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeCertificates } from "../../../test/support/certificates.ts";
import { clientHello, serverName } from "../../../test/support/client-hello.ts";
import { type EgressOptions, listen, parseAnswer, raw } from "../../../test/support/egress.ts";
import { setUpProxy } from "../../../test/support/proxy.ts";

describe("a tunnel", () => {
  /** A raw server that echoes everything it was sent, once the other side has ended. */
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
    const egress = await setUpProxy({
      allow: [`site.test:${port}`, `127.0.0.1:${port}`],
      names: { "site.test": [["127.0.0.1"]] },
      limits,
    });
    return { ...egress, received, port };
  }

  /** Opens a tunnel, sends these pieces, and returns everything that came back. */
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

  it("carries TLS to the requested server, and everything after it", async () => {
    const certificates = makeCertificates();
    const site = createTlsServer(
      { key: certificates.serverKey, cert: certificates.server },
      (socket) => socket.on("error", () => {}).pipe(socket),
    );
    const port = await listen(site);
    const { link, events } = await setUpProxy({
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

  it("is half open: the server can still answer after the client has ended", async () => {
    const { link, port } = await echo();
    const answer = await through(link.proxyPort, `site.test:${port}`, [HELLO, "and more"]);
    expect(answer).toContain(`got ${HELLO.length + 8}`);
  });

  it("may begin in several pieces", async () => {
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
    ["is not TLS", () => ["GET / HTTP/1.1\r\nhost: other.test\r\n\r\n"]],
    ["is SSH", () => ["SSH-2.0-OpenSSH_9.2\r\n"]],
    ["ends before it is complete", () => [HELLO.subarray(0, 20)]],
    [
      "is too long",
      () => [Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(20_000, 1)])],
    ],
  ])("that %s is cut, and the server gets no byte", async (_what, pieces) => {
    const { link, port, received, events } = await echo();
    const answer = await through(link.proxyPort, `site.test:${port}`, pieces());
    expect(answer).not.toContain("got");
    expect(received).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "network_refused", by: "policy" });
  });

  it("to an address needs no server name, and may not name another server", async () => {
    const { link, port, received } = await echo();
    const plain = clientHello(Buffer.from([0, 23, 0, 0]));
    expect(await through(link.proxyPort, `127.0.0.1:${port}`, [plain])).toContain("got");
    received.length = 0;
    expect(await through(link.proxyPort, `127.0.0.1:${port}`, [HELLO])).not.toContain("got");
    expect(received).toEqual([]);
  });

  it("that sends no complete ClientHello is cut after a while", async () => {
    const { link, port, events } = await echo({ helloMs: 30 });
    await through(link.proxyPort, `site.test:${port}`, [HELLO.subarray(0, 10)], false);
    expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining("no TLS ClientHello") });
  });

  it("that becomes idle is cut after a while", async () => {
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

  it("takes one of a limited number of places until it ends", async () => {
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
