/**
 * The transcript: a pure reducer from Codex's events to edits of a document, the model of that
 * document, the frames in which edits travel, and the file in which the text is kept.
 *
 * Knows of Codex nothing but the types of its messages, and of the editor nothing but `Edit`.
 */
export { type NotAsked, whyNotAsked } from "./asked.ts";
export { removeFile, writeAtomically, writeNew } from "./atomic-write.ts";
export { bounded } from "./bounded.ts";
export { coalesce } from "./coalesce.ts";
export { unwrapShell } from "./command.ts";
export {
  applyEdits,
  type BlockRange,
  type ChatDocument,
  documentOf,
  documentText,
  historyBlock,
  promptBlock,
  sendPrompt,
  typeLines,
} from "./document.ts";
export type { Edit } from "./edits.ts";
export type {
  ChatEvent,
  LocalEvent,
  NetworkQuestion,
  Question,
  SendMode,
  Verdict,
} from "./event.ts";
export { type EndpointFacts, type Failure, failureOf, type Repeats } from "./failure.ts";
export { type FrameError, type FrameOptions, FrameScheduler, frameMs } from "./frames.ts";
export { type ChatMeta, formatVersion, lostMeta, withKept, withMeta } from "./front-matter.ts";
export { KnownFile, textHash } from "./known-file.ts";
export { maxAskedChars } from "./limits.ts";
export { type Lock, type LockError, lockFile, type UnderWay } from "./lock.ts";
export { codeSpan } from "./markdown.ts";
export { reduce, reduceAll } from "./reduce.ts";
export { findSections, linesOf, type PlacedSection } from "./sections.ts";
export { slug } from "./slug.ts";
export { commandBlock, type Standing } from "./standing.ts";
export { approvalBlock, type ChatState, initialState } from "./state.ts";
export {
  type FileVerdict,
  type Found,
  openStore,
  type SaveProblem,
  type StoreOptions,
  saveMs,
  type TranscriptStore,
} from "./store.ts";
export { title } from "./title.ts";
export {
  newTranscript,
  readTranscript,
  type Section,
  type Transcript,
  transcriptForModel,
  writeTranscript,
} from "./transcript.ts";
export { CUT_OFF, endsInAnswer, isAnswer, type Unanswered, unansweredQuery } from "./unanswered.ts";
export { withoutContext } from "./user-text.ts";
export { visible } from "./visible.ts";
export { missingLine, wholeText } from "./whole.ts";
