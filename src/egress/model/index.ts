/**
 * The one call that may reach the model: checks it, limits it, adds the key, redacts the response.
 *
 * Must not know Codex's messages. Gives the key to the upstream alone.
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
