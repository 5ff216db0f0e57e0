import type { GitError } from "../../git.ts";
import { err, ok, type Result } from "../../result.ts";
import { type AddedGitlink, addedGitlinks } from "./added-gitlinks.ts";
import { branchRefName, CHAT_REFS, setChatRef } from "./chat-refs.ts";
import { importPack, type TransferLimits } from "./import-pack.ts";
import { headOid, type Oid, type Refs } from "./refs.ts";
import { type Repository, ScratchRepository } from "./repository/index.ts";
import type { SandboxGit } from "./sandbox-git.ts";

/** New commits at a ref of the real repository. */
export type RefExport = {
  /** In full, such as `refs/codex/2026-01-31-add-tests`. */
  readonly ref: string;
  /** The branch of the private side; undefined for a detached HEAD. */
  readonly branch: string | undefined;
  readonly tip: Oid;
  readonly count: number;
  /** SECURITY: the last commit's subject, as the agent wrote it. */
  readonly subject: string;
  /** Whether the real HEAD can be fast-forwarded to it. */
  readonly isForward: boolean;
  /** Repositories that the commits add in the project. */
  readonly embedded: AddedGitlink;
  /** Branches whose tips were at this ref before, and have refs of their own now. */
  readonly aside: readonly { readonly branch: string; readonly ref: string }[];
};

/** The refs to export, and where to. */
export type RefExportOptions = {
  readonly repository: Repository;
  readonly inside: SandboxGit;
  readonly scratchDir: string;
  /** The real side's refs, including those of conversations. */
  readonly real: Refs;
  readonly own: Refs;
  /** Tips that were handled before. */
  readonly seen: ReadonlySet<Oid>;
  /** The conversation's name in `refs/codex/`. */
  readonly chat: string;
  readonly limits?: TransferLimits;
};

/** How many branches are exported at a time. */
const MAX_BRANCHES = 50;
/** How many known commits are sent to the private side, which need not pack them. */
const MAX_KNOWN = 1000;

/** The exported refs, and the tips that need not be handled again. */
export type RefExports = {
  readonly deliveries: readonly RefExport[];
  readonly seen: readonly Oid[];
  /** How many branches are left for the next time. */
  readonly left: number;
};

/** A tip of the private side that the real side does not have. */
type Candidate = { readonly tip: Oid; readonly branch: string | undefined; readonly ref: string };

/**
 * Brings the commits of the private side's HEAD and branches to `refs/codex/…` of the real
 * repository. Runs nothing if there is no new tip.
 *
 * Errors: a part of a sentence. Branches before the one that failed may have been exported.
 */
export async function exportRefs(options: RefExportOptions): Promise<Result<RefExports, string>> {
  const { repository, inside, scratchDir, real } = options;
  const all = candidates(options);
  const wanted = all.slice(0, MAX_BRANCHES);
  const left = all.length - wanted.length;
  if (wanted.length === 0) return ok({ deliveries: [], seen: [], left });
  const tips = [...new Set(wanted.map((ref) => ref.tip))];
  const known = [...new Set(real.refs.values())];
  const received = await importPack(repository, inside, scratchDir, {
    tips,
    known: known.slice(0, MAX_KNOWN),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  if (!received.ok) return received;
  await using scratch = await ScratchRepository.make({
    parent: scratchDir,
    objects: repository.objects[0],
    format: repository.format,
    shallow: repository.shallow,
  });
  const deliveries: RefExport[] = [];
  const realHead = headOid(real);
  for (const { tip, branch, ref } of wanted) {
    const commits = await newCommits(scratch, tip, known);
    if (!commits.ok) return commits;
    // The tip is an older commit that was checked out, or a new branch at one.
    if (commits.value.count === 0) continue;
    const isForward = realHead === undefined ? ok(true) : await isAncestor(scratch, realHead, tip);
    if (!isForward.ok) return isForward;
    const aside = ref === options.chat ? await moveAside(options, scratch, tip) : ok([]);
    if (!aside.ok) return aside;
    const set = await setChatRef(repository.commonDir, ref, tip);
    if (!set.ok) return set;
    // If the comparison of trees took too long once, it is not tried for the other branches.
    const embedded = deliveries.every((delivery) => delivery.embedded.isWhole)
      ? await addedGitlinks(scratch, { tip, head: realHead, known })
      : { paths: [], isWhole: false };
    deliveries.push({
      ref: `${CHAT_REFS}${ref}`,
      ...{ branch, tip, ...commits.value, isForward: isForward.value, embedded },
      aside: aside.value,
    });
  }
  return ok({ deliveries, seen: tips, left });
}

/**
 * Gives a ref of its own to a branch that the agent was on before: the conversation's ref moves to
 * where the agent is now, and without another ref the earlier commits would be lost.
 */
async function moveAside(
  { repository, real, own, chat }: RefExportOptions,
  scratch: ScratchRepository,
  next: Oid,
): Promise<Result<RefExport["aside"], string>> {
  const tip = real.refs.get(`${CHAT_REFS}${chat}`);
  if (tip === undefined) return ok([]);
  const isForward = await isAncestor(scratch, tip, next);
  if (!isForward.ok) return isForward;
  if (isForward.value) return ok([]);
  const isUsers = [...real.refs].some(
    ([name, oid]) => oid === tip && name.startsWith("refs/heads/"),
  );
  if (isUsers) return ok([]);
  const at = own.head !== undefined && "branch" in own.head ? own.head.branch : undefined;
  const moved: RefExport["aside"][number][] = [];
  for (const [name, oid] of own.refs) {
    if (oid !== tip || name === at || !name.startsWith("refs/heads/")) continue;
    const ref = branchRefName(chat, short(name));
    const set = await setChatRef(repository.commonDir, ref, oid);
    if (!set.ok) return set;
    moved.push({ branch: short(name), ref: `${CHAT_REFS}${ref}` });
  }
  return ok(moved);
}

function candidates({ real, own, seen, chat }: RefExportOptions): readonly Candidate[] {
  const there = new Set(real.refs.values());
  const isNew = (tip: Oid | undefined): tip is Oid =>
    tip !== undefined && !there.has(tip) && !seen.has(tip);
  const at = own.head !== undefined && "branch" in own.head ? own.head.branch : undefined;
  const head = headOid(own);
  const found: Candidate[] = [];
  if (isNew(head)) found.push({ tip: head, branch: at && short(at), ref: chat });
  for (const [name, tip] of own.refs) {
    if (!name.startsWith("refs/heads/") || name === at || !isNew(tip)) continue;
    found.push({ tip, branch: short(name), ref: branchRefName(chat, short(name)) });
  }
  return found;
}

/** Whether `old` is an ancestor of `next`. Errors: git did not answer. */
export async function isAncestor(
  scratch: ScratchRepository,
  old: Oid,
  next: Oid,
): Promise<Result<boolean, string>> {
  const run = await scratch.run({ args: ["merge-base", "--is-ancestor", old, next] });
  if (run.ok) return ok(true);
  const { exitCode, message } = run.error;
  return exitCode === 1 || isUnknownCommit(run.error) ? ok(false) : err(message);
}

/** Whether both commits have the same files. Errors: git did not answer. */
export async function isSameContent(
  scratch: ScratchRepository,
  a: Oid,
  b: Oid,
): Promise<Result<boolean, string>> {
  const trees = await scratch.run({ args: ["rev-parse", `${a}^{tree}`, `${b}^{tree}`] });
  if (!trees.ok) return isUnknownCommit(trees.error) ? ok(false) : err(trees.error.message);
  const [first, second] = trees.value.toString("utf8").split("\n");
  return ok(first !== undefined && first === second);
}

/** Whether git has answered that a commit is not in the repository: the agent alone has it. */
function isUnknownCommit({ exitCode, stderr }: GitError): boolean {
  return (
    exitCode === 128 &&
    /^fatal: (?:Not a valid commit name|ambiguous argument|bad object|bad revision)/m.test(stderr)
  );
}

async function newCommits(
  scratch: ScratchRepository,
  tip: Oid,
  known: readonly Oid[],
): Promise<Result<{ readonly count: number; readonly subject: string }, string>> {
  const input = `${[tip, ...known.map((oid) => `^${oid}`)].join("\n")}\n`;
  const flags = ["--ignore-missing", "--stdin"];
  const counted = await scratch.run({ args: ["rev-list", "--count", ...flags], input });
  if (!counted.ok) return err(counted.error.message);
  const format = ["--no-show-signature", "--format=%s"];
  const subject = await scratch.run({ args: ["log", "-1", ...format, tip] });
  if (!subject.ok) return err(subject.error.message);
  return ok({
    count: Number(counted.value.toString("utf8")),
    subject: subject.value.toString("utf8").trim().slice(0, 200),
  });
}

function short(ref: string): string {
  return ref.replace(/^refs\/heads\//, "");
}
