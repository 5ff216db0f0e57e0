import type { Stats } from "node:fs";
import type { FileKind, Missed, TreeFile } from "./tree.ts";

/**
 * A file is the same, with the same content and permissions, exactly if this is: the agent cannot set
 * ctime. Times are in ms, to less than a microsecond; `mode` is as in stat(2).
 */
export type FileState = Pick<Stats, "ino" | "size" | "mode" | "mtimeMs" | "ctimeMs">;

/** A file as a scan knows it. */
export type ScannedFile = TreeFile & {
  /** Undefined where the next scan must read the file again. */
  readonly state: FileState | undefined;
  /** Its permissions, as 0o644. */
  readonly mode: number;
  readonly isIgnored: boolean;
};

/** A directory as a scan knows it. */
export type ScannedDir = {
  /** Its permissions, as 0o755; undefined where it could not be opened. */
  readonly mode: number | undefined;
  /** The ignore rules hide it. */
  readonly isIgnored: boolean;
};

/** The files of a project at one moment. */
export type Scan = {
  readonly files: ReadonlyMap<string, ScannedFile>;
  readonly dirs: ReadonlyMap<string, ScannedDir>;
  readonly emptyDirs: readonly string[];
  readonly missed: readonly Missed[];
};

/** The kind of a regular file or a link. */
export function kindOf(stats: Stats): FileKind {
  if (stats.isSymbolicLink()) return "120000";
  return (stats.mode & 0o100) === 0 ? "100644" : "100755";
}

/** What tells a file apart from the same one after a change. */
export function stateOf({ ino, size, mode, mtimeMs, ctimeMs }: Stats): FileState {
  return { ino, size, mode, mtimeMs, ctimeMs };
}

/** Whether a file is as it was. */
export function isSameState(was: FileState | undefined, stats: Stats): boolean {
  return (
    was !== undefined &&
    was.ctimeMs === stats.ctimeMs &&
    was.mtimeMs === stats.mtimeMs &&
    was.size === stats.size &&
    was.ino === stats.ino &&
    was.mode === stats.mode
  );
}
