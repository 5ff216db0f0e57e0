/**
 * One conversation: the life of its turns, its queries, questions and failures.
 *
 * It must not know Docker; it reaches its project through one port.
 */
export { approvalTitle, CLASH, NO_CONVERSATION } from "./approvals.ts";
export { Conversation } from "./conversation.ts";
export type { ProjectServices } from "./ports.ts";
