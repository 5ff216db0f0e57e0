/**
 * Where everything meets: one `Host` per Neovim, one `Project` per repository with its sandbox,
 * way out and app-server, one `Conversation` per chat buffer.
 */
export { Host } from "./host.ts";
export { openLog } from "./log-file.ts";
export { pluginDir } from "./plugin-dir.ts";
