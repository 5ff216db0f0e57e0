/** What an attacker on the network is after: services of the user's that must not be reached. */
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { closeAtEnd } from "./places.ts";

/** A service that counts who reached it. */
export type Victim = {
  readonly port: number;
  /** What each connection said that said something, and how many there were at all. */
  readonly heard: string[];
  readonly reached: () => number;
};

/** Listens on the host, on `host` or at a path, and answers whatever comes with a page. */
export async function listenAsVictim(
  where: { host?: string; path?: string } = {},
): Promise<Victim> {
  let count = 0;
  const heard: string[] = [];
  const server = createServer((socket) => {
    count++;
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      const n = heard.push(chunk.toString("latin1")) - 1;
      socket.on("data", (more) => {
        heard[n] += more.toString("latin1");
      });
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret");
    });
  });
  const { path, host = "127.0.0.1" } = where;
  return { port: await listen(server, path ?? { port: 0, host }), heard, reached: () => count };
}

/** The key that must not reach anybody but the upstream. */
export const KEY = "sk-canary-attack-0123456789abcdef";

/** A request as the model's endpoint saw it. */
type SeenRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: string;
  bytes: number;
  /** What came of its body, the first of it. */
  body: string;
};

/** The model's endpoint: lenient with malformed requests, so that nothing but the product stops them. */
export type UpstreamDouble = {
  readonly port: number;
  readonly seen: SeenRequest[];
  readonly upgrades: () => number;
  /** The most requests that were under way at a time. */
  readonly mostAtOnce: () => number;
  /** How it answers from now on; by default shortly. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
};

/** Starts one on loopback. */
export async function startUpstream(): Promise<UpstreamDouble> {
  const seen: SeenRequest[] = [];
  let [upgrades, now, most] = [0, 0, 0];
  const short: UpstreamDouble["answer"] = (_request, response) => void response.end("hello");
  const double = {
    seen,
    upgrades: () => upgrades,
    mostAtOnce: () => most,
    answer: short,
  };
  const server = createHttpServer({ insecureHTTPParser: true }, (request, response) => {
    const { method = "", url = "", rawHeaders } = request;
    const call: SeenRequest = { method, url, headers: rawHeaders.join("\n"), bytes: 0, body: "" };
    seen.push(call);
    most = Math.max(most, ++now);
    response.on("close", () => now--);
    request.on("error", () => {});
    request.on("data", (chunk: Buffer) => {
      call.bytes += chunk.length;
      if (call.body.length < 64 * 1024) call.body += chunk.toString("latin1");
    });
    request.on("end", () => double.answer(request, response));
  });
  // What was sent behind a request is still taken, and then nobody waits.
  server.keepAliveTimeout = 200;
  server.on("upgrade", (_request, socket) => {
    upgrades++;
    socket.on("error", () => {});
    socket.end(
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    );
  });
  closeAtEnd(async () => server.closeAllConnections());
  return Object.assign(double, { port: await listen(server, { port: 0, host: "127.0.0.1" }) });
}

async function listen(
  server: Server,
  where: string | { port: number; host: string },
): Promise<number> {
  server.listen(where);
  await once(server, "listening");
  closeAtEnd(async () => void server.close());
  return typeof where === "string" ? 0 : (server.address() as AddressInfo).port;
}
