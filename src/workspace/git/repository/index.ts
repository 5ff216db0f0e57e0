/**
 * The user's real repository as the host reads it, and git on the host.
 *
 * Git runs in directories that the agent cannot write, or asks questions that run nothing.
 */
export { looked, lookProblem } from "./looked.ts";
export { NoFollowDir } from "./no-follow.ts";
export {
  filterNames,
  HOST_ATTRIBUTES,
  HOST_EXCLUDES,
  homeConfig,
  privateConfig,
} from "./private-config.ts";
export {
  inspectRepository,
  namedFile,
  type Repository,
  type RepositoryOptions,
} from "./repository.ts";
export { quotedAlternate, ScratchRepository } from "./scratch-repository.ts";
export { findSubmodules } from "./submodules.ts";
