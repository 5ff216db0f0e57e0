/**
 * What is done with the project's files on the host: the agent's own git directory.
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
  listCommits,
  logOf,
  PrivateGit,
  showCommit,
} from "./git/index.ts";
