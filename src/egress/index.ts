/**
 * The only way out of a sandbox: carries the relay's connections, passes model calls to one fixed
 * upstream with the key added on the host, and reaches what else the user allows.
 *
 * It must not know Neovim, Docker or Codex's messages, and hands a secret to nobody but the
 * upstream.
 */
export { createEgress, type Egress, type RelayLink } from "./egress.ts";
export type { DecidedBy, EgressEvent } from "./events.ts";
