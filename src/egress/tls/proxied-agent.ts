import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { isDirect, openTunnel, parseTarget, type UpstreamProxy } from "../network/index.ts";

/** How long the proxy may take to open a connection. */
const CONNECT_MS = 20_000;
const NEVER = new AbortController().signal;

type OnConnection = (error: Error | null, stream: Duplex) => void;

/**
 * An agent that opens connections by the proxy's CONNECT, except to hosts reached without it.
 *
 * SECURITY: only the connection below TLS differs. The server's name and certificate are checked as
 * usual, so the proxy sees neither the key nor the calls.
 */
export class ProxiedAgent extends Agent {
  readonly #proxy: UpstreamProxy;

  constructor(options: AgentOptions, proxy: UpstreamProxy) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(
    options: RequestOptions,
    onConnection?: OnConnection,
  ): Duplex | null | undefined {
    const target = parseTarget(`${hostOf(options)}:${options.port ?? 443}`);
    // Never fall back to a direct connection.
    if (target === undefined) throw new Error("its name is not valid for a proxy");
    if (isDirect(this.#proxy, target)) return super.createConnection(options, onConnection);
    // Node accepts an error without a connection, which its types do not allow.
    const fail = onConnection as ((error: Error) => void) | undefined;
    void openTunnel(this.#proxy, target, { connectMs: CONNECT_MS, signal: NEVER }).then(
      (tunnel) => {
        if (!tunnel.ok) return fail?.(new Error(tunnel.error.why));
        const over = { ...options, socket: tunnel.value };
        return onConnection?.(null, super.createConnection(over) as Duplex);
      },
      (thrown: unknown) => fail?.(thrown instanceof Error ? thrown : new Error("it failed")),
    );
    return undefined;
  }
}

function hostOf({ host, hostname }: RequestOptions): string {
  const name = host ?? hostname ?? "";
  return name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
}
