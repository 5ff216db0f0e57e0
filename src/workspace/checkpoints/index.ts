/**
 * Checkpoints: the project's files as they were at one moment, in a repository of the plugin's own.
 *
 * It must not write in the project, nor run or follow anything there.
 */
export {
  type Checkpoint,
  type CheckpointError,
  Checkpoints,
} from "./checkpoints.ts";
export {
  type ChangeSet,
  type FileChange,
  reversed,
} from "./compare.ts";
export { oidOf, type StoredCheckpoint } from "./fast-import.ts";
export { kindOf } from "./scanned.ts";
export type { ShadowRepository } from "./shadow-repository.ts";
export {
  type FileKind,
  isSameFile,
  type Recorded,
  type TreeFile,
} from "./tree.ts";
