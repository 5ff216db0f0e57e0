/**
 * The agent's own git directory, mounted in the place of the real one: it borrows the real objects,
 * follows the user's branches, and hands over the agent's commits.
 *
 * It must not run git in a directory whose configuration the agent could write. It knows neither the
 * sandbox's engine nor Codex: programs inside are started by a function that it gets.
 */
export { type ChatCommit, type CommitsOptions, listCommits, logOf, showCommit } from "./commits.ts";
export type { GitOutcome } from "./outcome.ts";
export { PrivateGit } from "./private-git.ts";
