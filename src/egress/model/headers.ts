import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Redactor } from "../secrets/index.ts";

/** The request headers that go upstream; everything else from the sandbox is dropped. */
const REQUEST_HEADERS =
  /^(content-type|accept|user-agent|originator|session[-_]id|thread-id|conversation[-_]id|version|openai-beta|x-codex-[a-z-]+|x-client-request-id)$/;
/** The response headers that go to the sandbox. */
const RESPONSE_HEADERS =
  /^(content-type|cache-control|retry-after|retry-after-ms|x-request-id|openai-[a-z-]+|x-ratelimit-[a-z-]+|x-codex-[a-z-]+)$/;

/**
 * The headers of a call upstream: the allowed ones of the request, then ours, which win.
 *
 * SECURITY: this is an allow-list; no header passes because it is missing from a deny-list.
 */
export function requestHeaders(
  inside: IncomingHttpHeaders,
  ours: readonly (readonly [name: string, value: string])[],
  bodyBytes: number,
): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(inside))
    if (value !== undefined && REQUEST_HEADERS.test(name)) headers[name] = value;
  // The body as it is sent, which may differ from the request's; some upstreams refuse chunks.
  headers["content-length"] = bodyBytes;
  // An encoded response could hide the key from the redactor.
  headers["accept-encoding"] = "identity";
  for (const [name, value] of ours) headers[name.toLowerCase()] = value;
  return headers;
}

/** The headers of a response, as the sandbox gets them. */
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

/** Whether a body is not compressed or otherwise encoded. */
export function isIdentity(headers: IncomingHttpHeaders): boolean {
  const codings = `${headers["content-encoding"] ?? ""},${headers["transfer-encoding"] ?? ""}`;
  return codings.split(",").every((coding) => /^\s*(identity|chunked)?\s*$/i.test(coding));
}

/** The delay of a Retry-After header in milliseconds; undefined unless it has seconds or a date. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
