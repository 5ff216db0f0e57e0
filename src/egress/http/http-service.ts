import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { refuse, refuseConnection } from "./http-refusal.ts";

/** Small headers are enough for model calls; large ones are a way to fill memory. */
const MAX_HEADER_BYTES = 32 * 1024;

/** What a port inside does with what is asked of it. */
export type ServiceHandlers = {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** Returns the refusal of an upgrade, and of a CONNECT where that is not served. */
  readonly onTunnel: (request: IncomingMessage) => string;
  /** Serves a CONNECT; `head` is what came right behind it. */
  readonly onConnect?: (request: IncomingMessage, connection: Duplex, head: Buffer) => void;
};

/**
 * Makes an HTTP server for connections that were accepted elsewhere; it listens nowhere itself.
 *
 * SECURITY: a connection serves one request. Nothing can be smuggled behind it, and no queue of
 * requests can grow. Node enforces its own time limits only on servers that listen, so that the one
 * on headers is kept here.
 */
export function createService(
  handlers: ServiceHandlers,
  limits: { readonly headersMs: number },
): (connection: Duplex) => void {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false });
  // SECURITY: beyond a count, by default 2000, Node drops headers that its parser has obeyed, such
  // as the body's length; their bytes are bounded already.
  server.maxHeadersCount = 0;
  /** Connections that have not asked yet, and what was asked on the others. */
  const patience = new WeakMap<Duplex, NodeJS.Timeout>();
  const asked = new WeakMap<Duplex, ServerResponse>();

  const serve = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { socket } = request;
    clearTimeout(patience.get(socket));
    // Whole only after its time was over, and answered already.
    if (!socket.writable) {
      socket.destroy();
      return false;
    }
    const first = asked.get(socket);
    if (first !== undefined) {
      socket.pause();
      refuse(first, 400, "codex-chat: a connection serves one request.");
      return false;
    }
    asked.set(socket, response);
    response.setHeader("connection", "close");
    // Node's parser takes a line without a version for HTTP/0.9.
    if (request.httpVersionMajor === 1) return true;
    refuse(response, 400, "codex-chat: only HTTP/1.0 and HTTP/1.1 are spoken here.");
    return false;
  };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (serve(request, response)) handlers.onRequest(request, response);
  };
  server.on("request", answer);
  // Whether to go on is for the handler to say, once it knows that it wants the body.
  server.on("checkContinue", answer);
  server.on("checkExpectation", (request, response) => {
    if (serve(request, response)) refuse(response, 417, "codex-chat: this expectation is not met.");
  });
  const tunnel = (request: IncomingMessage, connection: Duplex) => {
    clearTimeout(patience.get(connection));
    if (asked.has(connection)) connection.destroy();
    else refuseConnection(connection, 403, handlers.onTunnel(request));
  };
  server.on("connect", (request, connection, head) => {
    const { onConnect } = handlers;
    if (onConnect === undefined || asked.has(connection) || request.httpVersionMajor !== 1) {
      tunnel(request, connection);
      return;
    }
    clearTimeout(patience.get(connection));
    onConnect(request, connection, head);
  });
  server.on("upgrade", tunnel);
  server.on("clientError", (error: NodeJS.ErrnoException, connection) => {
    clearTimeout(patience.get(connection));
    const { status, message } = refusalOf(error);
    const first = asked.get(connection);
    if (first === undefined) refuseConnection(connection, status, message);
    // What is malformed is the rest of a request that is being answered.
    else refuse(first, status, message);
  });

  return (connection) => {
    const waited = `codex-chat: no request within ${limits.headersMs / 1000} s.`;
    const timer = setTimeout(() => refuseConnection(connection, 408, waited), limits.headersMs);
    patience.set(connection, timer);
    connection.once("close", () => clearTimeout(timer));
    server.emit("connection", connection);
  };
}

function refusalOf(error: NodeJS.ErrnoException): { status: number; message: string } {
  if (error.code === "HPE_HEADER_OVERFLOW")
    return {
      status: 431,
      message: `codex-chat: the request's headers are larger than ${MAX_HEADER_BYTES / 1024} KiB.`,
    };
  return {
    status: 400,
    message: `codex-chat: this is not a well-formed HTTP request (${error.code ?? "unknown"}).`,
  };
}
