/**
 * Connects all other folders: one `Host` per Neovim, one `Project` per repository with its sandbox,
 * egress and app-server, one `Conversation` per chat buffer.
 *
 * Must not be imported by any other folder.
 */
export { Host } from "./host.ts";
export { openLog } from "./log-file.ts";
export { pluginDir } from "./plugin-dir.ts";
