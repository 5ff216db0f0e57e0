import { chown, lstat, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../error-code.ts";
import { err, ok, type Result } from "../../result.ts";
import { chatName } from "./chat-refs.ts";
import { baseOf, changedFiles, hash, hashes, isSameRefs, packedRefs, tipsOf } from "./compare.ts";
import { exportRefs, isAncestor, isSameContent } from "./export-refs.ts";
import {
  divergedNote,
  failedLook,
  type GitOutcome,
  leftNotes,
  NOTHING,
  note,
  refusedNote,
} from "./outcome.ts";
import { type GitRecord, readRecord, writeRecord } from "./record.ts";
import { type Base, isSameHead, planSync, type SyncPlan } from "./ref-sync.ts";
import { headOid, headText, type Oid, type Refs, readRefs, readRefsBelow } from "./refs.ts";
import {
  filterNames,
  findSubmodules,
  homeConfig,
  inspectRepository,
  looked,
  type Repository,
  type RepositoryOptions,
  ScratchRepository,
} from "./repository/index.ts";
import { SandboxGit, type StartInside } from "./sandbox-git.ts";
import {
  type InsidePaths,
  type RepositorySnapshot,
  readIndex,
  snapshotRepository,
} from "./snapshot.ts";

/** Where the borrowed objects are inside: a directory that the agent cannot write. */
const BORROWED = "/opt/codex-chat/git/objects";

/** What a private git directory is made from. */
export type PrivateGitOptions = RepositoryOptions & {
  /** The project's state directory, which the agent cannot reach. */
  readonly stateDir: string;
  /** The sandbox's user, who gets the directory if this process is root. */
  readonly uid: number;
  readonly gid: number;
};

/** A mount of the sandbox. */
export type GitMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};

/** A conversation that commits come from. */
export type ChatRef = { readonly threadId: string; readonly path: string };

/** The agent's directory on the host. */
type OwnPlace = {
  /** A directory of the host, in which the agent can write everything. */
  readonly base: string;
  /** The names that lead from `base` to the git directory; SECURITY: never joined to a path. */
  readonly names: readonly string[];
  /** The host's record of it. */
  readonly record: string;
};

/** The parts of a private git directory. */
type Parts = {
  readonly options: PrivateGitOptions;
  readonly repository: Repository;
  readonly identity: string;
  readonly own: OwnPlace;
  readonly submodules: readonly PrivateGit[];
  /** Notes about submodules that have none. */
  readonly refused: readonly string[];
};

/**
 * The agent's own git directory for a project, mounted in the place of the real one. It follows the
 * real one before each turn, and its commits come to the real one after each turn.
 */
export class PrivateGit {
  readonly mounts: readonly GitMount[];
  readonly #options: PrivateGitOptions;
  readonly #paths: InsidePaths;
  readonly #own: OwnPlace;
  readonly #identity: string;
  readonly #refused: readonly string[];
  /** The private git directories of submodules, which lie in this one. */
  readonly #submodules: readonly PrivateGit[];
  #repository: Repository;
  #inside: SandboxGit | undefined;
  /** Runs one synchronization at a time: each compares both sides and then changes them. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(parts: Parts) {
    const { options, repository, own, submodules } = parts;
    this.#options = options;
    this.#repository = repository;
    this.#identity = parts.identity;
    this.#refused = parts.refused;
    this.#own = own;
    this.#submodules = submodules;
    const name = own.names.length === 0 ? BORROWED : `${BORROWED}-${hash(own.names.join("/"))}`;
    const borrowed = repository.objects.map((source, n) => ({
      source,
      target: `${name}-${n}`,
      readOnly: true,
    }));
    this.#paths = { gitDir: options.gitDir, objects: borrowed.map((place) => place.target) };
    const dir = { source: own.base, target: options.gitDir, readOnly: false };
    this.mounts = [
      ...(own.names.length === 0 ? [dir] : []),
      ...borrowed,
      ...submodules.flatMap((submodule) => submodule.mounts),
    ];
  }

  /**
   * Inspects the real repository and makes the directory to mount, which is empty at first.
   *
   * Errors: why the agent cannot have one here, as a part of a sentence.
   */
  static async prepare(options: PrivateGitOptions): Promise<Result<PrivateGit, string>> {
    const repository = await inspectRepository(options);
    if (!repository.ok) return repository;
    const identity = await identityOf(options);
    const scratchDir = join(options.stateDir, "git");
    const own: OwnPlace = {
      base: join(scratchDir, "private"),
      names: [],
      record: join(scratchDir, "record.json"),
    };
    await mkdir(scratchDir, { recursive: true, mode: 0o700 });
    await ScratchRepository.sweep(scratchDir);
    const record = await readRecord(own.record, identity);
    if (record.repository !== identity) {
      // The project has another repository now: the agent's commits to the old one are kept aside.
      const code = await rename(own.base, `${own.base}-${Date.now()}`).then(() => "", codeOf);
      if (code !== "" && code !== "ENOENT")
        return err(`${own.base}, of another repository, cannot be moved aside (${code})`);
      await writeRecord(own.record, await readRecord("", identity));
    }
    await mkdir(own.base, { recursive: true, mode: 0o700 });
    if (process.getuid?.() === 0) await chown(own.base, options.uid, options.gid);
    const submodules: PrivateGit[] = [];
    const refused: string[] = [];
    const found = await looked(async () => ok(await findSubmodules(options.gitDir)));
    if (!found.ok) return found;
    for (const names of found.value) {
      const submodule = await PrivateGit.#ofSubmodule(options, own, names);
      if (submodule.ok) submodules.push(submodule.value);
      else refused.push(refusedNote(names, submodule.error));
    }
    const parts = { options, identity, own, submodules, refused };
    return ok(new PrivateGit({ ...parts, repository: repository.value }));
  }

  static async #ofSubmodule(
    all: PrivateGitOptions,
    { base }: OwnPlace,
    names: readonly string[],
  ): Promise<Result<PrivateGit, string>> {
    const gitDir = join(all.gitDir, ...names);
    const options = { ...all, gitDir, commonDir: gitDir };
    const repository = await inspectRepository(options);
    if (!repository.ok) return repository;
    const identity = await identityOf(options);
    const record = join(all.stateDir, "git", `submodule-${hash(names.join("/"))}.json`);
    if ((await readRecord(record, identity)).repository !== identity)
      await writeRecord(record, await readRecord("", identity));
    const own: OwnPlace = { base, names, record };
    const parts = { options, identity, own, submodules: [], refused: [] };
    return ok(new PrivateGit({ ...parts, repository: repository.value }));
  }

  /** Sets the running sandbox. */
  attach(start: StartInside): void {
    this.#inside = new SandboxGit(start, this.#paths.gitDir);
    const config = homeConfig(this.#repository);
    // Without a user name git refuses to commit, for example in a repository that a test makes.
    if (config !== "" && this.#own.names.length === 0)
      this.#queue = this.#inside.putHomeConfig(config).catch(() => {});
    for (const submodule of this.#submodules) submodule.attach(start);
  }

  /** Notes for the user at the start. */
  get notes(): readonly string[] {
    const filters = filterNames(this.#repository);
    if (filters.length === 0) return this.#refused;
    return [
      ...this.#refused,
      `Git in the sandbox does not run your filters (${filters.join(", ")}): the agent commits their files unfiltered.`,
    ];
  }

  /** Brings changes of the real repository to the private side. */
  follow(place?: ChatRef): Promise<GitOutcome> {
    return this.#each((git, inside) => git.#follow(inside, place));
  }

  /** Brings the agent's commits to the real repository. */
  collect(place: ChatRef): Promise<GitOutcome> {
    return this.#each((git, inside) => git.#collect(inside, place));
  }

  async #each(
    run: (git: PrivateGit, inside: SandboxGit) => Promise<GitOutcome>,
  ): Promise<GitOutcome> {
    const all: GitOutcome[] = [];
    for (const git of [this, ...this.#submodules])
      all.push(await git.#alone((inside) => run(git, inside)));
    return {
      deliveries: all.flatMap((result) => result.deliveries),
      notes: all.flatMap((result) => result.notes),
    };
  }

  #alone(run: (inside: SandboxGit) => Promise<GitOutcome>): Promise<GitOutcome> {
    const inside = this.#inside;
    if (inside === undefined) return Promise.resolve(NOTHING);
    const done = this.#queue.then(() => run(inside)).catch(failedLook);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #follow(inside: SandboxGit, place: ChatRef | undefined): Promise<GitOutcome> {
    const inspected = await inspectRepository(this.#options);
    if (!inspected.ok) return note(`The agent's git does not follow yours: ${inspected.error}.`);
    this.#repository = inspected.value;
    const now = await snapshotRepository(this.#repository, this.#paths, this.#options.env);
    let record = await this.#record();
    let own = await this.#ownRefs();
    const isFresh = own.head === undefined && own.refs.size === 0;
    const files = changedFiles(own.isWhole ? record.files : {}, now.files);
    const base = isFresh ? { head: undefined, refs: new Map<string, Oid>() } : baseOf(record);
    const isAlike =
      files.size === 0 &&
      now.indexSignature === record.indexSignature &&
      isSameHead(now.head, base.head) &&
      isSameRefs(now.refs, base.refs);
    if (isAlike && own.isWhole) return NOTHING;

    // The agent's own commits are saved first.
    const news = isFresh || place === undefined ? NOTHING : await this.#collect(inside, place);
    record = await this.#record();
    own = await this.#ownRefs();
    const failed = (reason: string) => ({
      ...news,
      notes: [...news.notes, `The agent's git does not follow yours: ${reason}.`],
    });
    const planned = await this.#plan(base, now, own);
    if (!planned.ok) return failed(planned.error);
    const plan = planned.value;
    const done = await this.#apply(inside, { isFresh, files, plan, own, now, record });
    if (!done.ok) return failed(done.error);
    await writeRecord(this.#own.record, {
      ...record,
      head: now.head === undefined ? null : headText(now.head),
      refs: Object.fromEntries(now.refs),
      files: hashes(now.files),
      indexSignature: now.indexSignature,
    });
    return { ...news, notes: [...news.notes, ...plan.diverged.map(divergedNote)] };
  }

  async #plan(base: Base, now: RepositorySnapshot, own: Refs): Promise<Result<SyncPlan, string>> {
    await using scratch = await this.#scratchRepository();
    // Awaited here: the scratch repository is removed when this returns.
    return await planSync(base, now, own, async (agents, users) => {
      const isOlder = await isAncestor(scratch, agents, users);
      return isOlder.ok && !isOlder.value ? isSameContent(scratch, agents, users) : isOlder;
    });
  }

  async #apply(
    inside: SandboxGit,
    from: {
      readonly isFresh: boolean;
      readonly files: ReadonlyMap<string, string | undefined>;
      readonly plan: SyncPlan;
      readonly own: Refs;
      readonly now: RepositorySnapshot;
      readonly record: GitRecord;
    },
  ): Promise<Result<void, string>> {
    const { isFresh, plan, own, now, record } = from;
    const files = new Map<string, Uint8Array | string | undefined>(from.files);
    // One packed-refs file; one file per branch is slow under gVisor.
    if (isFresh) files.set("packed-refs", packedRefs(now.refs));
    if (!own.isWhole)
      for (const dir of ["hooks/", "objects/pack/", "refs/heads/", "refs/tags/"])
        files.set(dir, "");
    const head = plan.head ?? own.head ?? now.head ?? { branch: "refs/heads/main" };
    if (plan.head !== undefined || own.head === undefined) files.set("HEAD", headText(head));
    const refs = new Map(isFresh ? now.refs : own.refs);
    for (const { name, to } of plan.changes)
      if (to === undefined) refs.delete(name);
      else refs.set(name, to);
    const isSamePlace = headOid({ head, refs }) === headOid(now);
    const isIndexNew =
      isFresh || plan.head !== undefined || now.indexSignature !== record.indexSignature;
    if (isSamePlace && isIndexNew) {
      const scratchDir = join(this.#options.stateDir, "git");
      const index = await looked(() => readIndex(this.#repository, scratchDir));
      if (!index.ok) return index;
      for (const [name, content] of index.value) files.set(name, content);
    }
    const put = async () => {
      if (files.size === 0) return ok();
      return isFresh && isFilled(files) ? inside.fill(files) : inside.put(files);
    };
    const change = async () => (isFresh ? ok() : inside.changeRefs(plan.changes));
    // Refs before HEAD and index: if the refs cannot be changed, neither are those. But a directory
    // that the agent has broken must be repaired before git works in it.
    for (const step of own.isWhole ? [change, put] : [put, change]) {
      const done = await step();
      if (!done.ok) return done;
    }
    return ok();
  }

  async #collect(inside: SandboxGit, place: ChatRef): Promise<GitOutcome> {
    const { gitDir, commonDir } = this.#repository;
    const [own, real] = [await this.#ownRefs(), await readRefs(gitDir, commonDir)];
    // A directory that the agent has broken is repaired before the next turn, and read after that.
    if (!own.isWhole) return NOTHING;
    const record = await this.#record();
    const chat = record.chats[place.threadId] ?? {
      name: freeName(chatName(place.path), record),
      since: headOid(real) ?? null,
    };
    const done = await exportRefs({
      repository: this.#repository,
      inside,
      scratchDir: join(this.#options.stateDir, "git"),
      real,
      own,
      seen: new Set([...record.seen, ...tipsOf(baseOf(record))]),
      chat: chat.name,
    });
    if (!done.ok)
      return note(
        `Codex's commits could not be brought to your repository: ${done.error}. The agent's own git directory still has them.`,
      );
    const { seen } = done.value;
    const submodule = this.#own.names.slice(1).join("/") || undefined;
    const deliveries = done.value.deliveries.map((delivery) => ({ ...delivery, submodule }));
    if (seen.length === 0) return { deliveries, notes: leftNotes(done.value) };
    await writeRecord(this.#own.record, {
      ...record,
      seen: [...record.seen, ...seen],
      chats: deliveries.length === 0 ? record.chats : { ...record.chats, [place.threadId]: chat },
    });
    return { deliveries, notes: leftNotes(done.value) };
  }

  #ownRefs(): Promise<Refs> {
    return readRefsBelow(this.#own.base, this.#own.names);
  }

  #record(): Promise<GitRecord> {
    return readRecord(this.#own.record, this.#identity);
  }

  #scratchRepository(): Promise<ScratchRepository> {
    const { objects, format, shallow } = this.#repository;
    const parent = join(this.#options.stateDir, "git");
    return ScratchRepository.make({ parent, objects: objects[0], format, shallow });
  }
}

/** The identity of a repository; another one in its place has another. */
async function identityOf({ gitDir, commonDir }: PrivateGitOptions): Promise<string> {
  const { dev, ino, birthtimeNs } = await lstat(commonDir, { bigint: true });
  return `${gitDir} ${dev}:${ino}:${birthtimeNs}`;
}

/** The name with a number, if another conversation's ref has it. */
function freeName(name: string, { chats }: GitRecord): string {
  const taken = new Set(Object.values(chats).map((chat) => chat.name));
  for (let n = 2; ; n++) {
    const free = n === 2 ? name : `${name}-${n - 1}`;
    if (!taken.has(free)) return free;
  }
}

/** Whether no file is to be removed. */
function isFilled(
  files: ReadonlyMap<string, Uint8Array | string | undefined>,
): files is ReadonlyMap<string, Uint8Array | string> {
  return [...files.values()].every((content) => content !== undefined);
}
