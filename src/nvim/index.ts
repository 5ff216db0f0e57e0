/**
 * The editor port: typed calls into the plugin's Lua, Lua's notifications, and buffers to follow.
 * Knows neither Codex nor Docker, and decides nothing about a conversation.
 */
export { type ActionName, type ActionParams, type ActionResult, actions } from "./actions.ts";
export { connectEditor, type Editor } from "./editor.ts";
export type { EditorError } from "./error.ts";
export {
  events,
  type NotificationName,
  type NotificationParams,
} from "./methods.ts";
export type { WinbarState } from "./shapes.ts";
export type { BufferWatch } from "./watch.ts";
