/**
 * A way out as one writes it without thinking of an attacker: a reverse proxy that adds the key and
 * passes on what it is given, and a forward proxy that dials whatever it is asked for.
 */

import { createServer, request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { Mux } from "../../src/egress/link/mux.ts";
import { KEY } from "./victims.ts";

/** Attaches it to a relay; gives the relay's ports. */
export async function attachNaively(
  relay: { readonly readable: Readable; readonly writable: Writable },
  options: {
    readonly upstreamPort: number;
    /** Ports on loopback that stand for hosts of the network. */
    readonly hosts: Readonly<Record<string, number>>;
    /** Whether requests to hosts are parsed and written anew, as a library does it. */
    readonly parsed?: boolean;
  },
): Promise<{ modelPort: number; proxyPort: number }> {
  const dial = (target: string): Duplex => {
    const { hostname, port } = new URL(`http://${target}`);
    const socket = connect({
      host: options.hosts[hostname] === undefined ? hostname.replace(/^\[|\]$/g, "") : "127.0.0.1",
      port: options.hosts[hostname] ?? Number(port || 80),
    });
    socket.on("error", () => {});
    return socket;
  };
  const parser = parsing(options.hosts);
  return new Promise((resolve) => {
    new Mux(relay.readable, relay.writable, {
      onHello: (payload) => {
        const { model, proxy } = JSON.parse(payload.toString("utf8"));
        resolve({ modelPort: model, proxyPort: proxy });
      },
      onStream: (service, stream) => {
        stream.on("error", () => {});
        if (service === 2 && options.parsed === true) parser.emit("connection", stream);
        else
          void serve(stream, service === 1 ? `127.0.0.1:${options.upstreamPort}` : undefined, dial);
      },
      onClosed: () => {},
    });
  });
}

/** Passes on what Node's parser gives of each request, without what is the connection's. */
function parsing(hosts: Readonly<Record<string, number>>) {
  return createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://nowhere.invalid");
    const headers = { ...request.headers };
    const own = `connection,transfer-encoding,${request.headers.connection ?? ""}`;
    for (const name of own.split(",")) delete headers[name.trim().toLowerCase()];
    const out = httpRequest(
      { port: hosts[url.hostname] ?? 1, method: request.method, path: url.pathname, headers },
      (answer) => answer.pipe(response),
    );
    out.on("error", () => response.destroy());
    request.pipe(out);
  });
}

/** Reads a request's head and pipes everything to where it leads, the key added. */
async function serve(
  stream: Duplex,
  upstream: string | undefined,
  dial: (target: string) => Duplex,
): Promise<void> {
  const head = await readHead(stream);
  if (head === undefined) return;
  const [, method = "", target = ""] = /^(\S+) (\S+)/.exec(head.text) ?? [];
  if (method === "CONNECT") {
    stream.write("HTTP/1.1 200 OK\r\n\r\n");
    join(stream, dial(target), head.rest);
    return;
  }
  const absolute = /^http:\/\/([^/]+)(.*)$/.exec(target);
  const host = /^host: *([\w.:[\]-]+)/im.exec(head.text)?.[1];
  const isOther = upstream === undefined || host?.includes(":") === true;
  const to = absolute?.[1] ?? (isOther ? host : upstream) ?? upstream ?? "";
  const line = `${method} ${absolute === null ? target : absolute[2]} HTTP/1.1\r\n`;
  const headers = head.text.slice(head.text.indexOf("\r\n") + 2);
  const passed = Buffer.from(`${line}authorization: Bearer ${KEY}\r\n${headers}`, "latin1");
  join(stream, dial(to), Buffer.concat([passed, head.rest]));
}

function join(stream: Duplex, out: Duplex, first: Buffer): void {
  out.write(first);
  stream.pipe(out).pipe(stream);
}

async function readHead(stream: Duplex): Promise<{ text: string; rest: Buffer } | undefined> {
  let bytes = Buffer.alloc(0);
  return new Promise((resolve) => {
    stream.on("end", () => resolve(undefined));
    stream.on("close", () => resolve(undefined));
    stream.on("data", function read(chunk: Buffer) {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      stream.off("data", read);
      stream.pause();
      resolve({ text: bytes.toString("latin1", 0, end + 4), rest: bytes.subarray(end + 4) });
    });
  });
}
