/**
 * What the agent did and what was decided about it, as JSON lines in the project's state: for the
 * person who has to find out afterwards.
 *
 * It must not know Neovim, Docker or Codex's messages, and is never told a secret, nor what was
 * said to the model or by it.
 */
export { type Audit, openAudit } from "./audit.ts";
export type { AuditEntry } from "./entry.ts";
