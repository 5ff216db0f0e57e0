import type { GitError } from "../../git.ts";
import { ok, type Result } from "../../result.ts";
import { parentOf } from "../byte-path.ts";
import {
  type ChangeSet,
  type FileChange,
  type FileKind,
  isSameFile,
  oidOf,
  type ShadowRepository,
  type Tree,
  type TreeFile,
} from "../checkpoints/index.ts";
import type { Conflict, Plan, Step } from "./change.ts";
import { isText, mergeText } from "./merge.ts";

const LINK: FileKind = "120000";

/**
 * Plans one change after the other to a project whose files are `current`: what was changed since is
 * kept and merged line by line, and a file where that cannot be done is left as it is.
 */
export async function planChanges(
  shadow: ShadowRepository,
  current: Tree,
  sets: readonly ChangeSet[],
): Promise<Result<Plan, GitError>> {
  const planner = new Planner(shadow, current);
  for (const set of sets) {
    const done = await planner.add(set);
    if (!done.ok) return done;
  }
  return ok(planner.plan(sets));
}

class Planner {
  readonly #shadow: ShadowRepository;
  readonly #current: Tree;
  /** Files as they will be, where they change; undefined for those that go. */
  readonly #planned = new Map<string, TreeFile | undefined>();
  readonly #conflicts = new Map<string, Conflict>();
  readonly #contents = new Map<string, Buffer>();
  readonly #merged = new Map<string, Buffer>();

  constructor(shadow: ShadowRepository, current: Tree) {
    this.#shadow = shadow;
    this.#current = current;
  }

  async add(set: ChangeSet): Promise<Result<void, GitError>> {
    const loaded = await this.#load(set);
    if (!loaded.ok) return loaded;
    const changes = new Map(set.files.map((change) => [change.path, change]));
    for (const { path, newPath } of set.renames) {
      const done = await this.#rename(changes, path, newPath);
      if (!done.ok) return done;
    }
    for (const change of changes.values()) {
      const done = await this.#change(change);
      if (!done.ok) return done;
    }
    return ok();
  }

  plan(sets: readonly ChangeSet[]): Plan {
    this.#findInTheWay();
    const modes = Object.assign({}, ...sets.map((set) => set.modes)) as Record<string, number>;
    const steps: Step[] = [];
    for (const [path, to] of this.#planned) {
      const from = this.#current.get(path);
      if (!isSameFile(from, to)) steps.push({ path, from, to, mode: modes[path] });
    }
    const last = new Set(sets.at(-1)?.emptyDirs.to);
    const before = new Set(sets[0]?.emptyDirs.from);
    const emptied = steps.flatMap(({ path, to }) => (to === undefined ? parentsOf(path) : []));
    const removed = new Set([...emptied, ...before].filter((dir) => !last.has(dir)));
    return {
      steps,
      conflicts: [...this.#conflicts.values()],
      makeDirs: [...last].filter((dir) => !before.has(dir)),
      // A directory comes after those in it.
      removeDirs: [...removed].sort((one, other) => other.length - one.length),
      merged: this.#merged,
    };
  }

  #now(path: string): TreeFile | undefined {
    return this.#planned.has(path) ? this.#planned.get(path) : this.#current.get(path);
  }

  /** A file that was changed and has another name in the target: the change goes along. */
  async #rename(
    changes: Map<string, FileChange>,
    path: string,
    newPath: string,
  ): Promise<Result<void, GitError>> {
    const [gone, made] = [changes.get(path), changes.get(newPath)];
    const mine = this.#now(path);
    const isPlain =
      gone?.from === undefined ||
      made?.to === undefined ||
      mine === undefined ||
      isSameFile(mine, gone.from) ||
      this.#now(newPath) !== undefined;
    if (isPlain || this.#conflicts.has(path)) return ok();
    changes.delete(path);
    changes.delete(newPath);
    const merged = await this.#merge(gone.from, mine, made.to);
    if (!merged.ok) return merged;
    if (typeof merged.value === "string") {
      this.#conflict({ path, why: merged.value, mine, wanted: made.to });
      return ok();
    }
    this.#planned.set(path, undefined);
    this.#planned.set(newPath, merged.value);
    return ok();
  }

  async #change({ path, from, to }: FileChange): Promise<Result<void, GitError>> {
    if (this.#conflicts.has(path)) return ok();
    const mine = this.#now(path);
    if (isSameFile(mine, to)) return ok();
    if (isSameFile(mine, from)) {
      this.#planned.set(path, to);
      return ok();
    }
    if (mine === undefined || to === undefined || from === undefined) {
      this.#conflict({ path, why: "changed", mine, wanted: to });
      return ok();
    }
    const merged = await this.#merge(from, mine, to);
    if (!merged.ok) return merged;
    if (typeof merged.value === "string")
      this.#conflict({ path, why: merged.value, mine, wanted: to });
    else this.#planned.set(path, merged.value);
    return ok();
  }

  /** The file with both changes, or why there is none. */
  async #merge(
    from: TreeFile,
    mine: TreeFile,
    to: TreeFile,
  ): Promise<Result<TreeFile | "changed" | "not_text", GitError>> {
    const kind = mergedKind(from.kind, mine.kind, to.kind);
    if (kind === undefined) return ok("changed");
    if (mine.oid === to.oid || to.oid === from.oid) return ok({ kind, oid: mine.oid });
    if (mine.oid === from.oid) return ok({ kind, oid: to.oid });
    if ([from.kind, mine.kind, to.kind].includes(LINK)) return ok("changed");
    const contents = await this.#contentsOf([from.oid, mine.oid, to.oid]);
    if (!contents.ok) return contents;
    const [base, own, theirs] = contents.value;
    if (base === undefined || own === undefined || theirs === undefined) return ok("changed");
    if (!isText(base) || !isText(own) || !isText(theirs)) return ok("not_text");
    const merged = await mergeText(this.#shadow, { base, mine: own, theirs });
    if (!merged.ok) return merged;
    if (merged.value === undefined) return ok("changed");
    const oid = oidOf(merged.value);
    this.#contents.set(oid, merged.value);
    this.#merged.set(oid, merged.value);
    return ok({ kind, oid });
  }

  /** Reads what merging will need, by one git for all files. */
  async #load(set: ChangeSet): Promise<Result<void, GitError>> {
    const names = set.files.flatMap(({ path, from, to }) => {
      const mine = this.#now(path);
      const isMerged = mine !== undefined && !isSameFile(mine, from) && !isSameFile(mine, to);
      return isMerged ? [from?.oid, mine.oid, to?.oid] : [];
    });
    const read = await this.#contentsOf(names.filter((oid) => oid !== undefined));
    return read.ok ? ok() : read;
  }

  async #contentsOf(
    oids: readonly string[],
  ): Promise<Result<readonly (Buffer | undefined)[], GitError>> {
    const read = await this.#shadow.read(oids.filter((oid) => !this.#contents.has(oid)));
    if (!read.ok) return read;
    for (const [oid, content] of read.value) this.#contents.set(oid, content);
    return ok(oids.map((oid) => this.#contents.get(oid)));
  }

  #conflict(conflict: Conflict): void {
    this.#conflicts.set(conflict.path, { ...conflict, mine: this.#current.get(conflict.path) });
    this.#planned.delete(conflict.path);
  }

  /** Leaves files where another one, or a directory, has the name. */
  #findInTheWay(): void {
    for (let found = true; found; ) {
      found = false;
      const after = new Set(this.#current.keys());
      for (const [path, to] of this.#planned) {
        if (to === undefined) after.delete(path);
        else after.add(path);
      }
      const dirs = new Set<string>();
      for (const path of after) for (const dir of parentsOf(path)) dirs.add(dir);
      for (const [path, to] of this.#planned) {
        const isBlocked =
          to !== undefined && (dirs.has(path) || parentsOf(path).some((dir) => after.has(dir)));
        if (!isBlocked) continue;
        this.#conflict({ path, why: "in_the_way", mine: undefined, wanted: to });
        found = true;
      }
    }
  }
}

/** The directories above a path, the nearest first, without the project's root. */
function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let dir = parentOf(path); dir !== ""; dir = parentOf(dir)) parents.push(dir);
  return parents;
}

function mergedKind(from: FileKind, mine: FileKind, to: FileKind): FileKind | undefined {
  if (mine === to || to === from) return mine;
  return mine === from ? to : undefined;
}
