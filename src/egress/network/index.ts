/**
 * The way to other hosts than the model's: an HTTP proxy for the programs inside. It knows nothing
 * of the model's calls and keeps no decision of the user's.
 */
export { AllowList, entryFor } from "./allow.ts";
export {
  DEFAULT_NETWORK_LIMITS,
  type NetworkLimits,
  type NetworkPolicy,
  type NetworkVerdict,
} from "./policy.ts";
export { NetworkProxy } from "./proxy.ts";
export { parseTarget, type Target, targetText } from "./target.ts";
export { isDirect, openTunnel, type UpstreamProxy } from "./upstream-proxy.ts";
