import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { EgressEvent } from "./events.ts";
import { plain } from "./plain.ts";

/** Answers with a refusal that programs and people can read, and ends the connection. */
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

/** The same on a connection that has no request, because there is none or it is malformed. */
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

/** Handles what is asked on the proxy's port: every host but the model's is refused for now. */
export function refuseNetwork(
  request: IncomingMessage,
  onEvent: (event: EgressEvent) => void,
): string {
  const { host, port } = proxyTarget(request);
  onEvent({ type: "network_refused", host, port, method: plain(request.method ?? "", 16) });
  return `codex-chat: network access to ${host}:${port} is refused: this sandbox reaches the model and nothing else.`;
}

/** Says that a body is over the limit. */
export function tooLarge(maxBytes: number): string {
  const limit =
    maxBytes < 1024 ** 2 ? `${maxBytes} bytes` : `${Math.round(maxBytes / 1024 ** 2)} MiB`;
  return `codex-chat: the request is larger than ${limit}.`;
}

function refusalBody(message: string): string {
  return JSON.stringify({ error: { message, type: "codex_chat_refused" } });
}

/** SECURITY: the target is the sandbox's own text, and is shown to the user. */
function proxyTarget(request: IncomingMessage): { readonly host: string; readonly port: number } {
  const url = request.url ?? "";
  const absolute = request.method === "CONNECT" ? `connect://${url}` : url;
  if (!URL.canParse(absolute)) return { host: plain(url || "an unknown host", 120), port: 0 };
  const { hostname, port, protocol } = new URL(absolute);
  const known = { "http:": 80, "https:": 443 }[protocol] ?? 0;
  return { host: plain(hostname || url, 253), port: port === "" ? known : Number(port) };
}
