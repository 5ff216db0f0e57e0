/**
 * The editor port: typed calls into the plugin's Lua, what Lua may tell, and buffers followed.
 * Knows neither Codex nor Docker, and decides nothing about a conversation.
 */
export { connectEditor, type Editor } from "./editor.ts";
export type { EditorError } from "./error.ts";
export type { NotificationName, NotificationParams, WinbarState } from "./methods.ts";
export type { BufferWatch } from "./watch.ts";
