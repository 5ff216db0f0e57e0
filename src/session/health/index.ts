/**
 * `:checkhealth codex-chat`: looks at everything a turn needs, in the order in which it needs it.
 *
 * It starts no turn and no sandbox.
 */
export { checkHealth } from "./health.ts";
