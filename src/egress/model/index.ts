/**
 * The one call that may reach the model: checked, rewritten, limited, answered.
 *
 * It must not know Codex's messages, and gives the key to the upstream alone.
 */
export type { ModelCallLimits } from "./model-call.ts";
export { ModelProxy } from "./model-proxy.ts";
export { checkResponsesRequest } from "./responses-request.ts";
export {
  type TurnAllowance,
  TurnGate,
  type TurnLimits,
  type TurnPass,
  type TurnStarter,
} from "./turn-gate.ts";
export type { Authorization, AuthorizationHeader, Upstream } from "./upstream.ts";
