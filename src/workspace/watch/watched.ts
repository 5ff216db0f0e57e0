import type { BigIntStats } from "node:fs";
import type { Parts } from "./part.ts";

/** Something that is watched. `runs` says by what. */
export type Watched = {
  readonly runs: string;
  /**
   * What was looked at: a file's content, a link's target, a directory that is a repository. `unseen`
   * could not be looked at.
   */
  readonly kind: "file" | "link" | "repository" | "program" | "set-id" | "other" | "unseen";
  /** Of the inode, which is another one where something else was moved into its place. */
  readonly inode: string;
  /** Changes with every write, and cannot be set from inside: inode, size, times. */
  readonly version: string;
  /** Of the content, and of where a link leads to. */
  readonly hash: string;
  /** Where a link leads to. */
  readonly to?: string | undefined;
  /** Why it could not be looked at. */
  readonly why?: string | undefined;
  /** What it was when it could be looked at last, of what cannot be now. */
  readonly seen?: Watched | undefined;
  readonly parts: Parts | undefined;
  /** When each part was last changed, where they are files of their own. */
  readonly partTimes?: ReadonlyMap<string, number> | undefined;
  /**
   * When it was last changed in any way, milliseconds; the kernel's word. Of several files the
   * latest: their directory does not tell of a change in place.
   */
  readonly changedAtMs: number;
  /** The same of it and all directories above it: it may have come with one that was renamed. */
  readonly arrivedAtMs: number;
};

/** What is watched in a project, by path from its top. */
export type WatchSnapshot = {
  /** With what the earlier look saw, where this one could not look. */
  readonly watched: ReadonlyMap<string, Watched>;
  /** Directories that could not be looked at, and why. */
  readonly unseen: ReadonlyMap<string, Watched>;
  /** Why not all was looked at; undefined where all was. */
  readonly cut: string | undefined;
  /** When the look began, milliseconds. */
  readonly takenAtMs: number;
  /** How long it took. */
  readonly tookMs: number;
};

/** The version of a file. */
export function versionOf({ ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mode} ${mtimeNs} ${ctimeNs}`;
}

/**
 * Whether a file of the same version is the same. SECURITY: the kernel's clock goes in steps, of up
 * to 2 s on some file systems: a file that changed so shortly before a look may change again with
 * the same times.
 */
export function isSettled({ changedAtMs }: Watched, { takenAtMs }: WatchSnapshot): boolean {
  return changedAtMs < takenAtMs - 3000;
}
