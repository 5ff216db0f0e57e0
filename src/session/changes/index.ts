/**
 * The turns of a project and what each of them changed in its files: to be listed, taken back and
 * brought back.
 *
 * It must not know how a turn runs, or how the editor shows a change.
 */
export { fileBefore, listChanges } from "./list.ts";
export { noteSave } from "./own-saves.ts";
export { ProjectChanges } from "./project-changes.ts";
export { accept, applied, unaccept } from "./review.ts";
export { changedSince, recover, redo, reject, undo } from "./undo.ts";
