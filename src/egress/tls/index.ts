/**
 * The HTTPS agent: the trusted certificate authorities, and tunnels through the user's proxy.
 *
 * Must not know what the connections carry.
 */
export { tlsAgent } from "./tls-agent.ts";
