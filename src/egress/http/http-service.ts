import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { refuse, refuseConnection } from "./http-refusal.ts";

/** Model calls need only small headers; large ones are a way to fill memory. */
const MAX_HEADER_BYTES = 32 * 1024;

/** The handlers of one port inside. */
export type ServiceHandlers = {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** Returns the refusal for an upgrade, and for a CONNECT if there is no `onConnect`. */
  readonly onTunnel: (request: IncomingMessage) => string;
  /** Serves a CONNECT; `head` holds the bytes that came right after it. */
  readonly onConnect?: (request: IncomingMessage, connection: Duplex, head: Buffer) => void;
};

/**
 * Creates an HTTP server for connections that were accepted elsewhere; it does not listen itself.
 *
 * SECURITY: a connection serves one request, so that nothing can be smuggled behind it and no queue
 * of requests can grow. Node enforces its own time limits only on servers that listen; the limit on
 * headers is therefore enforced here.
 */
export function createService(
  handlers: ServiceHandlers,
  limits: { readonly headersMs: number },
): (connection: Duplex) => void {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false });
  // SECURITY: above a count (2000 by default) Node drops headers that its parser has already used,
  // such as the body's length. The size of all headers is bounded anyway.
  server.maxHeadersCount = 0;
  /** Timers of connections without a request yet, and the responses of the others. */
  const headerTimers = new WeakMap<Duplex, NodeJS.Timeout>();
  const responses = new WeakMap<Duplex, ServerResponse>();

  const serve = (request: IncomingMessage, response: ServerResponse): boolean => {
    const { socket } = request;
    clearTimeout(headerTimers.get(socket));
    // The headers were complete only after the time-out, which has been answered.
    if (!socket.writable) {
      socket.destroy();
      return false;
    }
    const first = responses.get(socket);
    if (first !== undefined) {
      socket.pause();
      refuse(first, 400, "codex-chat: a connection serves one request.");
      return false;
    }
    responses.set(socket, response);
    response.setHeader("connection", "close");
    // Node's parser reads a request line without a version as HTTP/0.9.
    if (request.httpVersionMajor === 1) return true;
    refuse(response, 400, "codex-chat: only HTTP/1.0 and HTTP/1.1 are supported here.");
    return false;
  };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    if (serve(request, response)) handlers.onRequest(request, response);
  };
  server.on("request", answer);
  // The handler sends "100 Continue" once it wants the body.
  server.on("checkContinue", answer);
  server.on("checkExpectation", (request, response) => {
    if (serve(request, response)) refuse(response, 417, "codex-chat: this expectation is not met.");
  });
  const tunnel = (request: IncomingMessage, connection: Duplex) => {
    clearTimeout(headerTimers.get(connection));
    if (responses.has(connection)) connection.destroy();
    else refuseConnection(connection, 403, handlers.onTunnel(request));
  };
  server.on("connect", (request, connection, head) => {
    const { onConnect } = handlers;
    if (onConnect === undefined || responses.has(connection) || request.httpVersionMajor !== 1) {
      tunnel(request, connection);
      return;
    }
    clearTimeout(headerTimers.get(connection));
    onConnect(request, connection, head);
  });
  server.on("upgrade", tunnel);
  server.on("clientError", (error: NodeJS.ErrnoException, connection) => {
    clearTimeout(headerTimers.get(connection));
    const { status, message } = refusalOf(error);
    const first = responses.get(connection);
    if (first === undefined) refuseConnection(connection, status, message);
    // The malformed part is the rest of a request that is already being answered.
    else refuse(first, status, message);
  });

  return (connection) => {
    const waited = `codex-chat: no request within ${limits.headersMs / 1000} s.`;
    const timer = setTimeout(() => refuseConnection(connection, 408, waited), limits.headersMs);
    headerTimers.set(connection, timer);
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
