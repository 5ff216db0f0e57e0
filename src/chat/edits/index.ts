/**
 * The edits of a document, and the frames in which they are sent to the editor.
 *
 * Must not know what blocks contain, only their ids.
 */
export { type Edit, historyBlock } from "./edits.ts";
export { FrameScheduler } from "./frames.ts";
