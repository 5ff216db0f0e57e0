/**
 * The only way out of a sandbox: passes model calls to one fixed upstream, adding the key on the
 * host, and connects to the other hosts that the user allows.
 *
 * Must not know Neovim, Docker or Codex's messages. Gives secrets to the upstream alone.
 */
export { createEgress, type Egress, type RelayLink } from "./egress.ts";
export type { DecidedBy, EgressEvent } from "./events.ts";
