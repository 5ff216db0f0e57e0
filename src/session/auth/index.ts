/**
 * The model's endpoint, and the credentials for it and for the proxy: key, key command, login.
 *
 * Must not know the sandbox or conversations. No key leaves the host.
 */
export { Account } from "./account.ts";
export { credentialLine, openCredential, warningOf } from "./credential.ts";
export { endpointOf } from "./endpoint.ts";
export { KeyRing } from "./key-command.ts";
export { upstreamProxyOf } from "./upstream-proxy.ts";
