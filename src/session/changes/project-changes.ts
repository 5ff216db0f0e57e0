import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ChatEvent } from "../../chat/index.ts";
import type { Log } from "../../log.ts";
import { statsAt } from "../../look.ts";
import { ok, type Result } from "../../result.ts";
import {
  type ChangeSet,
  type Checkpoint,
  type CheckpointError,
  Checkpoints,
  reversed,
  type TreeFile,
} from "../../workspace/checkpoints/index.ts";
import {
  isRunningProcess,
  ownProcess,
  planChanges,
  Restorer,
} from "../../workspace/restore/index.ts";
import { type Failure, STOPPED } from "../failure.ts";
import type { HookedTurn, TurnHook } from "../hooks/index.ts";
import { CommentStore } from "./comments.ts";
import { excludesReader } from "./excludes.ts";
import { newsText } from "./news.ts";
import { TurnLog } from "./turn-log.ts";
import { Versions } from "./versions.ts";

/** What the record of a project's changes is made from. */
export type ProjectChangesOptions = {
  readonly root: string;
  /** The project's state directory. */
  readonly projectDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  /** Files and directories that are not the project's, such as its conversations. */
  readonly foreign: () => readonly string[];
};

/** Of what nobody stops. */
const NEVER = new AbortController().signal;

/** A turn whose checkpoint is being taken, or was. */
type Running = { readonly turn: string; readonly begun: Promise<Begun> };
type Begun = Result<Checkpoint, CheckpointError>;

/**
 * Records the project's files before and after each turn, so that a turn's changes can be shown and
 * taken back.
 */
export class ProjectChanges implements TurnHook {
  readonly checkpoints: Checkpoints;
  readonly restorer: Restorer;
  readonly log: TurnLog;
  readonly comments: CommentStore;
  readonly versions: Versions;
  readonly root: string;
  readonly #log: Log;
  readonly #running = new Map<string, Running>();
  readonly #compared = new Map<string, ChangeSet>();
  readonly #derived = new Map<string, string>();
  readonly #news = new Map<string, string>();
  readonly #told = new Map<string, string>();
  /** A first scan reads all files; the ones after it only those that changed. */
  #isWarm = false;
  #warming: Promise<unknown> | undefined;

  constructor(options: ProjectChangesOptions) {
    const { root, projectDir, env, foreign } = options;
    this.root = root;
    this.#log = options.log;
    const dir = join(projectDir, "checkpoints");
    this.checkpoints = new Checkpoints({
      root,
      dir,
      excludes: excludesReader(root, env),
      foreign,
    });
    this.restorer = new Restorer(root, this.checkpoints, dir);
    this.versions = new Versions(dir, () => this.checkpoints.shadow());
    this.log = new TurnLog(join(dir, "turns.jsonl"));
    this.comments = new CommentStore(dir);
  }

  /** A turn will come: reads the project's files, if no checkpoint was taken yet. */
  prepare(signal: AbortSignal): void {
    this.#warming ??= this.#warm(signal, () => {}).catch(() => {});
  }

  readonly before = async (
    turn: HookedTurn,
    signal: AbortSignal,
  ): Promise<Result<void, Failure>> => {
    const id = `${Date.now().toString(36)}-${randomBytes(4).toString("hex")}`;
    await this.#gatherNews(turn.threadId);
    const begun = this.#begin(id, turn, signal);
    begun.catch(() => {});
    this.#running.set(turn.threadId, { turn: id, begun });
    if (this.#isWarm) return ok();
    // A project's first checkpoint takes its time, which the user sees, and may stop.
    await begun.catch(() => undefined);
    return signal.aborted ? { ok: false, error: STOPPED } : ok();
  };

  readonly ready = ({ threadId }: HookedTurn): Promise<void> | undefined =>
    this.#running.get(threadId)?.begun.then(
      () => {},
      () => {},
    );

  readonly after = async ({ threadId }: HookedTurn): Promise<readonly ChatEvent[]> => {
    const running = this.#running.get(threadId);
    this.#running.delete(threadId);
    const before = await running?.begun.catch(() => undefined);
    if (running === undefined || before === undefined) return [];
    const after = before.ok ? await this.now() : before;
    if (!after.ok) {
      // Of a project that is gone, the turn's own failure tells more.
      const isThere = (await statsAt(this.root).catch(() => null)) !== undefined;
      return isThere ? [notRecorded(after.error)] : [];
    }
    const { commit } = after.value;
    await this.log.end({ turn: running.turn, atMs: Date.now(), after: commit });
    return [];
  };

  /** What Codex has to know of the user's changes since its last turn; undefined for nothing. */
  news(thread: string): string | undefined {
    const all = [this.#told.get(thread), this.#news.get(thread)].filter(
      (text) => text !== undefined,
    );
    return all.length === 0 ? undefined : all.join("\n\n");
  }

  /** Codex has been given it. */
  newsTaken(thread: string): void {
    this.#told.delete(thread);
    this.#news.delete(thread);
  }

  /** Has Codex told something before its next turn, as the one that it is about is over. */
  tellLater(thread: string, text: string): void {
    this.#told.set(thread, text);
  }

  /** The checkpoint from before a turn that runs; undefined where none does. */
  async runningSince(): Promise<string | undefined> {
    const [running] = this.#running.values();
    const begun = await running?.begun.catch(() => undefined);
    return begun?.ok === true ? begun.value.commit : undefined;
  }

  /** Records the files as they are. */
  now(): Promise<Begun> {
    return this.checkpoints.take({ signal: NEVER });
  }

  /** Compares two checkpoints. */
  async compare(one: string, other: string): Promise<Result<ChangeSet, CheckpointError>> {
    const key = `${one} ${other}`;
    const known = this.#compared.get(key);
    if (known !== undefined) return ok(known);
    const compared = await this.checkpoints.compare(one, other);
    if (!compared.ok) {
      const isThere = (await this.has(one)) && (await this.has(other));
      return failed(isThere ? compared.error.message : "the files of that time are no longer kept");
    }
    remember(this.#compared, key, compared.value);
    return compared;
  }

  /** Whether a checkpoint is still kept. */
  async has(commit: string): Promise<boolean> {
    return (await this.checkpoints.shadow()).has(commit);
  }

  /** A checkpoint with changes made to it, as far as they fit. */
  async withChanges(
    commit: string,
    sets: readonly ChangeSet[],
  ): Promise<Result<string, CheckpointError>> {
    const files = sets.map((set) => set.files);
    const key = createHash("sha256")
      .update(JSON.stringify([commit, files]))
      .digest("hex");
    const known = this.#derived.get(key);
    if (known !== undefined) return ok(known);
    const shadow = await this.checkpoints.shadow();
    const recorded = await shadow.recorded(commit);
    if (!recorded.ok) return failed(recorded.error.message);
    const { steps, merged } = await planChanges(shadow, recorded.value, sets);
    const changes = new Map(steps.map(({ path, to, mode }) => [path, to && { ...to, mode }]));
    const derived =
      changes.size === 0 ? ok(commit) : await this.derive(commit, changes, merged.values());
    if (derived.ok) remember(this.#derived, key, derived.value);
    return derived;
  }

  /** A checkpoint with these files in the place of its own. */
  async derive(
    commit: string,
    changes: ReadonlyMap<string, TreeFile | undefined>,
    contents: Iterable<Buffer>,
  ): Promise<Result<string, CheckpointError>> {
    const tree = await (await this.checkpoints.shadow()).treeName(commit);
    if (!tree.ok) return failed(tree.error.message);
    const base = { commit, tree: tree.value };
    const derived = await this.checkpoints.derive(base, changes, contents, NEVER);
    return derived.ok ? ok(derived.value.commit) : failed(derived.error.message);
  }

  /** What undoes the difference between two checkpoints. */
  async reverse(one: string, other: string): Promise<Result<ChangeSet, CheckpointError>> {
    const compared = await this.compare(one, other);
    return compared.ok ? ok(reversed(compared.value)) : compared;
  }

  /** Keeps what the next host can use. */
  close(): Promise<void> {
    return this.checkpoints.close();
  }

  async #begin(id: string, turn: HookedTurn, signal: AbortSignal): Promise<Begun> {
    const { threadId: thread, path: chat, queries = [], showProgress } = turn;
    const before = await this.#warm(signal, (files) =>
      showProgress?.(`Recording the project's files: ${files.toLocaleString("en-US")}`),
    );
    if (!before.ok) return before;
    await this.log.begin({
      ...{ turn: id, thread, chat, queries, atMs: Date.now() },
      ...{ before: before.value.commit, process: await ownProcess() },
    });
    return before;
  }

  /** Removes old checkpoints, once in a host's life and when nobody waits for it. */
  #pruneLater(): void {
    setTimeout(() => {
      void this.#prune().catch((err: unknown) => this.#log.warn({ err }, "pruning failed"));
    }, PRUNE_MS).unref();
  }

  async #prune(): Promise<void> {
    const { turns } = await this.log.read();
    const sinceMs = Date.now() - KEPT_MS;
    const recent = turns.filter(({ beganMs }) => beganMs > sinceMs);
    const keep = recent.flatMap(({ before, after }) =>
      after === undefined ? [before] : [before, after],
    );
    await this.checkpoints.prune({ keep: new Set(keep) });
  }

  async #warm(signal: AbortSignal, onProgress: (files: number) => void): Promise<Begun> {
    const taken = await this.checkpoints.take({ signal, onProgress });
    if (!taken.ok || this.#isWarm) return taken;
    // At once: a turn may begin while the first scan, ahead of it, is ending.
    this.#isWarm = true;
    await this.#endCut(taken.value.commit);
    this.#pruneLater();
    return taken;
  }

  async #gatherNews(thread: string): Promise<void> {
    const { turns, changes } = await this.log.read();
    const lastMs = turns.findLast((turn) => turn.thread === thread)?.beganMs ?? 0;
    const since = changes.filter((change) => change.thread === thread && change.atMs > lastMs);
    if (since.length > 0) this.#news.set(thread, newsText(since, turns));
  }

  /** Turns whose host died have the files that are there now as their last ones. */
  async #endCut(commit: string): Promise<void> {
    const { turns } = await this.log.read();
    for (const { id, after, process } of turns)
      if (after === undefined && !(await isRunningProcess(process)))
        await this.log.end({ turn: id, atMs: Date.now(), after: commit, late: true });
  }
}

/** How long after a host's first checkpoint old ones are removed. */
const PRUNE_MS = 60_000;
/** Checkpoints of turns within this time stay whatever they take. */
const KEPT_MS = 24 * 3_600_000;

/** How many results are kept; checkpoints never change, so none of them gets old. */
const MAX_KEPT = 200;

function remember<T>(kept: Map<string, T>, key: string, value: T): void {
  kept.set(key, value);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
}

function failed(message: string): Result<never, CheckpointError> {
  return { ok: false, error: { kind: "failed", message } };
}

function notRecorded({ message }: CheckpointError): ChatEvent {
  const text = `The files that Codex changes are not recorded here, so its changes cannot be taken back: ${message}.`;
  return { type: "note", text, once: true };
}
