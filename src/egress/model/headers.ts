import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Redactor } from "../secrets/index.ts";

/** What of a request goes upstream; everything else that the sandbox sends is dropped. */
const REQUEST_HEADERS =
  /^(content-type|accept|user-agent|originator|session[-_]id|thread-id|conversation[-_]id|version|openai-beta|x-codex-[a-z-]+|x-client-request-id)$/;
/** What of an answer goes to the sandbox. */
const RESPONSE_HEADERS =
  /^(content-type|cache-control|retry-after|retry-after-ms|x-request-id|openai-[a-z-]+|x-ratelimit-[a-z-]+|x-codex-[a-z-]+)$/;

/**
 * The headers of a call upstream: the few that belong to it, then ours, which win.
 *
 * SECURITY: a name is passed because it is on the list, never because it is not on another.
 */
export function requestHeaders(
  inside: IncomingHttpHeaders,
  ours: readonly (readonly [name: string, value: string])[],
  bodyBytes: number,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(inside))
    if (value !== undefined && REQUEST_HEADERS.test(name)) headers[name] = value;
  // Of the body as it is sent, and some upstreams take no chunks.
  headers["content-length"] = bodyBytes;
  // An encoded answer could hide the key from the redaction.
  headers["accept-encoding"] = "identity";
  for (const [name, value] of ours) headers[name.toLowerCase()] = value;
  return headers;
}

/** The headers of an answer, as the sandbox gets them. */
export function responseHeaders(
  upstream: IncomingHttpHeaders,
  redactor: Redactor,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { connection: "close" };
  for (const [name, value] of Object.entries(upstream))
    if (typeof value === "string" && RESPONSE_HEADERS.test(name))
      headers[name] = redactor.text(value).replace(/[^\t\x20-\x7e]/g, "?");
  return headers;
}

/** True where a body is what it seems, and not packed. */
export function isIdentity(headers: IncomingHttpHeaders): boolean {
  const codings = `${headers["content-encoding"] ?? ""},${headers["transfer-encoding"] ?? ""}`;
  return codings.split(",").every((coding) => /^\s*(identity|chunked)?\s*$/i.test(coding));
}

/** Milliseconds, where the header has seconds or a date; undefined where it is neither. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
