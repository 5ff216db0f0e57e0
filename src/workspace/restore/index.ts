/**
 * Brings the project's files back to a recorded state, or a part of them, with what was changed since
 * merged and never overwritten.
 *
 * It must not know turns or conversations.
 */
export type { Conflict, ConflictReason, Plan, Step } from "./change.ts";
export { type Recovered, type Restored, Restorer, type Restoring } from "./restore.ts";
