/**
 * The files of a project that programs on the host run or take settings from, and their changes.
 *
 * The agent can write in the project, so this follows no link and runs nothing. It must not
 * know Codex, Neovim or Docker.
 */
export { changesOf, stillUnreadable, type WatchChange } from "./changes.ts";
export { pathMatcher } from "./matcher.ts";
export { snapshotWatched } from "./snapshot.ts";
export type { WatchSnapshot } from "./watched.ts";
