/**
 * The only way out of a sandbox: carries the relay's connections, passes model calls to one fixed
 * upstream with the key added on the host, and reaches what else the user allows.
 *
 * It must not know Neovim, Docker or Codex's messages, and hands a secret to nobody but the
 * upstream.
 */
export { createEgress, type Egress, type EgressLimits, type RelayLink } from "./egress.ts";
export type { EgressError, EgressEvent, ModelFailureKind } from "./events.ts";
export {
  AllowList,
  type DecidedBy,
  entryFor,
  isDirect,
  type Lookup,
  type NetworkPolicy,
  type OutwardProxy,
  parseTarget,
  type Target,
  targetText,
  type Verdict,
} from "./network/index.ts";
export { tlsAgent } from "./trust.ts";
export type { TurnAllowance, TurnPass } from "./turn-gate.ts";
export type { Authorization, AuthorizationHeader, Upstream } from "./upstream.ts";
