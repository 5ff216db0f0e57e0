import { createHash } from "node:crypto";
import { chown, lstat, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { ok, type Result } from "../../result.ts";
import { chatName } from "./chat-refs.ts";
import { type Delivered, type Delivery, deliver, isAncestor, isSameContent } from "./deliver.ts";
import { Inside, type StartInside } from "./inside.ts";
import { type Base, isSameHead, type Plan, planSync } from "./plan.ts";
import { filterNames } from "./private-config.ts";
import { type GitRecord, readRecord, writeRecord } from "./record.ts";
import { type Head, headOid, headText, isOid, type Oid, type Refs, readRefs } from "./refs.ts";
import { inspectRepository, type Repository, type RepositoryOptions } from "./repository.ts";
import { type InsidePaths, readIndex, type Snapshot, takeSnapshot } from "./snapshot.ts";
import { Workshop } from "./workshop.ts";

/** Where the borrowed objects are inside: a place of the sandbox's own, not the agent's. */
const BORROWED = "/opt/codex-chat/git/objects";

/** What a private git directory is made from. */
export type PrivateGitOptions = RepositoryOptions & {
  /** A directory of ours that the agent cannot reach. */
  readonly stateDir: string;
  /** The sandbox's user; the directory is handed over where this process is root. */
  readonly uid: number;
  readonly gid: number;
};

/** What is mounted in the sandbox. */
export type GitMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};

/** A conversation, as far as its commits are concerned. */
export type ChatPlace = { readonly threadId: string; readonly path: string };

/** What became of a look at the private side: deliveries, and sentences for the user. */
export type GitNews = {
  readonly deliveries: readonly Delivery[];
  readonly notes: readonly string[];
};

const NO_NEWS: GitNews = { deliveries: [], notes: [] };

/**
 * The agent's own git directory for a project, mounted in the place of the real one. It follows
 * the real one before each turn, and hands its commits over after it.
 */
export class PrivateGit {
  readonly mounts: readonly GitMount[];
  readonly #options: PrivateGitOptions;
  readonly #paths: InsidePaths;
  readonly #dir: string;
  readonly #identity: string;
  #repository: Repository;
  #inside: Inside | undefined;
  /** One thing at a time: both sides are compared and then changed. */
  #lane: Promise<unknown> = Promise.resolve();

  private constructor(options: PrivateGitOptions, repository: Repository, identity: string) {
    this.#options = options;
    this.#repository = repository;
    this.#identity = identity;
    this.#dir = privateDir(options);
    const objects = repository.objects.map((_, n) => `${BORROWED}-${n}`);
    this.#paths = { gitDir: options.gitDir, objects };
    this.mounts = [
      { source: this.#dir, target: options.gitDir, readOnly: false },
      ...repository.objects.map((source, n) => ({
        source,
        target: `${BORROWED}-${n}`,
        readOnly: true,
      })),
    ];
  }

  /**
   * Judges the real repository and makes the directory that is mounted, empty where it is new.
   *
   * Errors: the reason in a sentence's part, why the agent cannot have one here.
   */
  static async prepare(options: PrivateGitOptions): Promise<Result<PrivateGit, string>> {
    const repository = await inspectRepository(options);
    if (!repository.ok) return repository;
    const identity = await identityOf(options);
    const dir = privateDir(options);
    const scratch = join(options.stateDir, "git");
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    await Workshop.sweep(scratch);
    const record = await readRecord(recordPath(options), identity);
    if (record.repository !== identity) {
      // Another repository stands there now: what the agent had in the old one is kept aside.
      await rename(dir, `${dir}-${Date.now()}`).catch(() => {});
      await writeRecord(recordPath(options), await readRecord("", identity));
    }
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (process.getuid?.() === 0) await chown(dir, options.uid, options.gid);
    return ok(new PrivateGit(options, repository.value, identity));
  }

  /** Gives it the running sandbox. */
  attach(start: StartInside): void {
    this.#inside = new Inside(start, this.#paths.gitDir);
  }

  /** What the user is to know from the start. */
  get notes(): readonly string[] {
    const filters = filterNames(this.#repository);
    if (filters.length === 0) return [];
    return [
      `Git inside runs none of your filters (${filters.join(", ")}): files that one of them is for are committed by the agent as they are.`,
    ];
  }

  /** Brings what has changed in the real repository to the private side. */
  follow(place?: ChatPlace): Promise<GitNews> {
    return this.#alone((inside) => this.#follow(inside, place));
  }

  /** Brings the agent's commits to the real repository. */
  collect(place: ChatPlace): Promise<GitNews> {
    return this.#alone((inside) => this.#collect(inside, place));
  }

  #alone(run: (inside: Inside) => Promise<GitNews>): Promise<GitNews> {
    const inside = this.#inside;
    if (inside === undefined) return Promise.resolve(NO_NEWS);
    const done = this.#lane.then(() => run(inside));
    this.#lane = done.catch(() => {});
    return done;
  }

  async #follow(inside: Inside, place: ChatPlace | undefined): Promise<GitNews> {
    const inspected = await inspectRepository(this.#options);
    if (!inspected.ok) return note(`The agent's git does not follow yours: ${inspected.error}.`);
    this.#repository = inspected.value;
    const now = await takeSnapshot(this.#repository, this.#paths, this.#options.env);
    let record = await this.#record();
    let own = await readRefs(this.#dir);
    const isFresh = own.head === undefined && own.refs.size === 0;
    const files = changedFiles(isFresh ? {} : record.files, now.files);
    const base = isFresh ? { head: undefined, refs: new Map<string, Oid>() } : baseOf(record);
    const isAlike =
      files.size === 0 &&
      now.indexSignature === record.indexSignature &&
      isSameHead(now.head, base.head) &&
      isSameRefs(now.refs, base.refs);
    if (isAlike && !isFresh) return NO_NEWS;

    // First of all what the agent has of its own is brought in safety.
    const news = isFresh || place === undefined ? NO_NEWS : await this.#collect(inside, place);
    record = await this.#record();
    own = await readRefs(this.#dir);
    const plan = await this.#plan(base, now, own);
    const done = await this.#apply(inside, { isFresh, files, plan, own, now, record });
    if (!done.ok)
      return {
        ...news,
        notes: [...news.notes, `The agent's git does not follow yours: ${done.error}.`],
      };
    await writeRecord(recordPath(this.#options), {
      ...record,
      head: now.head === undefined ? null : headText(now.head),
      refs: Object.fromEntries(now.refs),
      files: hashes(now.files),
      indexSignature: now.indexSignature,
    });
    return { ...news, notes: [...news.notes, ...plan.diverged.map(divergedNote)] };
  }

  async #plan(base: Base, now: Snapshot, own: Refs): Promise<Plan> {
    await using workshop = await this.#workshop();
    // Awaited here: the workshop is gone when this returns.
    return await planSync(
      base,
      now,
      own,
      async (agents, users) =>
        (await isAncestor(workshop, agents, users)) ||
        (await isSameContent(workshop, agents, users)),
    );
  }

  async #apply(
    inside: Inside,
    it: {
      readonly isFresh: boolean;
      readonly files: ReadonlyMap<string, string | undefined>;
      readonly plan: Plan;
      readonly own: Refs;
      readonly now: Snapshot;
      readonly record: GitRecord;
    },
  ): Promise<Result<void, string>> {
    const { isFresh, plan, own, now, record } = it;
    const files = new Map<string, Uint8Array | string | undefined>(it.files);
    if (isFresh) {
      // All at once: a file a branch takes its time inside.
      files.set("packed-refs", packedRefs(now.refs));
      for (const dir of ["objects/pack/", "refs/heads/", "refs/tags/"]) files.set(dir, "");
    }
    const head = plan.head ?? own.head ?? { branch: "refs/heads/main" };
    if (plan.head !== undefined || isFresh) files.set("HEAD", headText(head));
    const refs = new Map(isFresh ? now.refs : own.refs);
    for (const { name, to } of plan.changes)
      if (to === undefined) refs.delete(name);
      else refs.set(name, to);
    const isSamePlace = headOid({ head, refs, isCut: false }) === headOid({ ...now, isCut: false });
    const isIndexNew =
      isFresh || plan.head !== undefined || now.indexSignature !== record.indexSignature;
    if (isSamePlace && isIndexNew) {
      const index = await readIndex(this.#repository, join(this.#options.stateDir, "git"));
      if (!index.ok) return index;
      for (const [name, content] of index.value) files.set(name, content);
    }
    // Refs before HEAD and index: if they cannot be changed, those stay with them.
    const changed = isFresh ? ok() : await inside.changeRefs(plan.changes);
    if (!changed.ok) return changed;
    return files.size === 0 ? ok() : inside.put(files);
  }

  async #collect(inside: Inside, place: ChatPlace): Promise<GitNews> {
    const { gitDir, commonDir } = this.#repository;
    const [own, real] = [await readRefs(this.#dir), await readRefs(gitDir, commonDir)];
    const record = await this.#record();
    const chat = record.chats[place.threadId] ?? {
      name: freeName(chatName(place.path), record),
      since: headOid(real) ?? null,
    };
    const done = await deliver({
      repository: this.#repository,
      inside,
      scratch: join(this.#options.stateDir, "git"),
      real,
      own,
      seen: new Set(record.seen),
      chat: chat.name,
    });
    if (!done.ok)
      return note(
        `Commits of Codex's could not be brought to your repository: ${done.error}. The agent's own git directory still has them.`,
      );
    const { deliveries, seen } = done.value;
    if (seen.length === 0) return { deliveries, notes: leftNotes(done.value) };
    await writeRecord(recordPath(this.#options), {
      ...record,
      seen: [...record.seen, ...seen],
      chats: deliveries.length === 0 ? record.chats : { ...record.chats, [place.threadId]: chat },
    });
    return { deliveries, notes: leftNotes(done.value) };
  }

  #record(): Promise<GitRecord> {
    return readRecord(recordPath(this.#options), this.#identity);
  }

  #workshop(): Promise<Workshop> {
    const { objects, format, shallow } = this.#repository;
    const parent = join(this.#options.stateDir, "git");
    return Workshop.make({ parent, objects: objects[0], format, shallow });
  }
}

function privateDir({ stateDir }: PrivateGitOptions): string {
  return join(stateDir, "git", "private");
}

function recordPath({ stateDir }: PrivateGitOptions): string {
  return join(stateDir, "git", "record.json");
}

/** Names the repository, so that another one in its place differs. */
async function identityOf({ gitDir, commonDir }: PrivateGitOptions): Promise<string> {
  const { dev, ino, birthtimeNs } = await lstat(commonDir, { bigint: true });
  return `${gitDir} ${dev}:${ino}:${birthtimeNs}`;
}

/** A name that no other conversation's ref has. */
function freeName(name: string, { chats }: GitRecord): string {
  const taken = new Set(Object.values(chats).map((it) => it.name));
  for (let n = 2; ; n++) {
    const free = n === 2 ? name : `${name}-${n - 1}`;
    if (!taken.has(free)) return free;
  }
}

function baseOf({ head, refs }: GitRecord): Base {
  return { head: parseHead(head), refs: new Map(Object.entries(refs)) };
}

function parseHead(text: string | null): Head | undefined {
  if (text === null) return undefined;
  const line = text.trim();
  return isOid(line) ? { oid: line } : { branch: line.replace(/^ref: /, "") };
}

function isSameRefs(a: ReadonlyMap<string, Oid>, b: ReadonlyMap<string, Oid>): boolean {
  return a.size === b.size && [...a].every(([name, oid]) => b.get(name) === oid);
}

function changedFiles(
  then: Readonly<Record<string, string>>,
  now: ReadonlyMap<string, string>,
): Map<string, string | undefined> {
  const changed = new Map<string, string | undefined>();
  for (const [name, text] of now) if (then[name] !== hash(text)) changed.set(name, text);
  for (const name of Object.keys(then)) if (!now.has(name)) changed.set(name, undefined);
  return changed;
}

function hashes(files: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, text]) => [name, hash(text)]));
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function packedRefs(refs: ReadonlyMap<string, Oid>): string {
  return [...refs].map(([name, oid]) => `${oid} ${name}\n`).join("");
}

function note(text: string): GitNews {
  return { deliveries: [], notes: [text] };
}

function leftNotes({ left }: Delivered): readonly string[] {
  return left === 0 ? [] : [`${left} more branches of Codex's come after the next turn.`];
}

function divergedNote(ref: string): string {
  const name = ref.replace(/^refs\/heads\//, "");
  return `You and Codex have both changed ${name}: Codex goes on with its own; yours is not in it.`;
}
