/**
 * Where the model is and how calls are authorized: endpoint, key, key command, login, proxy.
 *
 * No key leaves the host.
 */
export { Account } from "./account.ts";
export { credentialLine, openCredential, warningOf } from "./credential.ts";
export { endpointOf } from "./endpoint.ts";
export { KeyRing } from "./key-command.ts";
export { upstreamProxyOf } from "./upstream-proxy.ts";
