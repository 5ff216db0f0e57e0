/**
 * The edits that bring a document up to date, and the frames in which they travel to the editor.
 *
 * It knows the ids of blocks, and nothing of their content.
 */
export { type Edit, historyBlock } from "./edits.ts";
export { FrameScheduler } from "./frames.ts";
