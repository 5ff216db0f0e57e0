/**
 * The audit log: what the agent did and what was decided about it, as JSON lines in the project's
 * state directory.
 *
 * Must not know Neovim, Docker or Codex's messages, and must never get a secret or the text of a
 * conversation.
 */
export { type Audit, openAudit } from "./audit.ts";
export type { AuditEntry } from "./entry.ts";
