/**
 * The user's settings: the host's own check of them, and what changes while the sandbox runs.
 *
 * Must not read files or start anything.
 */
export { LiveSettings, parseSettings, STALE } from "./live-settings.ts";
export { aboutSandbox, localServices } from "./local-services.ts";
export { enabledServers, type UsableServers, usableServers } from "./mcp-servers.ts";
export { Settings } from "./settings.ts";
