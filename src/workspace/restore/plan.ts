import { isBelow } from "../byte-path.ts";
import {
  type ChangeSet,
  type FileChange,
  type FileKind,
  isSameFile,
  type Recorded,
  type ShadowRepository,
  type TreeFile,
} from "../checkpoints/index.ts";
import type { Conflict, ConflictReason, Plan, Step } from "./change.ts";
import { parentsOf, planDirectories } from "./directories.ts";
import { Merger } from "./merge.ts";

const LINK: FileKind = "120000";

/**
 * Plans one change after the other to a project as it is: what was changed since is kept and merged
 * line by line, and a file where that cannot be done is left as it is.
 */
export async function planChanges(
  shadow: ShadowRepository,
  current: Recorded,
  sets: readonly ChangeSet[],
): Promise<Plan> {
  const planner = new Planner(new Merger(shadow), current);
  for (const set of sets) await planner.add(set);
  return planner.plan(sets);
}

class Planner {
  readonly #merger: Merger;
  readonly #current: Recorded;
  readonly #missed: ReadonlySet<string>;
  /** Files as they will be, where they change; undefined for those that go. */
  readonly #planned = new Map<string, TreeFile | undefined>();
  /** Of a file that gets another name: where its content was. */
  readonly #sources = new Map<string, string>();
  readonly #conflicts = new Map<string, Conflict>();

  constructor(merger: Merger, current: Recorded) {
    this.#merger = merger;
    this.#current = current;
    this.#missed = new Set(current.missed.map(({ path }) => path));
  }

  async add(set: ChangeSet): Promise<void> {
    await this.#merger.load(set.files.flatMap((change) => this.#mergedBy(change)));
    const changes = new Map(set.files.map((change) => [change.path, change]));
    for (const { path, newPath } of set.renames) await this.#rename(changes, path, newPath);
    for (const change of changes.values()) await this.#change(change);
  }

  plan(sets: readonly ChangeSet[]): Plan {
    this.#findInTheWay(sets);
    const targets = new Map([...this.#sources].map(([newPath, path]) => [path, newPath]));
    const steps: Step[] = [];
    for (const [path, to] of this.#planned) {
      const from = this.#asItIs(path);
      if (isSameFile(from, to) && from?.mode === to?.mode) continue;
      const needs = to === undefined ? targets.get(path) : undefined;
      const isWritten = needs !== undefined && this.#planned.get(needs) !== undefined;
      const fileOf = (state: TreeFile | undefined) => state && { kind: state.kind, oid: state.oid };
      const step: Step = { path, from: fileOf(from), to: fileOf(to), mode: to?.mode };
      steps.push(isWritten ? { ...step, needs } : step);
    }
    const hidden = new Set(sets.flatMap(({ ignored }) => [...ignored]));
    return {
      ...{ steps, conflicts: [...this.#conflicts.values()], merged: this.#merger.made },
      ...planDirectories(this.#current, sets, steps, this.#after()),
      ignored: new Set(steps.map(({ path }) => path).filter((path) => hidden.has(path))),
    };
  }

  #now(path: string): TreeFile | undefined {
    return this.#planned.has(path) ? this.#planned.get(path) : this.#asItIs(path);
  }

  #asItIs(path: string): TreeFile | undefined {
    const file = this.#current.files.get(path);
    return (
      file && { kind: file.kind, oid: file.oid, mode: file.kind === LINK ? undefined : file.mode }
    );
  }

  /** A file that was changed and has another name in the target: the change goes along. */
  async #rename(changes: Map<string, FileChange>, path: string, newPath: string): Promise<void> {
    const [gone, made] = [changes.get(path), changes.get(newPath)];
    const mine = this.#now(path);
    if (mine !== undefined && this.#now(newPath) === undefined) this.#sources.set(newPath, path);
    const isPlain =
      gone?.from === undefined ||
      made?.to === undefined ||
      mine === undefined ||
      isSameFile(mine, gone.from) ||
      this.#now(newPath) !== undefined;
    if (isPlain || this.#conflicts.has(path) || this.#conflicts.has(newPath)) return;
    changes.delete(path);
    changes.delete(newPath);
    if (this.#isMissed(path, made.to) || this.#isMissed(newPath, made.to)) return;
    const merged = await this.#merge(gone.from, mine, made.to);
    if (typeof merged === "string") {
      this.#conflict({ path, why: merged, wanted: made.to });
      return;
    }
    this.#planned.set(path, undefined);
    const mode = mergedMode(merged.kind, gone.fromMode, mine.mode, made.toMode);
    this.#planned.set(newPath, { ...merged, mode });
    return;
  }

  async #change(change: FileChange): Promise<void> {
    const { path, from, to, fromMode, toMode } = change;
    if (this.#conflicts.has(path) || this.#isMissed(path, to)) return;
    const mine = this.#now(path);
    const modeFor = ({ kind }: TreeFile) => mergedMode(kind, fromMode, mine?.mode, toMode);
    if (isSameFile(mine, from)) {
      this.#planned.set(path, to && { ...to, mode: mine === undefined ? toMode : modeFor(to) });
      return;
    }
    if (isSameFile(mine, to)) return;
    if (mine === undefined || to === undefined || from === undefined) {
      this.#conflict({ path, why: "changed", wanted: to });
      return;
    }
    const merged = await this.#merge(from, mine, to);
    if (typeof merged === "string") this.#conflict({ path, why: merged, wanted: to });
    else this.#planned.set(path, { ...merged, mode: modeFor(merged) });
    return;
  }

  /** The file with both changes, or why there is none. */
  async #merge(
    from: TreeFile,
    mine: TreeFile,
    to: TreeFile,
  ): Promise<TreeFile | "changed" | "not_text"> {
    const kind = mergedKind(from.kind, mine.kind, to.kind);
    // The target of a link and the text of a file are nothing to each other.
    if (kind === undefined || [from.kind, mine.kind, to.kind].includes(LINK)) return "changed";
    if (mine.oid === to.oid || to.oid === from.oid) return { kind, oid: mine.oid };
    if (mine.oid === from.oid) return { kind, oid: to.oid };
    const merged = await this.#merger.merge(from.oid, mine.oid, to.oid);
    return typeof merged === "string" ? merged : { kind, oid: merged.oid };
  }

  /** The contents that merging this change will need. */
  #mergedBy({ path, from, to }: FileChange): readonly string[] {
    const mine = this.#now(path);
    if (mine === undefined || isSameFile(mine, from) || isSameFile(mine, to)) return [];
    return [from?.oid, mine.oid, to?.oid].filter((oid) => oid !== undefined);
  }

  /** Whether nothing is known of the file as it is: then it is left alone. */
  #isMissed(path: string, wanted: TreeFile | undefined): boolean {
    if (!isBelow(path, this.#missed)) return false;
    const isUnreadable = this.#current.missed.some(
      (each) => each.why === "unreadable" && isBelow(path, new Set([each.path])),
    );
    this.#conflict({ path, why: isUnreadable ? "failed" : "in_the_way", wanted });
    return true;
  }

  #conflict(conflict: { path: string; why: ConflictReason; wanted: TreeFile | undefined }): void {
    const { path } = conflict;
    const mine = this.#current.files.get(path);
    this.#conflicts.set(path, { ...conflict, mine: mine && { kind: mine.kind, oid: mine.oid } });
    this.#planned.delete(path);
    // Its content stays where it is.
    const source = this.#sources.get(path);
    if (source === undefined || !this.#planned.has(source) || this.#conflicts.has(source)) return;
    this.#conflict({ ...conflict, path: source });
  }

  #after(): Set<string> {
    const after = new Set(this.#current.files.keys());
    for (const [path, to] of this.#planned) {
      if (to === undefined) after.delete(path);
      else after.add(path);
    }
    return after;
  }

  /** Leaves files where another one, or a directory, has the name. */
  #findInTheWay(sets: readonly ChangeSet[]): void {
    for (let found = true; found; ) {
      found = false;
      const after = this.#after();
      const above = new Set<string>();
      for (const path of after) for (const dir of parentsOf(path)) above.add(dir);
      const steps = [...this.#planned].map(([path, to]) => ({ path, from: undefined, to }));
      const { removeDirs } = planDirectories(this.#current, sets, steps, after);
      const going = new Set(removeDirs);
      const stays = (path: string) =>
        this.#current.dirs.has(path) &&
        [...this.#current.dirs].some(
          (dir) => (dir === path || dir.startsWith(`${path}/`)) && !going.has(dir),
        );
      for (const [path, to] of this.#planned) {
        if (to === undefined) continue;
        const isBlocked =
          above.has(path) || stays(path) || parentsOf(path).some((dir) => after.has(dir));
        if (!isBlocked) continue;
        this.#conflict({ path, why: "in_the_way", wanted: { kind: to.kind, oid: to.oid } });
        found = true;
      }
    }
  }
}

function mergedKind(from: FileKind, mine: FileKind, to: FileKind): FileKind | undefined {
  if (mine === to || to === from) return mine;
  return mine === from ? to : undefined;
}

/** Permissions, where only one side has changed them; the user's own win. */
function mergedMode(
  kind: FileKind,
  from: number | undefined,
  mine: number | undefined,
  to: number | undefined,
): number | undefined {
  if (kind === LINK) return undefined;
  const mode = mine === undefined || mine === from ? (to ?? mine) : mine;
  if (mode === undefined) return undefined;
  // Whoever may read a program may run it.
  if (kind === "100755") return (mode & 0o100) === 0 ? mode | ((mode & 0o444) >> 2) : mode;
  return (mode & 0o100) === 0 ? mode : mode & ~0o111;
}
