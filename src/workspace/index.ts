/**
 * The project's files: their paths as bytes, and the rooms for the agent's git, for checkpoints, for
 * restoring them, and for the watch over files that the host runs.
 *
 * It must not know the sandbox's engine, Codex or the editor.
 */
export { bytePath, shownPath } from "./byte-path.ts";
export { ProjectDir } from "./project-dir.ts";
