import { realpath } from "node:fs/promises";
import type { GitError } from "../../git.ts";
import { err, ok, type Result } from "../../result.ts";
import { bytePath } from "../byte-path.ts";
import type {
  ChangeSet,
  Checkpoint,
  CheckpointError,
  Checkpoints,
  StoredCheckpoint,
} from "../checkpoints/index.ts";
import { type Applied, applyPlan, removeDrafts } from "./apply.ts";
import type { Conflict, Plan, Step } from "./change.ts";
import { isRunningProcess, Journal, type JournalEntry, journalled, ownProcess } from "./journal.ts";
import { planChanges } from "./plan.ts";

/** A change to the project's files. */
export type Restoring = {
  /** What it is, as a part of a sentence: "taking back turn 3". */
  readonly title: string;
  /** What is done one after the other, given the files as they are now. */
  readonly sets: readonly ChangeSet[];
  /** Kept with the journal, for whoever completes the change after a crash. */
  readonly note: unknown;
  /** Records that it was made; until then a crash leaves the change in the journal. */
  readonly record: (restored: Restored) => Promise<void>;
  readonly signal: AbortSignal;
};

/** A change that was made. */
export type Restored = {
  /** Its name: no other change has it. */
  readonly id: string;
  /** The project before and after it. */
  readonly before: StoredCheckpoint;
  readonly after: StoredCheckpoint;
  readonly done: readonly Step[];
  readonly conflicts: readonly Conflict[];
};

/** A change that a crash had interrupted, and that was completed. */
export type Recovered = Restored & { readonly title: string; readonly note: unknown };

/**
 * Changes the project's files from one recorded state to another, with all that was changed since kept.
 * Before the first file is touched the project is recorded, so that nothing can be lost, and the
 * change is in the journal, so that a crash leaves no half of it.
 */
export class Restorer {
  readonly #root: string;
  readonly #checkpoints: Checkpoints;
  readonly #journal: Journal;
  #count = 0;

  constructor(root: string, checkpoints: Checkpoints, dir: string) {
    this.#root = root;
    this.#checkpoints = checkpoints;
    this.#journal = new Journal(dir);
  }

  /** What `change` would do now; nothing is changed. Rejects with the signal's reason. */
  async plan(
    sets: readonly ChangeSet[],
    signal: AbortSignal,
  ): Promise<Result<{ before: Checkpoint; plan: Plan }, CheckpointError>> {
    const before = await this.#checkpoints.take({ signal });
    if (!before.ok) return before;
    const plan = await planChanges(await this.#checkpoints.shadow(), before.value.files, sets);
    return plan.ok ? ok({ before: before.value, plan: plan.value }) : failed(plan.error);
  }

  /** Makes a change. Rejects with the signal's reason, and then nothing is changed. */
  async change(restoring: Restoring): Promise<Result<Restored, CheckpointError>> {
    const { title, sets, note, record, signal } = restoring;
    const planned = await this.plan(sets, signal);
    if (!planned.ok) return planned;
    const { before, plan } = planned.value;
    const changes = new Map(plan.steps.map(({ path, to }) => [path, to]));
    const after = await this.#checkpoints.derive(before, changes, plan.merged.values(), signal);
    if (!after.ok) return failed(after.error);
    const entry: JournalEntry = {
      id: `${Date.now()}-${process.pid}-${++this.#count}`,
      ...{ title, note, process: await ownProcess() },
      before: { commit: before.commit, tree: before.tree },
      after: after.value,
      ...journalled(plan),
    };
    await this.#journal.begin(entry);
    const applied = await this.#apply(entry);
    if (!applied.ok) return applied;
    const { done } = applied.value;
    const conflicts = [...plan.conflicts, ...applied.value.conflicts];
    const restored = { id: entry.id, before, after: after.value, done, conflicts };
    await record(restored);
    await this.#journal.end(entry.id);
    return ok(restored);
  }

  /**
   * Completes the changes that a host which died had begun. `record` may have been called for the same
   * change before the crash.
   */
  async recover(
    record: (recovered: Recovered) => Promise<void>,
  ): Promise<Result<void, CheckpointError>> {
    for (const entry of await this.#journal.all()) {
      if (await isRunningProcess(entry.process)) continue;
      const applied = await this.#apply(entry);
      if (!applied.ok) return applied;
      const { id, title, note, before, after } = entry;
      await record({ id, title, note, before, after, ...applied.value });
      await this.#journal.end(id);
    }
    return ok();
  }

  async #apply(entry: JournalEntry): Promise<Result<Applied, CheckpointError>> {
    const shadow = await this.#checkpoints.shadow();
    const oids = entry.steps.flatMap(({ to }) => (to === undefined ? [] : [to.oid]));
    const contents = await shadow.read(oids);
    if (!contents.ok) return failed(contents.error);
    const root = bytePath(await realpath(this.#root));
    const options = { root, contents: contents.value, draft: `.codex-chat-${entry.id}-` };
    const steps = entry.steps.map(({ path, from, to, mode }) => ({ path, from, to, mode }));
    removeDrafts(steps, options);
    return ok(await applyPlan({ ...entry, steps }, options));
  }
}

function failed({ message }: GitError): Result<never, CheckpointError> {
  return err({ kind: "failed", message });
}
