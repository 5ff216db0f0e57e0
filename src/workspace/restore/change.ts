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
export type Step = Pick<FileChange, "path" | "from" | "to"> & {
  /** The file's permissions once it is done; undefined for the usual ones. */
  readonly mode?: number | undefined;
  /** Of a file that is removed: where its content goes. It stays if that cannot be written. */
  readonly needs?: string | undefined;
};

/** The steps of one change to the project. */
export type Plan = {
  readonly steps: readonly Step[];
  readonly conflicts: readonly Conflict[];
  /** Directories to make, and those to remove if they are empty. */
  readonly makeDirs: readonly string[];
  readonly removeDirs: readonly string[];
  /** Permissions of directories that are made and have other ones than the usual. */
  readonly dirModes: ReadonlyMap<string, number>;
  /** Directories in which nothing is once it is done. */
  readonly emptyDirs: readonly string[];
  /** Files among the steps that the project's ignore rules hide. */
  readonly ignored: ReadonlySet<string>;
  /** Contents that merging made, by their names: they are not in the repository. */
  readonly merged: ReadonlyMap<string, Buffer>;
};
