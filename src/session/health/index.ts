/**
 * `:checkhealth codex-chat`: checks everything that a turn needs, in the order in which it needs
 * it.
 *
 * Must not know conversations, and starts no turn; only the self-test runs a container.
 */
export { checkHealth } from "./health.ts";
