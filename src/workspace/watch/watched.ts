import type { BigIntStats } from "node:fs";
import type { Parts } from "./manifest-fields.ts";

/** A watched file. `runs` says what runs it. */
export type Watched = {
  readonly runs: string;
  /** What was fingerprinted: a file's content, a link's target, a repository's trusted files. */
  readonly kind: "file" | "link" | "repository" | "program" | "set-id" | "other" | "unreadable";
  /** Device and inode: differs if another file was moved into its place. */
  readonly inode: string;
  /** Inode, size and times: changes with every write, and the agent cannot set it. */
  readonly version: string;
  /** A hash of the content, and of a link's target. */
  readonly hash: string;
  /** Where a link leads to. */
  readonly to?: string | undefined;
  /** Why it could not be accessed. */
  readonly why?: string | undefined;
  /** The last readable state of an unreadable file. */
  readonly seen?: Watched | undefined;
  readonly parts: Parts | undefined;
  /** When each part last changed, if the parts are files. */
  readonly partTimes?: ReadonlyMap<string, number> | undefined;
  /**
   * The kernel's time of the last change of any kind, in milliseconds. For several files the latest
   * of theirs: a directory's time does not change when a file in it is rewritten in place.
   */
  readonly changedAtMs: number;
  /** The same for the file and all its parent directories: renaming one may have brought it here. */
  readonly arrivedAtMs: number;
};

/** The watched files of a project, by path from its top. */
export type WatchSnapshot = {
  /** With the earlier state of files that could not be accessed. */
  readonly watched: ReadonlyMap<string, Watched>;
  /** Directories that could not be accessed, and why. */
  readonly unreadable: ReadonlyMap<string, Watched>;
  /** Why the snapshot is incomplete; undefined if it is complete. */
  readonly cut: string | undefined;
  /** When it began, in milliseconds since 1970. */
  readonly takenAtMs: number;
  /** How long it took. */
  readonly tookMs: number;
};

/** The version of a file. */
export function versionOf({ ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mode} ${mtimeNs} ${ctimeNs}`;
}

/**
 * Whether a file with the same version has the same content. SECURITY: file times have steps of up
 * to 2 s on some file systems, so a file that changed just before the snapshot can change again
 * without another version.
 */
export function isSettled({ changedAtMs }: Watched, { takenAtMs }: WatchSnapshot): boolean {
  return changedAtMs < takenAtMs - 3000;
}
