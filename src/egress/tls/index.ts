/**
 * Agents for HTTPS: the certificate authorities, and the user's own proxy.
 *
 * They must not know what they carry.
 */
export { tlsAgent } from "./tls-agent.ts";
