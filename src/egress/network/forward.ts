import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { err, ok, type Result } from "../../result.ts";
import { hostText, parseTarget, type Target } from "./target.ts";
import type { Route } from "./upstream-proxy.ts";

const HTTP_PORT = 80;
const MAX_ANSWER_HEADERS = 64 * 1024;
/** Headers that belong to a single connection (RFC 9110, 7.6.1), or are for the proxy. */
const HOP_BY_HOP =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|http2-settings|expect|host|max-forwards)$/;

/** A request to a proxy that can be forwarded: its target, and the path there. */
export type PlainRequest = { readonly target: Target; readonly path: string };

/** Why a request cannot be forwarded, whatever its target. */
export type BadRequest = { readonly status: number; readonly why: string };

/**
 * Reads the target of a plain HTTP request.
 *
 * SECURITY: the request line is never forwarded as it came: host, port and path are parsed here and
 * written again. A Host header that names another site than the target is an attack.
 */
export function readPlainRequest(request: IncomingMessage): Result<PlainRequest, BadRequest> {
  const wrong = (why: string) => err({ status: 400, why });
  // The server would echo the request, which may hold the upstream proxy's password.
  if (request.method === "TRACE") return err({ status: 405, why: "TRACE is not forwarded" });
  const url = request.url ?? "";
  const [, scheme, authority = "", path = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\]*)([^#\\]*)$/i.exec(url) ?? [];
  if (scheme === undefined) return wrong("a proxy needs a full URL, as in GET http://example.org/");
  if (scheme.toLowerCase() !== "http")
    return wrong(`${scheme.slice(0, 20)}: is not forwarded; for https, use CONNECT`);
  if (!/^[\x21-\x7e]*$/.test(path)) return wrong("its path is not ASCII");
  const target = parseTarget(authority, HTTP_PORT);
  if (target === undefined) return wrong("its URL has no valid host");
  // Node drops a second Host header from `headers` silently.
  const hosts = request.rawHeaders.filter((name, n) => n % 2 === 0 && /^host$/i.test(name));
  const named = request.headers.host;
  if (hosts.length > 1) return wrong("it has several Host headers");
  if (named !== undefined) {
    const host = parseTarget(named, HTTP_PORT);
    if (host?.host !== target.host || host.port !== target.port)
      return wrong("its Host header names another site than its URL");
  }
  return ok({ target, path: path.startsWith("/") ? path : `/${path}` });
}

/**
 * Forwards a request over its own connection, and the response back. Resolves with the reason if it
 * failed before the response began; never rejects.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  { target, path }: PlainRequest,
  { socket, atProxy }: Route,
): Promise<string | undefined> {
  if (socket.destroyed) return Promise.resolve("the connection was cut");
  return new Promise((resolve) => {
    const host = `${hostText(target.host)}${target.port === HTTP_PORT ? "" : `:${target.port}`}`;
    const framing = framingOf(request);
    const out = httpRequest({
      createConnection: () => socket,
      method: request.method ?? "GET",
      path: atProxy === undefined ? path : `http://${host}${path}`,
      headers: [
        ...["host", host, "connection", "close"],
        ...(atProxy?.authorization === undefined
          ? []
          : ["proxy-authorization", atProxy.authorization]),
        ...forwardedHeaders(request.rawHeaders, `${request.headers.connection},content-length`),
        ...framing,
      ],
      maxHeaderSize: MAX_ANSWER_HEADERS,
    });
    const fail = (why: string) => {
      out.destroy();
      // Headers of a response that failed must not describe the refusal that is sent instead.
      for (const name of response.headersSent ? [] : response.getHeaderNames())
        response.removeHeader(name);
      resolve(why);
    };
    out.once("upgrade", (_answer, upgraded) => {
      upgraded.destroy();
      fail("it answered with an upgrade");
    });
    out.on("error", (error: NodeJS.ErrnoException) => fail(`it failed (${error.code ?? "?"})`));
    out.once("response", (answer) => {
      if (atProxy !== undefined && answer.statusCode === 407) {
        fail(atProxy.refused());
        return;
      }
      try {
        const headers = forwardedHeaders(answer.rawHeaders, answer.headers.connection);
        for (let n = 0; n + 1 < headers.length; n += 2)
          response.appendHeader(headers[n] ?? "", headers[n + 1] ?? "");
        response.writeHead(answer.statusCode ?? 502);
      } catch {
        fail("its response has headers that cannot be forwarded");
        return;
      }
      answer.pipe(response);
      answer.once("error", () => response.destroy());
      answer.once("aborted", () => response.destroy());
      resolve(undefined);
    });
    response.sendDate = false;
    response.once("close", () => out.destroy());
    socket.once("close", () => fail("the connection was cut"));
    if (framing.length > 0) request.pipe(out);
    else out.end();
  });
}

/**
 * The headers that frame a request's body.
 *
 * SECURITY: copies the framing that Node's parser used, even if the client lists it in
 * `Connection`; without it, the server would parse the body as the next request.
 */
function framingOf({ headers }: IncomingMessage): readonly string[] {
  if (headers["transfer-encoding"] !== undefined) return ["transfer-encoding", "chunked"];
  const length = headers["content-length"];
  return length === undefined ? [] : ["content-length", length];
}

/** The headers to forward, names and values in turn, as they came. */
function forwardedHeaders(raw: readonly string[], connection: string | undefined): string[] {
  const named = new Set((connection ?? "").toLowerCase().split(/[\s,]+/));
  const out: string[] = [];
  for (let n = 0; n + 1 < raw.length; n += 2) {
    const name = raw[n] ?? "";
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.test(lower) || named.has(lower)) continue;
    out.push(name, raw[n + 1] ?? "");
  }
  return out;
}
