/**
 * Brings the project's files back to a recorded state, or a part of them, with what was changed since
 * merged and never overwritten.
 *
 * It must not know turns or conversations.
 */
export type { Conflict, Step } from "./change.ts";
export { isRunningProcess, ownProcess } from "./journal.ts";
export { planChanges } from "./plan.ts";
export { type Restored, Restorer } from "./restore.ts";
