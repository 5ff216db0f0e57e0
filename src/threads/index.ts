/**
 * The list of conversations: what there is, the search in it, and renaming, archiving and deleting
 * conversations as files. Works with no engine, no container and no Codex.
 *
 * It does not know the editor or Codex: what it needs of them comes as ports.
 */
export { type CodexAnswer, type CodexRequest, THREAD_ID, ThreadChanges } from "./changes.ts";
export { ThreadList } from "./list.ts";
export type { Where } from "./places.ts";
export { MAX_HITS, searchFiles } from "./search.ts";
