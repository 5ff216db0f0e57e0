/**
 * The user's real repository as the host reads it, and scratch repositories for git on the host.
 *
 * It must not run git in the real repository, except for a question about its configuration.
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
