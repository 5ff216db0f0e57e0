/**
 * What the way to other hosts costs, through the real relay as a process of its own: bytes of one
 * tunnel against the same servers directly, new connections, and model calls beside a tunnel that
 * carries as much as it can. All ends run on this machine, on both sides of each ratio.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { checkout } from "../scripts/setup/paths.ts";
import { createEgress } from "../src/egress/egress.ts";
import { AllowList } from "../src/egress/network/allow.ts";
import { silentLog } from "../src/log.ts";
import { ok } from "../src/result.ts";
import { clientHello, serverName } from "../test/support/client-hello.ts";

const MIB = 1024 ** 2;
const BULK_BYTES = 256 * MIB;
const CALLS = 300;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const NAME = "bench.test";
const HELLO = clientHello(serverName(NAME));

/** Takes a hello, then gives bytes until the other side goes. */
const site = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", () => flood(socket));
});
/** The model: a short answer. */
const model = createHttpServer((incoming, response) => {
  incoming.resume().on("end", () => response.end("x".repeat(100)));
});
const sitePort = await listen(site);
const modelPort = await listen(model);
const list = AllowList.parse([`${NAME}:${sitePort}`, `127.0.0.1:${sitePort}`]);
if (!list.ok) throw new Error(list.error);
const allowed = list.value;
const egress = createEgress({
  upstream: {
    baseUrl: new URL(`http://127.0.0.1:${modelPort}/v1`),
    authorization: async () => ok([["authorization", "Bearer sk-bench-0123456789"]]),
  },
  network: {
    allowed: () => allowed,
    decide: async () => ({ allowed: false, by: "policy", why: "it is not allowed" }),
    lookup: async () => ["127.0.0.1"],
  },
  limits: { maxRequestsPerTurn: 1e6, maxBytesPerTurn: 1e12, maxTokensPerTurn: 1e12 },
  checkBody: (body) => ok(body),
  onEvent: () => {},
  log: silentLog,
});
const relay = spawn(process.execPath, [join(checkout, "container", "relay.mjs")], {
  stdio: ["pipe", "pipe", "inherit"],
});
const link = await egress.attach({ readable: relay.stdout, writable: relay.stdin });
if (!link.ok) throw new Error(link.error.message);
const { modelPort: modelInside, proxyPort } = link.value;
const pass = egress.beginTurn();

await best(() => bulk(direct));
const floor = await best(() => bulk(direct));
const tunnelled = await best(() => bulk(tunnel));
console.log(`one connection, MB/s: direct ${floor.toFixed()}`);
console.log(`  tunnel: ${tunnelled.toFixed()}, ratio ${(tunnelled / floor).toFixed(2)}`);
console.log(`${CALLS} new tunnels, ms until the first byte: ${told(await openings())}`);
await calls(50);
console.log(`${CALLS} model calls, ms: ${told(await calls(CALLS))} alone`);
const flooding = await Promise.all(Array.from({ length: 4 }, tunnel));
for (const socket of flooding) socket.resume();
console.log(`  beside four tunnels that carry what they can: ${told(await calls(CALLS))}`);
for (const socket of flooding) socket.destroy();
pass.end();
egress.close();
for (const server of [site, model]) server.close();
process.exit(0);

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function flood(to: Writable): void {
  while (!to.destroyed && to.write(CHUNK)) {
    // As much as is taken at once.
  }
  if (!to.destroyed) to.once("drain", () => flood(to));
}

async function direct(): Promise<Socket> {
  const socket = connect(sitePort, "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  socket.write(HELLO);
  return socket;
}

/** Asks for a tunnel and says hello; its first bytes are on their way. */
async function tunnel(): Promise<Socket> {
  const socket = connect(proxyPort, "127.0.0.1").on("error", () => {});
  socket.write(`CONNECT ${NAME}:${sitePort} HTTP/1.1\r\nhost: ${NAME}:${sitePort}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.includes(" 200 ")) throw new Error(answer.toString());
  socket.pause();
  socket.write(HELLO);
  return socket;
}

async function bulk(open: () => Promise<Socket>): Promise<number> {
  const socket = await open();
  const began = performance.now();
  let bytes = 0;
  await new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= BULK_BYTES) resolve();
    });
    socket.resume();
  });
  socket.destroy();
  return bytes / 1e6 / ((performance.now() - began) / 1000);
}

async function openings(): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const began = performance.now();
    const socket = await tunnel();
    socket.resume();
    await once(socket, "data");
    all.push(performance.now() - began);
    socket.destroy();
  }
  return all.sort((a, b) => a - b);
}

async function calls(count: number): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    const out = request({
      port: modelInside,
      host: "127.0.0.1",
      method: "POST",
      path: "/v1/responses",
      agent: false,
    });
    out.end("{}");
    const [response] = await once(out, "response");
    await once(response.resume(), "end");
    all.push(performance.now() - began);
  }
  return all.sort((a, b) => a - b);
}

function told(sorted: readonly number[]): string {
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
}

/** The best of three: what else the machine does only ever makes a round slower. */
async function best(measure: () => Promise<number>): Promise<number> {
  let highest = 0;
  for (let round = 0; round < 3; round++) highest = Math.max(highest, await measure());
  return highest;
}
