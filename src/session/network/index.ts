/**
 * What the user decides about hosts other than the model's: asked in a conversation, kept for the
 * project. It must not know Neovim, nor how a connection is carried.
 */
export { NetworkAccess } from "./access.ts";
export type { Grants } from "./grants.ts";
