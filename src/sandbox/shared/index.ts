/**
 * The user's own files and directories that the agent may see, outside of the project.
 *
 * It must not share anything that the agent must not reach.
 */
export { isInReach } from "./reach.ts";
export { prepareSharedFiles, type SharedFile, type SharedFileMounts } from "./shared-files.ts";
export { findShared } from "./shared-path.ts";
export { prepareUserMounts, type UserMount } from "./user-mounts.ts";
