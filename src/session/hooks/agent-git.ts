import { join } from "node:path";
import type { Audit } from "../../audit/index.ts";
import type { ChatEvent } from "../../chat/index.ts";
import { LookError, realPathOf } from "../../look.ts";
import { contains } from "../../paths.ts";
import { err, ok, type Result } from "../../result.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import type { CommitsOptions, GitOutcome, PrivateGit } from "../../workspace/git/index.ts";
import type { Failure } from "../failure.ts";
import { quoteName } from "../quote-name.ts";
import type { Settings } from "../settings/index.ts";
import type { TurnHook } from "./turn-hook.ts";

/** What the agent's git is made from. */
export type GitOptions = {
  readonly root: string;
  readonly projectDir: string;
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
};

/** The sandbox's user. */
type User = { readonly uid: number; readonly gid: number };

/** The agent's git for a project, and sentences for the user about it. */
export type PreparedGit = {
  /** Undefined where the real git directory is mounted read-only, or there is none. */
  readonly git: PrivateGit | undefined;
  readonly notes: readonly string[];
};

/**
 * Prepares the agent's own git directory for mounting. If the project's repository is of a kind for
 * which that is impossible, a note says so, and the real one is mounted read-only.
 */
export async function prepareGit(
  options: GitOptions & User,
): Promise<Result<PreparedGit, Failure>> {
  let place: CommitsOptions | undefined;
  try {
    place = await gitPlace(options);
  } catch (cause) {
    if (!(cause instanceof LookError)) throw cause;
    const message = `${cause.message}, so it is not known where the project's git directory is.`;
    return err({ kind: "project_refused", message, fix: cause.fix });
  }
  if (place === undefined) return ok({ git: undefined, notes: [] });
  const { PrivateGit } = await import("../../workspace/git/index.ts");
  const { uid, gid } = options;
  const prepared = await PrivateGit.prepare({ ...place, uid, gid });
  if (prepared.ok) return ok({ git: prepared.value, notes: prepared.value.notes });
  const text = `The agent cannot commit here, and reads your real .git, its configuration included: ${prepared.error}.`;
  return ok({ git: undefined, notes: [text] });
}

/**
 * The project's real repository; undefined where the agent has no git of its own for it.
 * Rejects with `LookError`.
 */
export async function gitPlace(options: GitOptions): Promise<CommitsOptions | undefined> {
  const { settings, projectDir, env } = options;
  if (settings.git === "off") return undefined;
  const root = (await realPathOf(options.root)) ?? options.root;
  const { findGit } = await import("../../sandbox/git/index.ts");
  const place = await findGit(root);
  // The sandbox reports a pointer that leads nowhere.
  if (place === undefined || typeof place === "string") return undefined;
  // A git directory elsewhere in the project is read-only in its own place, with all in it.
  const isElsewhere = [place.gitDir, place.commonDir].some(
    (dir) => dir !== join(root, ".git") && contains(root, dir),
  );
  if (isElsewhere) return undefined;
  const readable = settings.sandbox.mounts
    .filter((mount) => !mount.write)
    .map((mount) => mount.source);
  return { root, ...place, stateDir: projectDir, readable, env };
}

/** Fills the mounted directory; gives notes for the user. */
export async function beginGit(
  { git, notes }: PreparedGit,
  sandbox: Sandbox,
): Promise<PreparedGit> {
  // A container that was joined may have been started before there was a repository.
  if (git === undefined || !sandbox.gitReplaced) return { git: undefined, notes };
  git.attach(sandbox.exec);
  const news = await git.follow();
  return { git, notes: [...notes, ...news.notes] };
}

/** Updates the agent's git from the user's before each turn, and hands its commits over after it. */
export function gitTurnHook(running: () => PrivateGit | undefined, audit: Audit): TurnHook {
  const early = new Map<string, GitOutcome>();
  return {
    before: async (place) => {
      const news = await settled(running()?.follow(place));
      if (news !== undefined) early.set(place.threadId, news);
      return ok();
    },
    after: async (place) => {
      const all = [early.get(place.threadId), await settled(running()?.collect(place))];
      early.delete(place.threadId);
      return all.flatMap((news) => (news === undefined ? [] : told(news, place.threadId, audit)));
    },
  };
}

/** A full disk, say, does not keep the turn from running; the commits come another time. */
async function settled(news: Promise<GitOutcome> | undefined): Promise<GitOutcome | undefined> {
  try {
    return await news;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      deliveries: [],
      notes: [`The agent's git and yours could not be compared: ${reason}.`],
    };
  }
}

function told({ deliveries, notes }: GitOutcome, thread: string, audit: Audit): ChatEvent[] {
  for (const { ref, tip, count } of deliveries)
    audit.record({ event: "git_transfer", outcome: "done", thread, ref, to: tip, commits: count });
  for (const reason of notes)
    audit.record({ event: "git_transfer", outcome: "failed", thread, reason });
  return [...deliveries.map(sentence), ...notes].map((text) => ({ type: "note", text }));
}

/** SECURITY: branch, subject and paths are the agent's words; the document takes them as text. */
function sentence(delivery: GitOutcome["deliveries"][number]): string {
  const { ref, branch, count, subject, submodule } = delivery;
  const commits = count === 1 ? "1 commit" : `${count} commits`;
  const where = submodule === undefined ? "" : ` in the submodule ${bare(submodule)}`;
  const on = `${branch === undefined ? "" : ` on ${bare(branch)}`}${where}`;
  const last = subject === "" ? "" : `, the last one ${quoteName(subject, MAX_SUBJECT)}`;
  const aside = delivery.aside.map(
    (left) => ` Its branch ${bare(left.branch)} is in \`${left.ref}\` now.`,
  );
  return `Codex made ${commits}${on}${last}. They are in \`${ref}\`: ${takeOver(delivery)}; \`:CodexChat commits\` shows them.${aside.join("")}`;
}

/** The name as it is if it has only harmless characters; else quoted. */
function bare(name: string): string {
  return /^[\w./+@-]{1,100}$/.test(name) ? name : quoteName(name);
}

/** How much of a commit's first line is shown. */
const MAX_SUBJECT = 200;
/** How many paths are named. */
const MAX_PATHS = 5;

function takeOver({ ref, isForward, embedded }: GitOutcome["deliveries"][number]): string {
  const { paths, isWhole } = embedded;
  if (!isWhole)
    return "there are too many changes to check them for a repository whose configuration your git would trust";
  if (paths.length > 0) {
    const names = paths.slice(0, MAX_PATHS).map((path) => quoteName(path));
    const more = paths.length > MAX_PATHS ? ` and ${paths.length - MAX_PATHS} more` : "";
    return `they add a repository in the project (${names.join(", ")}${more}), and once it is in your index, your git runs what its \`.git\` says, and Codex can write that. Before you take them over, stop the sandbox (\`:CodexChat sandbox stop\`) and remove that \`.git\`. For a submodule, remove the directory; \`git submodule update --init\` restores it`;
  }
  // The files are those of the commit already, which `git merge` would refuse to write over.
  return isForward
    ? `\`git reset ${ref}\` makes them yours and leaves your files as they are`
    : `\`git merge ${ref}\` joins them with yours`;
}
