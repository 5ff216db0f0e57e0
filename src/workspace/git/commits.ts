import { join } from "node:path";
import { err, ok, type Result } from "../../result.ts";
import { CHAT_REFS } from "./chat-refs.ts";
import type { PrivateGitOptions } from "./private-git.ts";
import { readRecord } from "./record.ts";
import { type Oid, type Refs, readRefs } from "./refs.ts";
import {
  inspectRepository,
  looked,
  type Repository,
  ScratchRepository,
} from "./repository/index.ts";

/** A commit that came from a conversation. */
export type ChatCommit = {
  readonly oid: Oid;
  /** The ref that leads to it, in full. */
  readonly ref: string;
  /** SECURITY: as the agent wrote it. */
  readonly subject: string;
  /** As ISO 8601. */
  readonly date: string;
  /** Whether one of the user's branches has it. */
  readonly isTaken: boolean;
};

/** Where to look for the commits of a conversation. */
export type CommitsOptions = Omit<PrivateGitOptions, "uid" | "gid">;

const MAX_COMMITS = 200;
const MAX_SHOWN_BYTES = 1024 ** 2;

/**
 * Lists the commits that came from a conversation, newest first. Needs no sandbox.
 *
 * Errors: a sentence.
 */
export async function listCommits(
  options: CommitsOptions,
  threadId: string,
): Promise<Result<readonly ChatCommit[], string>> {
  const opened = await open(options);
  if (!opened.ok) return opened;
  const { repository, real } = opened.value;
  await using scratch = await scratchOf(options, repository);
  const { chats } = await readRecord(join(options.stateDir, "git", "record.json"), "");
  const chat = chats[threadId];
  if (chat === undefined) return ok([]);
  const taken = [...real.refs].flatMap(([name, oid]) =>
    /^refs\/(?:heads|tags)\//.test(name) ? [oid] : [],
  );
  const commits: ChatCommit[] = [];
  for (const [ref, tip] of real.refs) {
    const name = ref.startsWith(CHAT_REFS) ? ref.slice(CHAT_REFS.length) : "";
    if (name !== chat.name && !name.startsWith(`${chat.name}--`)) continue;
    const since = chat.since === null ? [] : [`^${chat.since}`];
    const own = await log(scratch, [tip, ...since]);
    if (!own.ok) return own;
    const notTaken = await log(scratch, [tip, ...taken.map((oid) => `^${oid}`)]);
    if (!notTaken.ok) return notTaken;
    const open = new Set(notTaken.value.map(oidOf));
    for (const line of own.value) {
      const [oid = "", date = "", ...subject] = line.split(" ");
      if (commits.some((commit) => commit.oid === oid)) continue;
      commits.push({ oid, ref, date, subject: subject.join(" "), isTaken: !open.has(oid) });
    }
  }
  return ok(commits.toSorted((a, b) => b.date.localeCompare(a.date)).slice(0, MAX_COMMITS));
}

/**
 * A commit as `git show` prints it, without running any program that a setting or attribute names; of
 * a large commit only the list of changed files.
 *
 * Errors: a sentence.
 */
export async function showCommit(
  options: CommitsOptions,
  oid: Oid,
): Promise<Result<string, string>> {
  return tell(options, ["show", "--stat", "--patch", oid], ["show", "--stat", oid]);
}

/** These commits as `git log` prints them. Errors: a sentence. */
export async function logOf(
  options: CommitsOptions,
  oids: readonly Oid[],
): Promise<Result<string, string>> {
  const these = ["--no-walk=unsorted", ...oids];
  return tell(options, ["log", "--stat", ...these], ["log", ...these]);
}

async function tell(
  options: CommitsOptions,
  whole: readonly string[],
  short: readonly string[],
): Promise<Result<string, string>> {
  const opened = await open(options);
  if (!opened.ok) return opened;
  await using scratch = await scratchOf(options, opened.value.repository);
  for (const [command = "", ...args] of [whole, short]) {
    const plain = ["--no-color", "--no-ext-diff", "--no-textconv", "--format=fuller"];
    const told = await scratch.run({
      args: [command, ...plain, ...args],
      maxBytes: MAX_SHOWN_BYTES,
    });
    if (told.ok) return ok(told.value.toString("utf8"));
    if (told.error.kind !== "git_too_much") return err(told.error.message);
  }
  return err(`it is larger than ${MAX_SHOWN_BYTES} bytes`);
}

async function open(
  options: CommitsOptions,
): Promise<Result<{ readonly repository: Repository; readonly real: Refs }, string>> {
  const repository = await inspectRepository(options);
  if (!repository.ok) return repository;
  return looked(async () => {
    const real = await readRefs(options.gitDir, options.commonDir);
    return ok({ repository: repository.value, real });
  });
}

function scratchOf(
  { stateDir }: CommitsOptions,
  repository: Repository,
): Promise<ScratchRepository> {
  const { objects, format, shallow } = repository;
  return ScratchRepository.make({
    parent: join(stateDir, "git"),
    objects: objects[0],
    format,
    shallow,
  });
}

/** Lines of id, date and subject. Errors: git's own, as a part of a sentence. */
async function log(
  scratch: ScratchRepository,
  range: readonly string[],
): Promise<Result<readonly string[], string>> {
  const run = await scratch.run({
    args: [
      "log",
      `--max-count=${MAX_COMMITS}`,
      "--format=%H %cI %s",
      "--ignore-missing",
      "--stdin",
    ],
    input: `${range.join("\n")}\n`,
  });
  if (!run.ok) return err(run.error.message);
  return ok(run.value.toString("utf8").split("\n").filter(Boolean));
}

function oidOf(line: string): string {
  return line.split(" ")[0] ?? "";
}
