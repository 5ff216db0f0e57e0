/**
 * The transcript: a pure reducer from Codex's events to edits of a document, the model of that
 * document, the frames in which edits travel, and the file in which the text is kept.
 *
 * Knows of Codex nothing but the types of its messages, and of the editor nothing but `Edit`.
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
