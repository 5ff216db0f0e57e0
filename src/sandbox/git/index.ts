/**
 * The files of a project that the user's git, direnv and editors trust: run, or read settings from.
 *
 * It must not run anything of the project, nor take a failed look for an absence.
 */
export { filesNamedBy } from "./envrc.ts";
export { findGitDirs } from "./git-dirs.ts";
export { findGit, gitPointerMounts, linkOfPointer } from "./git-pointer.ts";
export { directoriesAbove, outermost, parentDirsOf } from "./parent-dirs.ts";
export { gitTrustedPaths } from "./trusted-paths.ts";
