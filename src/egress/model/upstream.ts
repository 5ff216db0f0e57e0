import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type OutgoingHttpHeaders,
} from "node:http";
import { request as httpsRequest, type Agent as TlsAgent } from "node:https";
import type { Log } from "../../log.ts";
import type { Result } from "../../result.ts";
import type { UpstreamProxy } from "../network/index.ts";
import { tlsAgent } from "../tls/index.ts";

/** A header that authorizes calls upstream. */
export type AuthorizationHeader = readonly [name: string, value: string];

/** The headers that authorize a call, or why there are none, phrased for the user. */
export type Authorization = Result<readonly AuthorizationHeader[], { readonly message: string }>;

/** The one endpoint that model calls go to. */
export type Upstream = {
  /** With a path prefix, such as `https://api.openai.com/v1`; a query is sent with each call. */
  readonly baseUrl: URL;
  /**
   * Asked before each call. SECURITY: the values are secrets. They go to the upstream alone and are
   * redacted from its responses.
   */
  readonly authorization: () => Promise<Authorization>;
  /**
   * Asked once per call, if the upstream has answered 401: true if there may be a new credential,
   * so that sending the call again makes sense.
   */
  readonly renew?: () => Promise<boolean>;
  /** Sent with each call; not secret, such as an account's id or a version. */
  readonly headers?: readonly AuthorizationHeader[];
  /** The proxy between this machine and the internet, if there is one. */
  readonly upstreamProxy?: UpstreamProxy | undefined;
};

/** Opens calls to the fixed upstream; TLS connections are kept for the next call. */
export class UpstreamCaller {
  readonly #url: URL;
  readonly #upstreamProxy: UpstreamProxy | undefined;
  readonly #log: Log;
  /**
   * For http: the endpoint is a machine nearby, where a new connection is cheap and never stale.
   * The settings refuse an http endpoint behind a proxy.
   */
  readonly #plain = new Agent({ keepAlive: false });
  #tls: TlsAgent | undefined;

  constructor({ baseUrl, upstreamProxy }: Upstream, log: Log) {
    this.#upstreamProxy = upstreamProxy;
    this.#url = new URL(baseUrl);
    this.#url.pathname = `${baseUrl.pathname.replace(/\/+$/, "")}/responses`;
    this.#url.hash = "";
    this.#log = log;
  }

  /** Starts a POST. @throws if HTTP cannot carry a header's value. */
  open(headers: OutgoingHttpHeaders): ClientRequest {
    if (this.#url.protocol !== "https:")
      return httpRequest(this.#url, { method: "POST", headers, agent: this.#plain });
    this.#tls ??= tlsAgent(process.env, this.#log, this.#upstreamProxy);
    return httpsRequest(this.#url, { method: "POST", headers, agent: this.#tls });
  }

  /** Closes idle connections. */
  close(): void {
    this.#plain.destroy();
    this.#tls?.destroy();
  }
}
