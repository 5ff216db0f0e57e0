import type { ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** How long the sandbox may take to read what was sent of a response that is cut. */
const CUT_MS = 2000;

/** Responds with a refusal that programs and people can read, and closes the connection. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = refusalBody(message);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
}

/** The same for a connection without a request, because none came or it is malformed. */
export function refuseConnection(stream: Duplex, status: number, message: string): void {
  if (!stream.writable) {
    stream.destroy();
    return;
  }
  const body = refusalBody(message);
  stream.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
      "",
      body,
    ].join("\r\n"),
  );
  if ("destroySoon" in stream && typeof stream.destroySoon === "function") stream.destroySoon();
  else stream.once("finish", () => stream.destroy());
}

/**
 * Breaks off a response that has begun, once what was sent of it has been read: the user is shown that.
 */
export function cutResponse(response: ServerResponse): void {
  const timer = setTimeout(() => response.destroy(), CUT_MS);
  response.on("close", () => clearTimeout(timer));
  response.write("", () => response.destroy());
}

/** The message for a body over the limit. */
export function tooLarge(maxBytes: number): string {
  const limit =
    maxBytes < 1024 ** 2 ? `${maxBytes} bytes` : `${Math.round(maxBytes / 1024 ** 2)} MiB`;
  return `codex-chat: the request is larger than ${limit}.`;
}

function refusalBody(message: string): string {
  return JSON.stringify({ error: { message, type: "codex_chat_refused" } });
}
