/**
 * Which files of a project the user's git, shell hooks and direnv run or obey.
 *
 * It runs nothing of the project; a look that fails is an error, never an absence.
 */
export { filesNamedBy } from "./envrc.ts";
export { findGitDirs } from "./git-dirs.ts";
export { findGit, gitPointerMounts, linkOfPointer } from "./git-pointer.ts";
export { directoriesAbove, gitTrustedPaths, outermost, parentDirsOf } from "./trusted-paths.ts";
