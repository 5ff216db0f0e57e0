import type { FileChange, TreeFile } from "../checkpoints/index.ts";

/** Why a file is left as it is. */
export type ConflictReason =
  /** It was changed since, and both changes touch the same lines. */
  | "changed"
  /** It was changed since, and is not text. */
  | "not_text"
  /** Something else has its name, or that of a directory above it. */
  | "in_the_way"
  /** It was changed while the files were written. */
  | "just_now"
  /** It cannot be read or written. */
  | "failed";

/** A file that is left as it is. */
export type Conflict = {
  readonly path: string;
  readonly why: ConflictReason;
  /** The file as it is, and as it was to become; undefined for none. */
  readonly mine: TreeFile | undefined;
  readonly wanted: TreeFile | undefined;
  /** The error's name, as EACCES, where something failed. */
  readonly code?: string;
};

/** One file to write, or to remove: only if it is still as in `from`. */
export type Step = FileChange & {
  /** Permissions of a file that is made; undefined for those of the file that is replaced. */
  readonly mode?: number | undefined;
};

/** The steps of one change to the project. */
export type Plan = {
  readonly steps: readonly Step[];
  readonly conflicts: readonly Conflict[];
  /** Directories to make, and those to remove if they are empty. */
  readonly makeDirs: readonly string[];
  readonly removeDirs: readonly string[];
  /** Contents that merging made, by their names: they are not in the repository. */
  readonly merged: ReadonlyMap<string, Buffer>;
};
