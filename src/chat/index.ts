/**
 * The transcript: a pure reducer from events to edits of a document, the frames in which edits are
 * sent, and the file that stores the text.
 *
 * Must not know more of Codex than the types of its messages, or of the editor than `Edit`.
 */
export { bounded } from "./bounded.ts";
export { unwrapShell } from "./command-text.ts";
export type {
  ChatEvent,
  LocalEvent,
  NetworkQuestion,
  NotAsked,
  Question,
  SendMode,
  UserDecision,
} from "./event.ts";
export { codeSpan } from "./fences.ts";
export { maxAskedChars } from "./limits.ts";
export { approvalBlock, initialState } from "./state.ts";
export { type Repeats, turnFailureOf } from "./turn-error.ts";
