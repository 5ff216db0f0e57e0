import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../error-code.ts";
import type { GitError } from "../../git.ts";
import { err, ok, type Result } from "../../result.ts";
import { bytePath } from "../byte-path.ts";
import { BOUNDS, ScanFailure } from "./bounds.ts";
import { type ChangeSet, compareCheckpoints, countLines, type LineCounts } from "./compare.ts";
import { type CheckpointCommit, FastImport, type StoredCheckpoint } from "./fast-import.ts";
import { ignoredPaths } from "./ignore-rules.ts";
import { type Around, changedManifest, manifestOf, usualModes } from "./manifest.ts";
import { type PruneOptions, pruneCheckpoints } from "./prune.ts";
import { type ScanOptions, scanProject } from "./scan.ts";
import { type CachedScan, loadScan, saveScan } from "./scan-cache.ts";
import type { Scan, ScannedFile } from "./scanned.ts";
import { REFS, ShadowRepository } from "./shadow-repository.ts";
import { isSameFile, manifestText, type Recorded, type TreeFile } from "./tree.ts";

/** The project's files at one moment, kept in the shadow repository. */
export type Checkpoint = StoredCheckpoint & Recorded;

/** Why there is no checkpoint. */
export type CheckpointError = {
  /** `too_large`: the project has more than is recorded. */
  readonly kind: "too_large" | "failed";
  /** A sentence without its end. */
  readonly message: string;
};

/** Rounds follow each other: several scans are kept at once. */
const SAVE_MS = 2000;

/** What the checkpoints of a project are made from. */
export type CheckpointsOptions = {
  readonly root: string;
  /** The directory of the shadow repository, where no agent can write. */
  readonly dir: string;
  /** Ignore rules besides the project's `.gitignore` files, as git reads them. */
  readonly excludes: () => Promise<string>;
  /** Files and directories that are not the project's, such as its conversations. */
  readonly foreign: () => readonly string[];
  readonly now?: () => number;
  readonly bounds?: ScanOptions["bounds"];
};

/** How one checkpoint is taken. */
export type TakeOptions = {
  readonly signal: AbortSignal;
  /** Told how many new files were read so far. */
  readonly onProgress?: (files: number) => void;
};

/** Takes checkpoints of one project, one after the other. */
export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #now: () => number;
  #shadow: Promise<ShadowRepository> | undefined;
  #cached: CachedScan | undefined;
  /** The manifest of the cached scan. */
  #manifest = "";
  #isLoaded = false;
  #count = 0;
  #saving: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The repository that they are kept in, which is made again if somebody has removed it. */
  shadow(): Promise<ShadowRepository> {
    if (!existsSync(join(this.#options.dir, "HEAD"))) {
      this.#shadow = undefined;
      this.#cached = undefined;
    }
    this.#shadow ??= ShadowRepository.open(this.#options.dir);
    return this.#shadow;
  }

  /**
   * Records the project's files as they are now. Where nothing has changed since the last checkpoint,
   * that one is given again. Rejects with the signal's reason.
   */
  take(options: TakeOptions): Promise<Result<Checkpoint, CheckpointError>> {
    const done = this.#queue.then(() => this.#take(options));
    this.#queue = done.catch(() => {});
    return done;
  }

  async #take(options: TakeOptions): Promise<Result<Checkpoint, CheckpointError>> {
    options.signal.throwIfAborted();
    const first = await this.#attempt(options);
    if (first.ok || !first.error.isOfRepository || this.#cached === undefined) return first;
    // What the last scan was recorded as may be damaged: all files are read once more.
    this.#cached = undefined;
    return this.#attempt(options);
  }

  async #attempt(options: TakeOptions): Promise<Result<Checkpoint, AttemptError>> {
    const shadow = await this.shadow();
    const importer = new FastImport(shadow, options.signal);
    try {
      return ok(await this.#record(shadow, importer, options));
    } catch (thrown) {
      await importer.abandon();
      options.signal.throwIfAborted();
      if (thrown instanceof ScanFailure)
        return err({ kind: thrown.kind, message: thrown.message, isOfRepository: false });
      const isOfRepository = thrown instanceof GitFailure;
      // Such as a project that is gone, or a full disk.
      if (!isOfRepository && codeOf(thrown) === "unknown") throw thrown;
      return err({ kind: "failed", message: (thrown as Error).message, isOfRepository });
    }
  }

  async #record(
    shadow: ShadowRepository,
    importer: FastImport,
    { signal, onProgress }: TakeOptions,
  ): Promise<Checkpoint> {
    const root = bytePath(await realpath(this.#options.root));
    const rules = await this.#putExcludes(shadow);
    const earlier = await this.#earlier(shadow);
    const timeoutMs = this.#options.bounds?.ignoreMs ?? BOUNDS.ignoreMs;
    const scan = await scanProject({
      root,
      exclude: await this.#foreign(root),
      earlier: earlier?.scan,
      hasNewRules: earlier?.rules !== rules,
      ignored: async (paths) =>
        unwrap(await ignoredPaths(shadow, root, paths, { signal, timeoutMs })),
      store: (content) => importer.blob(content),
      onProgress: onProgress ?? (() => {}),
      signal,
      ...(this.#options.bounds === undefined ? {} : { bounds: this.#options.bounds }),
    });
    const changes = changesBetween(earlier?.scan, scan);
    const usual = earlier?.usual ?? usualModes(scan);
    const manifest = manifestText(manifestOf(scan, usual));
    const { files, emptyDirs, missed } = scan;
    const seen = { files, dirs: new Set(scan.dirs.keys()), emptyDirs, missed };
    if (earlier !== undefined && changes.size === 0 && manifest === this.#manifest) {
      this.#cached = { ...earlier, scan, rules };
      return { ...earlier.stored, ...seen };
    }
    const named = this.#named();
    const base = earlier?.stored;
    const stored = unwrap(await importer.commit({ ...named, base, changes, manifest }));
    this.#cached = { stored, ref: `${REFS}${named.name}`, scan, usual, rules };
    this.#manifest = manifest;
    this.#saveSoon();
    return { ...stored, ...seen };
  }

  /**
   * Stores the files as they will be after a change to a project whose files are those of `base`. The
   * contents are those that no checkpoint has yet. A file without permissions keeps those it has, or
   * gets the usual ones; `around` is what else changes. Rejects with the signal's reason.
   */
  async derive(
    base: StoredCheckpoint,
    changes: ReadonlyMap<string, TreeFile | undefined>,
    contents: Iterable<Buffer>,
    signal: AbortSignal,
    around?: Around,
  ): Promise<Result<StoredCheckpoint, GitError>> {
    const shadow = await this.shadow();
    const before = await shadow.manifest(base.commit);
    if (!before.ok) return before;
    const importer = new FastImport(shadow, signal);
    for (const content of contents) await importer.blob(content);
    const manifest = manifestText(changedManifest(before.value, changes, around));
    return importer.commit({ ...this.#named(), base, changes, manifest });
  }

  /** Compares two checkpoints, given by their commits. */
  async compare(one: string, other: string): Promise<Result<ChangeSet, GitError>> {
    return compareCheckpoints(await this.shadow(), one, other);
  }

  /** Counts the lines that differ between two checkpoints; see compare.ts. */
  async countLines(
    one: string,
    other: string,
  ): Promise<Result<ReadonlyMap<string, LineCounts>, GitError>> {
    return countLines(await this.shadow(), one, other);
  }

  /** Removes old checkpoints; see prune.ts. */
  async prune(options: PruneOptions): Promise<Result<void, GitError>> {
    return pruneCheckpoints(await this.shadow(), { nowMs: this.#now(), ...options });
  }

  #named(): Pick<CheckpointCommit, "name" | "atMs"> {
    const atMs = this.#now();
    return { name: `${atMs}-${process.pid}-${++this.#count}`, atMs };
  }

  /** Keeps the scan for the next host; a host that dies before that leaves an older one. */
  async close(): Promise<void> {
    await this.#queue;
    await this.#save();
  }

  #saveSoon(): void {
    this.#saving ??= setTimeout(() => void this.#save(), SAVE_MS).unref();
  }

  async #save(): Promise<void> {
    if (this.#saving === undefined || this.#cached === undefined) return;
    clearTimeout(this.#saving);
    this.#saving = undefined;
    // Without it the next host reads all files.
    await saveScan(this.#options.dir, this.#cached).catch(() => {});
  }

  async #earlier(shadow: ShadowRepository): Promise<CachedScan | undefined> {
    if (!this.#isLoaded) {
      this.#isLoaded = true;
      const kept = await loadScan(this.#options.dir);
      this.#cached = kept;
      if (kept !== undefined) this.#manifest = manifestText(manifestOf(kept.scan, kept.usual));
    }
    const cached = this.#cached;
    if (cached !== undefined && !(await shadow.isNamed(cached.ref, cached.stored.commit)))
      this.#cached = undefined;
    return this.#cached;
  }

  /** Writes the rules that git is to know besides the project's files; gives their hash. */
  async #putExcludes(shadow: ShadowRepository): Promise<string> {
    const text = await this.#options.excludes();
    const hash = createHash("sha256").update(text).digest("hex");
    if (this.#cached?.rules !== hash)
      await writeFile(join(shadow.dir, "info/exclude"), text, { mode: 0o600 });
    return hash;
  }

  /** By the paths that they have in the project, if any, whatever links lead to them. */
  async #foreign(root: string): Promise<ReadonlySet<string>> {
    const named = [this.#options.dir, ...this.#options.foreign()];
    const real = await Promise.all(named.map((path) => realpath(path).catch(() => path)));
    const below = [...named, ...real].map(bytePath).filter((path) => path.startsWith(`${root}/`));
    return new Set(below.map((path) => path.slice(root.length + 1)));
  }
}

type AttemptError = CheckpointError & { readonly isOfRepository: boolean };

/** A git that did not answer, on its way through the scan. */
class GitFailure extends Error {}

function unwrap<T>(result: Result<T, GitError>): T {
  if (result.ok) return result.value;
  throw new GitFailure(result.error.message);
}

function changesBetween(
  before: Scan | undefined,
  after: Scan,
): ReadonlyMap<string, TreeFile | undefined> {
  const changes = new Map<string, TreeFile | undefined>();
  let known = 0;
  for (const [path, file] of after.files) {
    const was: ScannedFile | undefined = before?.files.get(path);
    if (was !== undefined) known += 1;
    if (was !== file && !isSameFile(was, file)) changes.set(path, file);
  }
  if (before === undefined || before.files.size === known) return changes;
  for (const path of before.files.keys()) if (!after.files.has(path)) changes.set(path, undefined);
  return changes;
}
