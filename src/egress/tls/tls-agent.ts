import { readFileSync } from "node:fs";
import { Agent, type AgentOptions } from "node:https";
import { createSecureContext, rootCertificates } from "node:tls";
import type { Log } from "../../log.ts";
import type { UpstreamProxy } from "../network/index.ts";
import { ProxiedAgent } from "./proxied-agent.ts";

/** Where distributions keep the certificate authorities that the machine trusts. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/ssl/cert.pem",
];
/**
 * How long an idle connection is kept: less than common servers keep it (uvicorn: 5 s), so that a
 * call does not use one that is just being closed.
 */
const KEEP_MS = 4_000;

/**
 * Creates the agent for TLS. It trusts Node's authorities, the machine's (or SSL_CERT_FILE's) and
 * those of NODE_EXTRA_CA_CERTS, and always verifies certificates, through a proxy as well.
 *
 * Node 20 does not know the machine's authorities. The certificates are parsed once here, because
 * parsing them for each connection would take some 20 ms.
 */
export function tlsAgent(env: NodeJS.ProcessEnv, log: Log, upstreamProxy?: UpstreamProxy): Agent {
  const ca: string[] = [...rootCertificates];
  const system = env["SSL_CERT_FILE"];
  for (const path of system === undefined ? SYSTEM_BUNDLES : [system]) {
    const bundle = read(path);
    if (bundle === undefined) continue;
    ca.push(bundle);
    break;
  }
  const extraPath = env["NODE_EXTRA_CA_CERTS"];
  const extra = extraPath === undefined ? undefined : read(extraPath);
  if (extra !== undefined) ca.push(extra);
  else if (extraPath !== undefined)
    log.warn({ path: extraPath }, "NODE_EXTRA_CA_CERTS is unreadable");
  const common = { keepAlive: true, timeout: KEEP_MS, rejectUnauthorized: true };
  try {
    return agentOf({ ...common, secureContext: createSecureContext({ ca }) }, upstreamProxy);
  } catch (thrown) {
    log.warn({ err: thrown }, "certificate authorities cannot be parsed; Node's own are used");
    return agentOf(common, upstreamProxy);
  }
}

function agentOf(options: AgentOptions, upstreamProxy: UpstreamProxy | undefined): Agent {
  return upstreamProxy === undefined
    ? new Agent(options)
    : new ProxiedAgent(options, upstreamProxy);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
