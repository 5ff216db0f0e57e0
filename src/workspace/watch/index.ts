/**
 * Which files of a project something on the host runs or obeys, and which of them have changed.
 *
 * It reads the project, where the agent writes: it follows no link and runs nothing. It must not
 * know Codex, Neovim or Docker.
 */
export { changesOf, stillUnreadable, type WatchChange } from "./changes.ts";
export { pathMatcher } from "./rules.ts";
export { snapshotWatched } from "./snapshot.ts";
export type { WatchSnapshot } from "./watched.ts";
