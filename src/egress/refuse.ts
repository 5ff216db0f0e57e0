import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { EgressEvent } from "./events.ts";

/** Answers with a refusal that programs and people can read, and ends the connection. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify({ error: { message, type: "codex_chat_refused", code: null } });
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(body);
}

/** Handles a request on the proxy's port: every host but the model's is refused for now. */
export function refuseProxyRequest(
  request: IncomingMessage,
  response: ServerResponse,
  onEvent: (event: EgressEvent) => void,
): void {
  const target = proxyTarget(request);
  onEvent({ type: "network_refused", ...target, method: visible(request.method ?? "", 16) });
  request.resume();
  response.writeHead(403, { "content-type": "text/plain; charset=utf-8", connection: "close" });
  response.end(refusalText(target));
}

/** Handles CONNECT, which asks for a tunnel. */
export function refuseConnect(
  request: IncomingMessage,
  socket: Duplex,
  onEvent: (event: EgressEvent) => void,
): void {
  const target = proxyTarget(request);
  onEvent({ type: "network_refused", ...target, method: "CONNECT" });
  const text = refusalText(target);
  socket.end(
    `HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}

type Target = { readonly host: string; readonly port: number };

function refusalText({ host, port }: Target): string {
  return `codex-chat: network access to ${host}:${port} is refused: this sandbox reaches the model and nothing else.\n`;
}

/** SECURITY: the target is the sandbox's own text, and is shown to the user. */
function proxyTarget(request: IncomingMessage): Target {
  const url = request.url ?? "";
  const absolute = request.method === "CONNECT" ? `connect://${url}` : url;
  if (!URL.canParse(absolute)) return { host: visible(url || "an unknown host", 120), port: 0 };
  const { hostname, port, protocol } = new URL(absolute);
  const known = { "http:": 80, "https:": 443 }[protocol] ?? 0;
  return { host: visible(hostname || url, 253), port: port === "" ? known : Number(port) };
}

/** Keeps what is printable ASCII, shortened: no escape sequence, no look-alike letter. */
function visible(text: string, max: number): string {
  const safe = text.replace(/[^\x21-\x7e]/g, "?");
  return safe.length <= max ? safe : `${safe.slice(0, max)}…`;
}
