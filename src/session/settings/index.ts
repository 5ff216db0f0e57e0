/**
 * The user's settings as the host checks them.
 *
 * It reads no file and starts nothing.
 */
export { LiveSettings, parseSettings, STALE } from "./live-settings.ts";
export { aboutSandbox, localServices } from "./local-services.ts";
export { enabledServers, type UsableServers, usableServers } from "./mcp-servers.ts";
export { Settings } from "./settings.ts";
