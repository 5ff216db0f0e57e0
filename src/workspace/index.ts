/**
 * What is done with the project's files on the host: the agent's own git directory.
 *
 * Must not run git on a directory whose configuration the agent could write.
 */
export {
  type ChatPlace,
  type Delivery,
  type GitMount,
  type GitNews,
  PrivateGit,
} from "./git/index.ts";
