/**
 * What the way out costs, through the real relay as a process of its own: bytes on one connection
 * against `cat` between the same pipes, and model calls against direct HTTP on loopback, alone and
 * beside a bulk answer. Clients and upstream run in this process, too, on both sides of each ratio.
 * The container's exec stream is not in it; docs/decisions/0003 has figures with one.
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import type { Duplex, Readable, Writable } from "node:stream";
import { checkout } from "../scripts/setup/paths.ts";
import { createEgress } from "../src/egress/egress.ts";
import { Mux } from "../src/egress/link/mux.ts";
import { silentLog } from "../src/log.ts";
import { ok } from "../src/result.ts";

const MIB = 1024 ** 2;
const STREAM_BYTES = 256 * MIB;
const ANSWER_BYTES = 128 * MIB;
const ROUNDS = 3;
const CALLS = 300;
const CHUNK = Buffer.alloc(64 * 1024, "All work and no play. ");
/** As a bearer token is, so that the answers are searched for it. */
const KEY = "sk-bench-0123456789abcdef0123456789abcdef0123456789abcdef";

const floor = await best(throughCat);
console.log(`one connection, MB/s: cat ${floor.toFixed()}`);
for (const [name, measure] of [
  ["to the host", upwards],
  ["from the host", downwards],
] as const) {
  const speed = await best(() => withRelay(measure));
  console.log(`  ${name}: ${speed.toFixed()}, ratio ${(speed / floor).toFixed(2)}`);
}
await benchCalls();

async function benchCalls(): Promise<void> {
  const upstream = createServer(answer).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const egress = createEgress({
    upstream: {
      baseUrl: new URL(`http://127.0.0.1:${port}/v1`),
      authorization: async () => ok([["authorization", `Bearer ${KEY}`]]),
    },
    limits: { maxRequestsPerTurn: 1e6, maxBytesPerTurn: 1e12, maxTokensPerTurn: 1e12 },
    onEvent: () => {},
    log: silentLog,
  });
  const relay = startRelay();
  const link = await egress.attach({ readable: relay.stdout, writable: relay.stdin });
  if (!link.ok) throw new Error(link.error.message);
  const pass = egress.beginTurn();
  const ports = { direct: port, egress: link.value.modelPort };

  for (const inside of Object.values(ports)) await latencies(inside, 50);
  const direct = await best(() => bulk(ports.direct));
  const through = await best(() => bulk(ports.egress));
  console.log(`a model's answer, MB/s: direct ${direct.toFixed()}`);
  console.log(`  through the egress: ${through.toFixed()}, ratio ${(through / direct).toFixed(2)}`);

  console.log(`${CALLS} small calls, ms each: ${told(await latencies(ports.direct))} direct`);
  console.log(`  through the egress: ${told(await latencies(ports.egress))}`);
  for (const [name, inside] of Object.entries(ports)) {
    const beside = ask(inside, Number.MAX_SAFE_INTEGER);
    const flood = await beside.answer;
    flood.resume();
    console.log(`  ${name}, beside a bulk answer: ${told(await latencies(inside))}`);
    beside.close();
  }
  pass.end();
  egress.close();
  upstream.closeAllConnections();
  upstream.close();
}

/** The upstream: as many bytes as the call's input asks for. */
function answer(incoming: IncomingMessage, response: ServerResponse): void {
  let body = "";
  incoming.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  incoming.on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    pour(response, Number(JSON.parse(body).input));
  });
}

/** A call as Codex makes it, on a connection of its own. */
function ask(port: number, bytes: number) {
  const out = request({ port, host: "127.0.0.1", method: "POST", path: "/v1/responses" });
  out.end(JSON.stringify({ model: "m", input: String(bytes), stream: true, store: false }));
  const answered = once(out, "response").then(([response]) => response as IncomingMessage);
  const close = () => {
    out.on("error", () => {});
    out.destroy();
  };
  return { answer: answered, close };
}

async function bulk(port: number): Promise<number> {
  const started = performance.now();
  const response = await ask(port, ANSWER_BYTES).answer;
  return megabytesASecond(ANSWER_BYTES, started, response);
}

async function latencies(port: number, calls = CALLS): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < calls; n++) {
    const started = performance.now();
    const response = await ask(port, 100).answer;
    await once(response.resume(), "end");
    all.push(performance.now() - started);
  }
  return all.sort((a, b) => a - b);
}

function told(sorted: readonly number[]): string {
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
}

async function throughCat(): Promise<number> {
  const cat = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
  const started = performance.now();
  pour(cat.stdin, STREAM_BYTES);
  return megabytesASecond(STREAM_BYTES, started, cat.stdout);
}

function startRelay(): ChildProcessByStdio<Writable, Readable, null> {
  const program = join(checkout, "container", "relay.mjs");
  return spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
}

/** Gives a measurement both ends of one connection: the host's, and that of a program inside. */
async function withRelay(
  measure: (host: Duplex, inside: Duplex) => Promise<number>,
): Promise<number> {
  const relay = startRelay();
  let mux: Mux | undefined;
  try {
    let onStream: (stream: Duplex) => void = () => {};
    const stream = new Promise<Duplex>((resolve) => {
      onStream = resolve;
    });
    const hello = await new Promise<Buffer>((onHello, reject) => {
      const onClosed = (reason: string) => reject(new Error(reason));
      const handlers = {
        onHello,
        onClosed,
        onStream: (_: number, duplex: Duplex) => onStream(duplex),
      };
      mux = new Mux(relay.stdout, relay.stdin, handlers);
    });
    const { model } = JSON.parse(hello.toString()) as { model: number };
    const inside = connect(model, "127.0.0.1");
    inside.on("error", () => {});
    return await measure(await stream, inside);
  } finally {
    mux?.close("measured");
  }
}

function upwards(host: Duplex, inside: Duplex): Promise<number> {
  const started = performance.now();
  pour(inside, STREAM_BYTES);
  return megabytesASecond(STREAM_BYTES, started, host);
}

function downwards(host: Duplex, inside: Duplex): Promise<number> {
  return upwards(inside, host);
}

/** Writes so many bytes as fast as they are taken, and ends; stops where the other side goes. */
function pour(to: Writable, bytes: number): void {
  let left = bytes;
  const write = () => {
    while (left > 0 && !to.destroyed) {
      const part = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= part.length;
      if (to.write(part)) continue;
      to.once("drain", write);
      return;
    }
    to.end();
  };
  write();
}

async function megabytesASecond(bytes: number, started: number, from: Readable): Promise<number> {
  let read = 0;
  from.on("data", (chunk: Buffer) => {
    read += chunk.length;
  });
  await once(from, "end");
  if (read !== bytes) throw new Error(`${read} of ${bytes} bytes came through`);
  return bytes / 1e6 / ((performance.now() - started) / 1000);
}

/** The best of some rounds: what else the machine does only ever makes a round slower. */
async function best(measure: () => Promise<number>): Promise<number> {
  let highest = 0;
  for (let round = 0; round < ROUNDS; round++) highest = Math.max(highest, await measure());
  return highest;
}
