/**
 * Decides which hosts other than the model's may be reached: by the settings, by saved answers, or
 * by asking in a conversation.
 *
 * Must not know Neovim, or how connections are carried.
 */
export { NetworkAccess } from "./access.ts";
export type { Grants } from "./grants.ts";
