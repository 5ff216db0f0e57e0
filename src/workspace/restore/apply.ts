import { codeOf } from "../../error-code.ts";
import { joined, parentOf } from "../byte-path.ts";
import { ProjectDir } from "../project-dir.ts";
import type { Conflict, Plan, Step } from "./change.ts";
import { parentsOf } from "./directories.ts";
import { makeFile, NotDone, nameOf, removeFile, settle } from "./steps.ts";

/** Where steps are done, and with which contents. */
export type ApplyOptions = {
  /** The project's resolved root, as bytes. */
  readonly root: string;
  /** Reads contents by their names. */
  readonly read: (oids: readonly string[]) => Promise<ReadonlyMap<string, Buffer>>;
  /** The beginning of the names of files that are being written; no other file has it. */
  readonly draft: string;
};

/** What was done, and what was not. */
export type Applied = {
  readonly done: readonly Step[];
  readonly conflicts: readonly Conflict[];
};

/** What is applied of a plan. */
export type Applicable = Pick<Plan, "steps" | "makeDirs" | "removeDirs" | "dirModes">;

/** How many contents are held at once. */
const BATCH = 40;
/** How long the host's other work may have to wait, besides for one file to be on the disk. */
const SLICE_MS = 4;
/** What lies in the way of another user, until its own permissions are set. */
const PRIVATE = 0o700;

/**
 * Writes and removes files, each only if it is still as the plan says. A step that was done already
 * is done. Rejects with what `read` rejects with; what was done until then stays.
 *
 * SECURITY: the agent may change anything meanwhile; every file is reached through open directories
 * (see `ProjectDir`), and a link is replaced, never followed.
 */
export async function applyPlan(plan: Applicable, options: ApplyOptions): Promise<Applied> {
  const applying = new Applying(plan, options);
  await applying.run();
  return { done: applying.done, conflicts: applying.conflicts };
}

class Applying {
  readonly done: Step[] = [];
  readonly conflicts: Conflict[] = [];
  readonly #plan: Applicable;
  readonly #options: ApplyOptions;
  readonly #numbers: ReadonlyMap<Step, number>;
  readonly #failed = new Map<string, Conflict>();
  readonly #touched = new Set<string>();
  #sliceMs = performance.now();

  constructor(plan: Applicable, options: ApplyOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#numbers = new Map(plan.steps.map((step, index) => [step, index]));
  }

  async run(): Promise<void> {
    const { steps, removeDirs, makeDirs, dirModes } = this.#plan;
    const removed = steps.filter(({ to }) => to === undefined);
    const gone = new Set([...removed.map(({ path }) => path), ...removeDirs]);
    const going = new Set([...gone, ...[...gone].flatMap(parentsOf)]);
    const isBlocked = ({ path }: Step) =>
      going.has(path) || parentsOf(path).some((dir) => gone.has(dir));
    const made = steps.filter(({ to }) => to !== undefined);
    // Written first: a file that gets another name is at one of the two at any moment.
    await this.#make(made.filter((step) => !isBlocked(step)));
    for (const step of removed) await this.#remove(step);
    for (const dir of removeDirs) this.#quietly(() => this.#removeDir(dir));
    // A directory comes in the place of a file, or the other way round.
    await this.#make(made.filter(isBlocked));
    for (const dir of makeDirs) this.#quietly(() => this.#openDir(dir, true)?.[Symbol.dispose]());
    for (const [dir, mode] of dirModes) this.#quietly(() => this.#setMode(dir, mode));
    for (const dir of this.#touched) this.#quietly(() => this.#sync(dir));
  }

  async #make(steps: readonly Step[]): Promise<void> {
    for (let at = 0; at < steps.length; at += BATCH) {
      const batch = steps.slice(at, at + BATCH);
      const contents = await this.#options.read(batch.flatMap(({ to }) => to?.oid ?? []));
      for (const step of batch) {
        await this.#breathe();
        this.#attempt(step, () => {
          using dir = this.#openDir(parentOf(step.path), true);
          if (dir === undefined) throw new NotDone("in_the_way");
          makeFile(dir, step, contents.get(step.to?.oid ?? ""), this.#draft(step));
        });
        if (this.#failed.has(step.path)) await this.#putBack(step.path);
      }
    }
  }

  async #remove(step: Step): Promise<void> {
    await this.#breathe();
    const failed = step.needs === undefined ? undefined : this.#failed.get(step.needs);
    if (failed !== undefined) {
      const { path, from: mine, to: wanted } = step;
      this.conflicts.push({ ...failed, path, mine, wanted });
      return;
    }
    this.#attempt(step, () => {
      using dir = this.#openDir(parentOf(step.path), false);
      if (dir !== undefined) removeFile(dir, step, this.#draft(step));
    });
  }

  /** A file could not be written, and what had its content was removed to make room for it. */
  async #putBack(path: string): Promise<void> {
    for (const step of this.done.filter(({ needs }) => needs === path)) {
      const { from, to } = step;
      const contents = await this.#options.read(from === undefined ? [] : [from.oid]);
      const back: Step = { path: step.path, from: to, to: from };
      this.done.splice(this.done.indexOf(step), 1);
      this.#attempt(step, () => {
        using dir = this.#openDir(parentOf(step.path), true);
        if (dir !== undefined)
          makeFile(dir, back, contents.get(from?.oid ?? ""), this.#draft(step));
        throw new NotDone("in_the_way");
      });
    }
  }

  #attempt(step: Step, run: () => void): void {
    const { path, from: mine, to: wanted } = step;
    this.#touched.add(parentOf(path));
    try {
      run();
      this.done.push(step);
    } catch (thrown) {
      const code = codeOf(thrown);
      if (!(thrown instanceof NotDone) && code === "unknown") throw thrown;
      const conflict: Conflict =
        thrown instanceof NotDone
          ? { path, why: thrown.why, mine, wanted }
          : { path, why: "failed", mine, wanted, code };
      this.conflicts.push(conflict);
      this.#failed.set(path, conflict);
    }
  }

  #draft(step: Step): string {
    return draftOf(this.#options.draft, this.#numbers.get(step) ?? 0);
  }

  /** A directory; undefined if a file is in its place, or it is absent and not to be made. */
  #openDir(path: string, make: boolean): ProjectDir | undefined {
    const at = joined(this.#options.root, path);
    const open = ProjectDir.open(at);
    if (open !== undefined || path === "" || !make) return open;
    using above = this.#openDir(parentOf(path), true);
    above?.makeDir(nameOf(path), this.#plan.dirModes.has(path) ? PRIVATE : undefined);
    this.#touched.add(parentOf(path));
    return ProjectDir.open(at);
  }

  #removeDir(path: string): void {
    using above = this.#openDir(parentOf(path), false);
    above?.removeEmptyDir(nameOf(path));
    this.#touched.add(parentOf(path));
  }

  #setMode(path: string, mode: number): void {
    using dir = this.#openDir(path, false);
    // Only of one that was made by this change, now or before a crash.
    if (dir !== undefined && (dir.stats().mode & 0o777) === PRIVATE) dir.chmodSelf(mode & 0o777);
  }

  #sync(path: string): void {
    using dir = this.#openDir(path, false);
    dir?.sync();
  }

  /** A directory that cannot be made or removed changes no file. */
  #quietly(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      if (codeOf(thrown) === "unknown") throw thrown;
    }
  }

  async #breathe(): Promise<void> {
    if (performance.now() - this.#sliceMs < SLICE_MS) return;
    await new Promise(setImmediate);
    this.#sliceMs = performance.now();
  }
}

/** Removes what a host that died has left half-written, and puts back what it had moved aside. */
export function settleDrafts(steps: readonly Step[], root: string, draft: string): void {
  for (const [index, step] of steps.entries()) {
    try {
      using dir = ProjectDir.open(joined(root, parentOf(step.path)));
      if (dir !== undefined) settle(dir, step, draftOf(draft, index));
    } catch (thrown) {
      if (codeOf(thrown) === "unknown") throw thrown;
    }
  }
}

function draftOf(draft: string, index: number): string {
  return `${draft}${index}`;
}
