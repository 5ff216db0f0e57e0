/** A small proxy as companies have them: CONNECT and whole addresses, by names of its own. */
import { createServer, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { onTestFinished } from "vitest";
import { listen } from "./egress.ts";

/** What a proxy is like. */
export type CompanyProxyOptions = {
  /** Addresses by name; what is not here cannot be reached. */
  readonly names: Readonly<Record<string, string>>;
  /** `user:password` that it asks for; may change. */
  readonly password?: () => string;
};

/** Starts it; it ends with the test. */
export async function startCompanyProxy({ names, password }: CompanyProxyOptions) {
  /** What was asked for, as `METHOD target`. */
  const asked: string[] = [];
  /** All bytes that passed through tunnels from this side. */
  const passed: Buffer[] = [];
  /** What it was told by `Proxy-Authorization`. */
  const told: (string | undefined)[] = [];
  const isKnown = (header: string | undefined) => {
    told.push(header);
    if (password === undefined) return true;
    return header === `Basic ${Buffer.from(password()).toString("base64")}`;
  };
  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    if (!isKnown(incoming.headers["proxy-authorization"])) {
      response.writeHead(407, { "proxy-authenticate": 'Basic realm="inside"' }).end("who are you?");
      return;
    }
    const url = new URL(incoming.url ?? "");
    const address = names[url.hostname];
    if (address === undefined) {
      response.writeHead(503).end();
      return;
    }
    const { "proxy-authorization": _, ...headers } = incoming.headers;
    const out = httpRequest(
      { host: address, port: url.port, method: incoming.method, path: url.pathname, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    incoming.pipe(out);
  });
  server.on("connect", (incoming, socket) => {
    asked.push(`CONNECT ${incoming.url}`);
    socket.on("error", () => {});
    if (!isKnown(incoming.headers["proxy-authorization"])) {
      socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="inside"\r\n\r\n',
      );
      return;
    }
    const { hostname, port } = new URL(`http://${incoming.url}`);
    const address = names[hostname];
    if (address === undefined) {
      socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
      return;
    }
    const out = connect({ host: address, port: Number(port || 80), allowHalfOpen: true }, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.on("data", (chunk: Buffer) => passed.push(chunk));
      socket.pipe(out);
      out.pipe(socket);
    });
    out.on("error", () => socket.destroy());
    onTestFinished(() => void out.destroy());
  });
  const port = await listen(server);
  onTestFinished(() => server.closeAllConnections());
  return { url: new URL(`http://127.0.0.1:${port}`), port, asked, passed, told };
}
