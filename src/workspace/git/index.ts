/**
 * Git for the agent without the real git directory: one of its own, mounted in the other's place,
 * that borrows the objects, follows the user's branches and hands its commits over.
 *
 * It must not run git on a directory whose configuration the agent could write, and knows neither
 * the sandbox's engine nor Codex: what runs inside is given as a function.
 */
export { type ChatCommit, type CommitsOptions, listCommits, logOf, showCommit } from "./commits.ts";
export { type GitOutcome, PrivateGit } from "./private-git.ts";
