import { createHash } from "node:crypto";
import { realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GitError } from "../../git.ts";
import { err, ok, type Result } from "../../result.ts";
import { bytePath } from "../byte-path.ts";
import { type CheckpointCommit, FastImport, type StoredCheckpoint } from "./fast-import.ts";
import { ignoredPaths } from "./ignore-rules.ts";
import { type Scan, ScanFailure, type ScanOptions, scanProject } from "./scan.ts";
import { type CachedScan, loadScan, saveScan } from "./scan-cache.ts";
import { ShadowRepository } from "./shadow-repository.ts";
import { isSameFile, type Manifest, type Missed, type Tree, type TreeFile } from "./tree.ts";

/** The project's files at one moment, kept in the shadow repository. */
export type Checkpoint = StoredCheckpoint & {
  readonly files: Tree;
  /** What could not be recorded. */
  readonly missed: readonly Missed[];
};

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
  #isLoaded = false;
  #count = 0;
  #saving: NodeJS.Timeout | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The repository that they are kept in. */
  shadow(): Promise<ShadowRepository> {
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
    const shadow = await this.shadow();
    const importer = new FastImport(shadow, options.signal);
    try {
      return await this.#record(shadow, importer, options);
    } catch (thrown) {
      await importer.abandon();
      options.signal.throwIfAborted();
      if (thrown instanceof ScanFailure) return err({ kind: thrown.kind, message: thrown.message });
      if (thrown instanceof GitFailure) return err({ kind: "failed", message: thrown.message });
      throw thrown;
    }
  }

  async #record(
    shadow: ShadowRepository,
    importer: FastImport,
    { signal, onProgress }: TakeOptions,
  ): Promise<Result<Checkpoint, CheckpointError>> {
    const root = bytePath(await realpath(this.#options.root));
    const rules = await this.#putExcludes(shadow);
    const earlier = await this.#earlier(shadow);
    const scan = await scanProject({
      root,
      exclude: this.#foreign(root),
      earlier: earlier?.scan,
      hasNewRules: earlier?.rules !== rules,
      ignored: async (paths) => unwrap(await ignoredPaths(shadow, root, paths, signal)),
      store: (content) => importer.blob(content),
      onProgress: onProgress ?? (() => {}),
      signal,
      ...(this.#options.bounds === undefined ? {} : { bounds: this.#options.bounds }),
    });
    const changes = changesBetween(earlier?.scan, scan);
    const manifest = manifestOf(scan);
    const { missed } = scan;
    if (earlier !== undefined && changes.size === 0 && isSame(manifestOf(earlier.scan), manifest)) {
      this.#cached = { ...earlier, scan, rules };
      return ok({ ...earlier.stored, files: scan.files, missed });
    }
    const base = earlier?.stored;
    const stored = unwrap(await importer.commit({ ...this.#named(), base, changes, manifest }));
    this.#cached = { stored, scan, rules };
    this.#saveSoon();
    return ok({ ...stored, files: scan.files, missed });
  }

  /**
   * Stores the files as they will be after a change to a project whose files are those of `base`. The
   * contents are those that no checkpoint has yet. Rejects with the signal's reason.
   */
  async derive(
    base: StoredCheckpoint,
    changes: ReadonlyMap<string, TreeFile | undefined>,
    contents: Iterable<Buffer>,
    signal: AbortSignal,
  ): Promise<Result<StoredCheckpoint, GitError>> {
    const shadow = await this.shadow();
    const manifest = await shadow.manifest(base.commit);
    if (!manifest.ok) return manifest;
    const importer = new FastImport(shadow, signal);
    for (const content of contents) await importer.blob(content);
    return importer.commit({ ...this.#named(), base, changes, manifest: manifest.value });
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
      if (kept !== undefined && (await shadow.has(kept.stored.commit))) this.#cached = kept;
    }
    return this.#cached;
  }

  /** Writes the rules that git is to know besides the project's files; gives their hash. */
  async #putExcludes(shadow: ShadowRepository): Promise<string> {
    const text = await this.#options.excludes();
    const hash = createHash("sha256").update(text).digest("hex");
    if (this.#cached?.rules !== hash) await writeFile(join(shadow.dir, "info/exclude"), text);
    return hash;
  }

  #foreign(root: string): ReadonlySet<string> {
    const paths = [this.#options.dir, ...this.#options.foreign()].map(bytePath);
    const inside = paths.filter((path) => path.startsWith(`${root}/`));
    return new Set(inside.map((path) => path.slice(root.length + 1)));
  }
}

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
  for (const [path, file] of after.files)
    if (!isSameFile(before?.files.get(path), file)) changes.set(path, file);
  for (const path of before?.files.keys() ?? [])
    if (!after.files.has(path)) changes.set(path, undefined);
  return changes;
}

/** The permissions that git's two kinds of files stand for. */
const ORDINARY: ReadonlySet<number> = new Set([0o644, 0o755]);

function manifestOf({ files, emptyDirs, missed }: Scan): Manifest {
  const modes: Record<string, number> = {};
  const ignored: string[] = [];
  for (const [path, { kind, mode, isIgnored }] of files) {
    if (isIgnored) ignored.push(path);
    if (kind !== "120000" && !ORDINARY.has(mode)) modes[path] = mode;
  }
  return { version: 1, emptyDirs: [...emptyDirs], modes, ignored, missed: [...missed] };
}

function isSame(one: Manifest, other: Manifest): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
