/**
 * The conversation's file: written whole or not at all, locked, compared before it is replaced.
 *
 * It does not know what the text means.
 */
export { holderOf, lockFile, lockPath, type UnfinishedAnswer } from "./file-lock.ts";
export { KnownFile, textHash } from "./known-file.ts";
export { type FileVerdict, type ForeignText, openStore, type TranscriptStore } from "./store.ts";
