/**
 * The HTTP proxy through which programs inside reach hosts other than the model's.
 *
 * Must not know model calls, and does not store the user's decisions.
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
