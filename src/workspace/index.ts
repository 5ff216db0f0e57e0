/**
 * What is done with the project's files on the host: the agent's own git directory, and the watch over
 * what the host runs.
 *
 * Must not run git on a directory whose configuration the agent could write.
 */
export {
  type ChatCommit,
  type ChatPlace,
  type CommitsOptions,
  type Delivery,
  type GitMount,
  type GitNews,
  gitVersion,
  isNewEnough,
  listCommits,
  logOf,
  OLDEST_GIT,
  PrivateGit,
  showCommit,
} from "./git/index.ts";
export {
  changesOf,
  matcherOf,
  type Snapshot,
  stillUnseen,
  takeSnapshot,
  type WatchChange,
} from "./watch/index.ts";
