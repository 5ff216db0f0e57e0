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

/** What authorizes a call, or why it could not be had, in words for the user. */
export type Authorization = Result<readonly AuthorizationHeader[], { readonly message: string }>;

/** The one place that model calls go to. */
export type Upstream = {
  /** With a path prefix, such as `https://api.openai.com/v1`; a query is sent with each call. */
  readonly baseUrl: URL;
  /**
   * Asked before each call. SECURITY: the values are secrets; they reach the upstream alone and are
   * taken out of whatever it answers.
   */
  readonly authorization: () => Promise<Authorization>;
  /**
   * Asked once in a call that the upstream has refused with 401: true where what authorizes may be
   * another now, so that the call is worth sending again.
   */
  readonly renew?: () => Promise<boolean>;
  /** Sent with each call and no secrets, such as an account's id or a version. */
  readonly headers?: readonly AuthorizationHeader[];
  /** What stands between this machine and the world; absent where nothing does. */
  readonly upstreamProxy?: UpstreamProxy | undefined;
};

/** Opens calls to the fixed upstream; the connections of one are kept for the next where it pays. */
export class UpstreamCaller {
  readonly #url: URL;
  readonly #upstreamProxy: UpstreamProxy | undefined;
  readonly #log: Log;
  /**
   * In clear text it is a machine nearby, where a new connection costs nothing and never is stale;
   * it is reached without a proxy, or not configured.
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

  /** Begins a POST; throws where a header's value is none that HTTP can carry. */
  open(headers: OutgoingHttpHeaders): ClientRequest {
    if (this.#url.protocol !== "https:")
      return httpRequest(this.#url, { method: "POST", headers, agent: this.#plain });
    this.#tls ??= tlsAgent(process.env, this.#log, this.#upstreamProxy);
    return httpsRequest(this.#url, { method: "POST", headers, agent: this.#tls });
  }

  /** Closes the connections that wait for a next call. */
  close(): void {
    this.#plain.destroy();
    this.#tls?.destroy();
  }
}
