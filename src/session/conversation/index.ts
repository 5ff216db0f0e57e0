/**
 * One conversation: the life of its turns, its queries, questions and failures.
 *
 * It must not know Docker; it reaches document, thread and project through the ports in `ports.ts`.
 */
export { approvalTitle, CLASH, NO_CONVERSATION } from "./approvals.ts";
export { Conversation } from "./conversation.ts";
export type { ProjectServices } from "./ports.ts";
