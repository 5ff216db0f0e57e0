/** A real upstream, the real relay as a process of its own, and the egress between them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, expect, onTestFinished } from "vitest";
import { createEgress, type EgressLimits } from "../../src/egress/egress.ts";
import type { EgressEvent } from "../../src/egress/events.ts";
import type { TurnPass } from "../../src/egress/model/turn-gate.ts";
import type { AuthorizationHeader, Upstream } from "../../src/egress/model/upstream.ts";
import type { NetworkPolicy } from "../../src/egress/network/policy.ts";
import type { Target } from "../../src/egress/network/target.ts";
import type { Log } from "../../src/log.ts";
import { ok, type Result } from "../../src/result.ts";

/** The inner half, as it runs in the sandbox. */
export const RELAY = fileURLToPath(new URL("../../container/relay.mjs", import.meta.url));
/** The key that must never be seen inside, nor in any event or log line. */
export const KEY = "sk-canary-0123456789";
/** What the model's port answers to. */
export const MODEL_PATH = "/v1/responses";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Options of {@link setUpEgress}. */
export type EgressOptions = {
  readonly limits?: EgressLimits;
  readonly network?: NetworkPolicy;
  readonly baseUrl?: URL;
  readonly headers?: readonly AuthorizationHeader[];
  readonly authorization?: Upstream["authorization"];
  readonly renew?: Upstream["renew"];
  readonly upstreamProxy?: Upstream["upstreamProxy"];
  /** Services of this machine that the relay stands for, by the ports at which it does so. */
  readonly local?: Readonly<Record<number, Target>>;
  /** By default any body is let through, so that tests of the way need none of Codex's. */
  readonly checkBody?: (body: Buffer) => Result<Buffer, string>;
  /** False where the test itself begins its turns. */
  readonly turn?: boolean;
  /** Is given what ends all three; by default they end with the test. */
  readonly onEnd?: (end: () => Promise<void>) => void;
};

/** Starts all three. */
export async function setUpEgress(handler: Handler, options: EgressOptions = {}) {
  const { onEnd = onTestFinished } = options;
  const upstream = createServer(handler);
  const upstreamPort = await listening(upstream);
  const events: EgressEvent[] = [];
  const logged: string[] = [];
  const egress = createEgress({
    upstream: {
      baseUrl: options.baseUrl ?? new URL(`http://127.0.0.1:${upstreamPort}/v1`),
      authorization:
        options.authorization ?? (async () => ok([["authorization", `Bearer ${KEY}`]] as const)),
      ...(options.headers === undefined ? {} : { headers: options.headers }),
      ...(options.renew === undefined ? {} : { renew: options.renew }),
      upstreamProxy: options.upstreamProxy,
    },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    checkBody: options.checkBody ?? ((body) => ok(body)),
    ...(options.network === undefined ? {} : { network: options.network }),
    onEvent: (event) => events.push(event),
    log: recordingLog(logged),
  });
  const local = Object.entries(options.local ?? {});
  const relay = spawn(process.execPath, [RELAY], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, CODEX_CHAT_LOCAL: local.map(([port]) => port).join(",") },
  });
  const link = await egress.attach({
    readable: relay.stdout,
    writable: relay.stdin,
    local: local.map(([, target]) => target),
  });
  if (!link.ok) throw new Error(link.error.message);
  const pass: TurnPass | undefined = options.turn === false ? undefined : egress.beginTurn();
  onEnd(async () => {
    egress.close();
    if (relay.exitCode === null && relay.signalCode === null) await once(relay, "exit");
    upstream.closeAllConnections();
    upstream.close();
  });
  return { egress, events, link: link.value, logged, pass, relay, upstream };
}

/** Writes every line of a log into a list. */
export function recordingLog(lines: string[]): Log {
  const write = (data: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(data)}`);
  };
  return { debug: write, info: write, warn: write, error: write };
}

/**
 * The same for several tests of a file, begun by the first that asks: a relay costs as much as most
 * tests. Call it where hooks are declared.
 */
export function shareEgress(handler: Handler): () => ReturnType<typeof setUpEgress> {
  const ends: (() => Promise<void>)[] = [];
  let shared: ReturnType<typeof setUpEgress> | undefined;
  afterAll(async () => {
    for (const end of ends) await end();
  });
  return () => {
    shared ??= setUpEgress(handler, { onEnd: (end) => ends.push(end) });
    return shared;
  };
}

/** Listens on a free loopback port until the test ends. */
export async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  onTestFinished(() => void server.close());
  return listening(server, host);
}

async function listening(server: Server, host = "127.0.0.1"): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** An upstream of bytes: answers whatever it is asked with `answer`, then ends or breaks off. */
export async function listenRaw(answer: string | Buffer, how: "end" | "reset" = "end") {
  const { createServer: createTcpServer } = await import("node:net");
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      if (how === "end") socket.end(answer);
      else socket.write(answer, () => socket.resetAndDestroy());
    });
  });
  return new URL(`http://127.0.0.1:${await listen(server)}/v1`);
}

export type Answer = { status: number; headers: IncomingHttpHeaders; body: string };

/** What a call inside sends; by default what Codex would. */
export type CallOptions = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
};

/** Opens a call from inside; the answer's body is the caller's to read. */
export function open(port: number, options: CallOptions = {}) {
  const out = request({
    host: "127.0.0.1",
    port,
    method: options.method ?? "POST",
    path: options.path ?? MODEL_PATH,
    headers: { "content-type": "application/json", ...options.headers },
    agent: false,
  });
  out.end(options.method === "GET" ? undefined : (options.body ?? "{}"));
  return out;
}

/** Makes a call from inside and reads the whole answer; rejects where it is cut. */
export function call(port: number, options: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = open(port, options);
    out.on("error", reject);
    out.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
      response.on("error", reject);
    });
  });
}

/** Sends raw bytes and returns all that comes back until the connection is closed. */
export async function raw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  // Not `once`, which rejects on an error: a refusal may well be a reset.
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

/** Reads a raw HTTP answer: its status and, where it is one, its JSON body. */
export function parseAnswer(text: string): { status: number; body: unknown } {
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  try {
    return { status, body: JSON.parse(body) };
  } catch {
    return { status, body };
  }
}

/** Answers every call shortly. */
export const sayHello: Handler = (incoming, response) => {
  incoming.resume();
  incoming.on("end", () => response.end("hello"));
};

/** Waits until a number stays the same over some polls, milliseconds apart: what fills up is full. */
export async function settled(value: () => number, interval = 20): Promise<void> {
  let last = Number.NaN;
  let same = 0;
  const looks = () => {
    same = value() === last ? same + 1 : 0;
    last = value();
    return same;
  };
  await expect.poll(looks, { interval, timeout: 20_000 }).toBeGreaterThan(10);
}

/** A request as Codex 0.171 makes them, with something changed. */
export function codexRequest(changes: object = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      model: "gpt-5.5",
      stream: true,
      store: false,
      input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }],
      tools: [
        { type: "function", name: "exec_command", strict: false, parameters: { type: "object" } },
        { type: "custom", name: "apply_patch", format: { type: "grammar" } },
        { type: "tool_search", execution: "client", parameters: {} },
        { type: "namespace", name: "mcp", tools: [{ type: "function", name: "x" }] },
      ],
      tool_choice: "auto",
      parallel_tool_calls: true,
      reasoning: { effort: "medium", summary: "auto", context: "all_turns" },
      include: ["reasoning.encrypted_content"],
      prompt_cache_key: "0190",
      text: { verbosity: "low" },
      client_metadata: { session_id: "x", "x-codex-turn-metadata": "{}" },
      ...changes,
    }),
  );
}
