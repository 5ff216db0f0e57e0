/**
 * Patches that wait for the user's answer: what each would make of the files, and applying one as the
 * user has changed it.
 *
 * It must not know how the editor shows a patch, or how Codex is answered.
 */
export { applyEdited } from "./apply.ts";
export { type PatchPlace, propose } from "./propose.ts";
export { toldText } from "./told.ts";
