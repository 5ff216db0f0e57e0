import { err, ok, type Result } from "../../result.ts";
import {
  type ChatCommit,
  type CommitsOptions,
  listCommits,
  logOf,
  showCommit,
} from "../../workspace/git/index.ts";
import type { Conversation } from "../conversation/index.ts";
import type { Failure } from "../failure.ts";
import type { ActionHandlers } from "./action.ts";

/** Codex's commits of a conversation. They are in the real repository, so that nothing is started. */
export const commitActions = {
  "commits/list": (conversation) =>
    withPlace(conversation, (place) => commitsOf(conversation, place)),
  "commits/show": (conversation, { oid }) =>
    withPlace(conversation, (place) => showCommit(place, oid)),
  "commits/log": (conversation) =>
    withPlace(conversation, async (place) => {
      const commits = await commitsOf(conversation, place);
      if (!commits.ok || commits.value.length === 0) return commits.ok ? ok("") : commits;
      const oids = commits.value.map(({ oid }) => oid);
      return logOf(place, oids);
    }),
} satisfies Partial<ActionHandlers>;

function commitsOf(
  { threadId }: Conversation,
  place: CommitsOptions,
): Promise<Result<readonly ChatCommit[], string>> {
  return threadId === undefined ? Promise.resolve(ok([])) : listCommits(place, threadId);
}

async function withPlace<T>(
  conversation: Conversation,
  run: (place: CommitsOptions) => Promise<Result<T, string>>,
): Promise<Result<T, Failure>> {
  const place = await conversation.host.gitPlace();
  if (place === undefined)
    return err({
      kind: "no_git",
      message: "The agent has no git of its own here, so it cannot commit.",
      fix: 'See :help codex-chat-git: it needs a repository, and `git = "private"`.',
    });
  const done = await run(place);
  if (done.ok) return done;
  return err({ kind: "git", message: `Commits cannot be listed: ${done.error}.` });
}
