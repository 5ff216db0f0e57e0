/**
 * A conversation's thread in Codex: starting it, resuming it, giving it the text that it lacks.
 *
 * It must not decide when a turn begins.
 */
export type { LoadedThread } from "./loaded-thread.ts";
export { threadPlace, UNUSABLE } from "./open-thread.ts";
export { asSubAgentApproval, kept, SubAgents } from "./sub-agents.ts";
export {
  effortsOf,
  type ThreadChoice,
  ThreadHandle,
  type ThreadOptions,
} from "./thread-handle.ts";
export { type RunTool, ToolCalls } from "./tool-calls.ts";
export { hasAnswers } from "./transcript-preface.ts";
export { hasLastQuery, listTurns } from "./turn-history.ts";
