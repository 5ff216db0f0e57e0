/**
 * The editor port: typed calls into the plugin's Lua, what Lua may tell, and buffers followed.
 * Knows neither Codex nor Docker, and decides nothing about a conversation.
 */

export { connectEditor, type Editor, type EditorCalls, type EditorError } from "./editor.ts";
export type {
  ActionAnswer,
  ApprovalChange,
  BufferEdit,
  CallName,
  ChatState,
  NotificationName,
  NotificationParams,
} from "./methods.ts";
export type { BufferWatch, WatchHandlers } from "./watch.ts";
